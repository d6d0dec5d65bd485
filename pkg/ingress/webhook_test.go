package ingress

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
	"towpath/pkg/shopjwt"
	"towpath/pkg/syncrun"
)

func bodyOf(entity string) string {
	return strings.Replace(goodBody, "42,", entity+",", 1)
}

// Every answer that a request may get for what it is, over HTTP.
func TestWebhook_answers(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	upper := strings.ToUpper(d.tenant.String())
	for name, c := range map[string]struct {
		request
		status int
		code   string
		detail string
	}{
		"Accepted_with_charset":              {request: request{contentType: "application/json; charset=utf-8"}, status: 202},
		"Accepted_with_odd_parameter":        {request: request{contentType: "Application/JSON; charset="}, status: 202},
		"Accepted_without_provider":          {request: request{path: d.path(event)}, status: 202},
		"Accepted_with_empty_provider":       {request: request{path: d.path(event + "?provider=")}, status: 202},
		"Accepted_with_tenant_in_upper_case": {request: request{path: "/webhooks/magento/" + upper + "/" + event}, status: 202},
		"Accepted_with_percent_encoding":     {request: request{path: d.path("invoice%2Ecreated")}, status: 202},
		"Accepted_in_chunks":                 {request: request{reader: nonSeeker{strings.NewReader(goodBody)}}, status: 202},
		"Accepted_with_hash_as_key":          {request: request{key: event + ":" + strings.Repeat("ab", 20), body: bodyOf("77")}, status: 202},
		"Accepted_with_byte_order_mark":      {request: request{body: "\ufeff" + bodyOf("78"), key: event + ":78"}, status: 202},
		"Accepted_with_several_marks":        {request: request{body: "\ufeff\ufeff " + bodyOf("79"), key: event + ":79"}, status: 202},
		"Accepted_with_lower_case_scheme":    {request: request{token: "-", header: http.Header{"Authorization": {"bearer " + d.token(t)}}}, status: 202},

		"Refused_without_key":              {request{key: "-"}, 400, codeMalformedRequest, "Idempotency-Key is missing"},
		"Refused_with_two_keys":            {request{header: http.Header{"Idempotency-Key": {event + ":42", event + ":42"}}}, 400, codeMalformedRequest, "twice"},
		"Refused_with_long_key":            {request{key: event + ":" + strings.Repeat("a", 240)}, 400, codeMalformedRequest, "longer than 255"},
		"Refused_with_blank_in_key":        {request{key: event + ":4 2"}, 400, codeMalformedRequest, "printable"},
		"Refused_with_umlaut_in_key":       {request{key: event + ":ä"}, 400, codeMalformedRequest, "printable"},
		"Refused_with_key_of_other_event":  {request{key: "invoice.paid:42"}, 400, codeMalformedRequest, `does not begin with "invoice.created:"`},
		"Refused_with_key_without_rest":    {request{key: event + ":"}, 400, codeMalformedRequest, "does not begin"},
		"Refused_with_key_of_other_entity": {request{key: event + ":43"}, 400, codeMalformedRequest, "another entity"},
		"Refused_when_malformed":           {request{body: `{"magento_entity_id":`}, 400, codeMalformedBody, "not valid JSON"},
		"Refused_with_garbage_behind":      {request{body: goodBody + "x"}, 400, codeMalformedBody, "follows"},
		"Refused_when_not_UTF_8":           {request{body: strings.Replace(goodBody, "000000042", "\xff", 1)}, 400, codeMalformedBody, "UTF-8"},
		"Refused_with_entity_zero":         {request{body: bodyOf("0")}, 400, codeMalformedBody, "magento_entity_id"},
		"Refused_with_unknown_event":       {request{path: d.path("order.created")}, 400, codeUnknownEvent, "not known"},
		"Refused_with_unreadable_query":    {request{path: d.path(event + "?provider=%zz")}, 400, codeMalformedRequest, "query"},
		"Refused_with_endless_query":       {request{path: d.path(event + "?provider=xero&x=" + strings.Repeat("a", 1024))}, 400, codeMalformedRequest, "query"},
		"Again_with_other_provider":        {request{path: d.path(event + "?provider=freeagent")}, 503, codeNoActiveBinding, "not connected to freeagent yet"},
		"Refused_with_unknown_provider":    {request{path: d.path(event + "?provider=sage_accounting")}, 400, codeUnknownProvider, "no provider sage_accounting"},
		"Refused_with_hostile_provider":    {request{path: d.path(event + "?provider=%3Cb%3E")}, 400, codeUnknownProvider, "no provider of this name"},

		"Refused_without_token":           {request{token: "-"}, 401, codeTokenRefused, ""},
		"Refused_with_two_tokens":         {request{header: http.Header{"Authorization": {"Bearer " + d.token(t), "Bearer " + d.token(t)}}}, 401, codeTokenRefused, ""},
		"Refused_with_basic":              {request{token: "-", header: http.Header{"Authorization": {"Basic eDp5"}}}, 401, codeTokenRefused, ""},
		"Refused_with_garbage_as_token":   {request{token: "x.y.z"}, 401, codeTokenRefused, ""},
		"Refused_for_unknown_tenant":      {request{path: "/webhooks/magento/" + uuid.NewString() + "/" + event}, 401, codeTokenRefused, ""},
		"Refused_for_tenant_that_is_none": {request{path: "/webhooks/magento/shop-1/" + event}, 401, codeTokenRefused, ""},
		"Refused_for_tenant_in_braces":    {request{path: "/webhooks/magento/%7B" + d.tenant.String() + "%7D/" + event}, 401, codeTokenRefused, ""},
		"Refused_for_nil_tenant":          {request{path: "/webhooks/magento/" + uuid.Nil.String() + "/" + event}, 401, codeTokenRefused, ""},
		"Refused_token_before_event":      {request{token: "-", path: d.path("order.created")}, 401, codeTokenRefused, ""},
		"Refused_token_before_body":       {request{token: "-", body: "x"}, 401, codeTokenRefused, ""},

		"Refused_at_another_path":    {request{path: "/webhooks/magento/x"}, 503, codeWrongPath, ""},
		"Refused_by_another_method":  {request{method: "PUT"}, 405, codeMethodNotAllowed, ""},
		"Refused_as_form":            {request{contentType: "application/x-www-form-urlencoded"}, 415, codeUnsupportedMediaType, ""},
		"Refused_without_type":       {request{contentType: "-"}, 415, codeUnsupportedMediaType, ""},
		"Refused_as_other_JSON_type": {request{contentType: "application/json-patch+json"}, 415, codeUnsupportedMediaType, ""},
		"Refused_when_compressed":    {request{header: http.Header{"Content-Encoding": {"gzip"}}}, 415, codeUnsupportedMediaType, "encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := d.send(t, c.request)
			require.Equal(t, c.status, a.status, a.raw)
			require.Equal(t, c.code, a.code())
			if c.status == http.StatusAccepted {
				require.NoError(t, uuid.Validate(a.runID()))
				require.Len(t, a.body, 1)
				return
			}
			require.Contains(t, a.body["detail"], c.detail)
			require.Positive(t, d.metric(t, "webhook_refusals_total", "reason="+c.code))
			if c.status == http.StatusUnauthorized {
				require.Equal(t, `{"type":"urn:towpath:problem:token_refused","title":"Token refused","status":401,`+
					`"detail":"the token was refused; if this stays, pair the shop again","code":"token_refused"}`, a.raw)
				require.Equal(t, "Bearer", a.header.Get("WWW-Authenticate"))
			}
		})
	}
}

// nonSeeker hides a reader's length, so that it is sent in chunks.
type nonSeeker struct{ r *strings.Reader }

func (n nonSeeker) Read(p []byte) (int, error) { return n.r.Read(p) }

func TestWebhook_stores_the_event_as_it_came(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	for i, body := range []string{
		goodBody,
		`{ "magento_entity_id" : "42", "website_id":"3","store_id":"0","occurred_at":"2026-04-29T12:11:12+02:00","payload":[],"later":{"b":[1.50,{}]} }` + "\n",
		`{"magento_entity_id":42,"occurred_at":"2026-04-29T10:11:12Z"}`,
		`{"magento_entity_id":42,"occurred_at":"2026-04-29T10:11:12Z","payload":{"nul":"a\u0000b","half":"\ud800"},"\u0000":1e400}`,
		`{"magento_entity_id":42,"occurred_at":"2026-04-29T10:11:12Z","deep":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + `}`,
		`{"magento_entity_id":42,"occurred_at":"0001-01-01T00:00:00Z"}`,
		`{"magento_entity_id":9223372036854775807,"occurred_at":"9999-12-31T23:59:59.999999999Z","a":1,"a":2}`,
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			a := d.send(t, request{body: body, key: event + ":hash" + fmt.Sprint(i)})
			require.Equal(t, 202, a.status, a.raw)
			var stored string
			var entity, website int64
			require.NoError(t, d.db.QueryRow(t.Context(), `SELECT body::text, magento_entity_id, website_id FROM sync_runs WHERE id = $1`,
				a.runID()).Scan(&stored, &entity, &website))
			require.Equal(t, strings.ReplaceAll(body, `\u0000`, ` `), stored)
			require.Positive(t, entity)
			require.Equal(t, map[int]int64{0: 1, 1: 3}[i], website)
		})
	}
}

func TestWebhook_run_has_its_job_and_its_policy_version(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	_, err := d.db.Exec(t.Context(), `INSERT INTO policies SELECT binding_id, 2, policy FROM policies`)
	require.NoError(t, err)
	_, err = d.db.Exec(t.Context(), `UPDATE bindings SET policy_version = 2`)
	require.NoError(t, err)
	token := d.token(t)
	claims, err := shopjwt.Verify(d.apiKey, d.tenant.String(), token, time.Now())
	require.NoError(t, err)
	a := d.send(t, request{token: token})
	require.Equal(t, 202, a.status, a.raw)
	require.Equal(t, 1, d.count(t, `SELECT count(*) FROM spent_jtis WHERE jti = $1 AND expires_at = $2`,
		claims.JTI, claims.ExpiresAt.Add(shopjwt.Leeway)), "remembered for as long as it would be accepted")
	require.Equal(t, 1, d.count(t, `SELECT count(*) FROM sync_runs r JOIN river.river_job j ON j.id = r.river_job_id
		WHERE r.id = $1 AND r.status = 'queued' AND r.policy_version = 2 AND j.args ->> 'run_id' = r.id::text AND j.kind = 'fetch_canonical'`, a.runID()))
	require.Equal(t, [3]int{1, 1, 1}, d.stored(t))
	require.InDelta(t, 1, d.metric(t, "webhooks_total", "event="+event, "code=202"), 0)
	require.InDelta(t, 1, d.metric(t, "tenant_webhooks_total", "tenant="+d.tenant.String(), "code=202"), 0)
	require.InDelta(t, 1, d.metric(t, "webhook_clock_skew_seconds"), 0)
}

func TestWebhook_judges_every_token_vector(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/jwt_vectors.json")
	require.NoError(t, err)
	var vectors struct {
		TenantID uuid.UUID `json:"tenant_id"`
		APIKey   string    `json:"api_key"`
		NowUnix  int64     `json:"now_unix"`
		Tokens   []struct {
			Name, Token, Why string
			Accept           bool
		} `json:"webhook_tokens"`
	}
	require.NoError(t, json.Unmarshal(raw, &vectors))
	require.NotEmpty(t, vectors.Tokens)
	for _, v := range vectors.Tokens {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			// Each on its own database: they are judged as if unseen, and share a jti.
			d := setup(t, func(c *Config) { c.Now = func() time.Time { return time.Unix(vectors.NowUnix, 0) } })
			d.addTenant(t, vectors.TenantID, vectors.APIKey)
			d.addBinding(t, vectors.TenantID, "xero", "active")
			d.tenant = vectors.TenantID
			token := v.Token
			if token == "" {
				token = "-"
			}
			a := d.send(t, request{token: token})
			switch {
			case v.Accept:
				require.Equal(t, 202, a.status, a.raw)
				require.Equal(t, [3]int{1, 1, 1}, d.stored(t))
			case strings.Contains(v.Why, "clock_skew"):
				require.Equal(t, 503, a.status, a.raw)
				require.Equal(t, codeClockSkew, a.code())
				require.InDelta(t, 1, d.metric(t, "webhook_clock_skew_seconds"), 0)
				require.Equal(t, [3]int{}, d.stored(t))
			default:
				require.Equal(t, 401, a.status, a.raw)
				require.Zero(t, d.metric(t, "webhook_clock_skew_seconds"))
				require.Equal(t, [3]int{}, d.stored(t))
			}
		})
	}
}

func TestWebhook_clock_skew_names_the_distance(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	token, err := shopjwt.MintShop(d.apiKey, d.tenant.String(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	a := d.send(t, request{token: token})
	require.Equal(t, 503, a.status)
	require.Regexp(t, `off by about (1h0m0s|1h0m1s|59m59s);`, a.body["detail"])
	require.Contains(t, d.log.String(), d.tenant.String(), "the operator sees whose clock it is")
}

func TestWebhook_chooses_the_binding(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bindings map[string]string
		query    string
		status   int
		detail   string
	}{
		"Again_without_any":                 {nil, "", 503, "not connected to a ledger yet"},
		"Again_without_any_named":           {nil, "?provider=xero", 503, "not connected to xero yet"},
		"Again_when_revoked":                {map[string]string{"xero": "revoked"}, "?provider=xero", 503, "not connected to xero yet"},
		"Again_when_revoked_and_unnamed":    {map[string]string{"xero": "revoked"}, "", 503, "not connected to a ledger yet"},
		"Accepted_when_it_needs_consent":    {map[string]string{"xero": "needs_consent"}, "?provider=xero", 202, ""},
		"Accepted_beside_a_revoked_one":     {map[string]string{"xero": "revoked", "freeagent": "active"}, "", 202, ""},
		"Again_with_several":                {map[string]string{"xero": "active", "freeagent": "active"}, "", 503, "several ledgers ("},
		"Accepted_with_several_when_named":  {map[string]string{"xero": "active", "freeagent": "active"}, "?provider=freeagent", 202, ""},
		"Accepted_with_several_the_default": {map[string]string{"xero": "active", "freeagent": "active"}, "?provider=xero", 202, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := setup(t, nil)
			d.tenant, d.apiKey = uuid.New(), shopjwt.NewAPIKey()
			d.addTenant(t, d.tenant, d.apiKey)
			ids := map[uuid.UUID]string{}
			for provider, status := range c.bindings {
				ids[d.addBinding(t, d.tenant, provider, status)] = provider
			}
			a := d.send(t, request{path: d.path(event + c.query)})
			require.Equal(t, c.status, a.status, a.raw)
			if c.status == 503 {
				require.Contains(t, a.body["detail"], c.detail)
				if strings.Contains(name, "several") {
					require.Contains(t, a.raw, "xero")
					require.Contains(t, a.raw, "freeagent")
					require.Equal(t, codeAmbiguousBinding, a.code())
				}
				require.Equal(t, [3]int{}, d.stored(t), "not even the token is spent: the same may come again")
				return
			}
			var to uuid.UUID
			require.NoError(t, d.db.QueryRow(t.Context(), `SELECT binding_id FROM sync_runs WHERE id = $1`, a.runID()).Scan(&to))
			if asked, ok := strings.CutPrefix(c.query, "?provider="); ok {
				require.Equal(t, asked, ids[to])
			}
		})
	}
}

func TestWebhook_repeat_has_the_same_run_and_no_job(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	token := d.token(t)
	first := d.send(t, request{token: token})
	require.Equal(t, 202, first.status, first.raw)
	require.Empty(t, first.header.Get("Idempotent-Replayed"))
	for name, again := range map[string]request{
		"new_token":                      {},
		"same_token":                     {token: token},
		"other_body":                     {body: strings.Replace(goodBody, `"website_id":1`, `"website_id":2`, 1)},
		"other_occurred_at":              {body: strings.Replace(goodBody, "10:11:12", "10:11:13", 1)},
		"without_provider":               {path: d.path(event)},
		"same_token_without_a_provider":  {path: d.path(event), token: token},
		"same_token_with_another_parcel": {token: token, reader: nonSeeker{strings.NewReader(goodBody)}},
	} {
		a := d.send(t, again)
		require.Equal(t, 202, a.status, "%s: %s", name, a.raw)
		require.Equal(t, first.runID(), a.runID(), name)
		require.Equal(t, "true", a.header.Get("Idempotent-Replayed"), name)
	}
	require.Equal(t, [3]int{1, 1, 5}, d.stored(t))
}

func TestWebhook_upsert_comes_again_under_its_key(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	send := func(at string) answer {
		return d.send(t, request{path: d.path("customer.upserted"), key: "customer.upserted:42",
			body: strings.Replace(goodBody, "10:11:12", at, 1)})
	}
	first, later, again := send("10:11:12"), send("10:11:13"), send("10:11:12")
	require.NotEqual(t, first.runID(), later.runID(), "a later change")
	require.Equal(t, first.runID(), again.runID())
	require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	require.Equal(t, [3]int{2, 2, 3}, d.stored(t))
}

func TestWebhook_key_of_another_event_or_entity_is_a_conflict(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	require.Equal(t, 202, d.send(t, request{}).status)
	hashed := event + ":" + strings.Repeat("c0ffee", 6)
	require.Equal(t, 202, d.send(t, request{key: hashed}).status)
	before := d.stored(t)
	for name, q := range map[string]request{
		"other_entity":              {body: bodyOf("43")},
		"other_entity_under_a_hash": {body: bodyOf("43"), key: hashed},
		"other_event":               {path: d.path("invoice.paid"), key: event + ":42"},
		"other_event_under_a_hash":  {path: d.path("creditmemo.created"), key: hashed},
	} {
		a := d.send(t, q)
		require.Equal(t, 409, a.status, "%s: %s", name, a.raw)
		require.Equal(t, codeKeyReused, a.code())
	}
	require.Equal(t, before, d.stored(t))
}

func TestWebhook_token_is_for_one_request(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	d.addBinding(t, d.tenant, "freeagent", "active")
	token := d.token(t)
	require.Equal(t, 202, d.send(t, request{token: token}).status)
	before := d.stored(t)
	for name, q := range map[string]request{
		"another_key":      {key: event + ":43", body: bodyOf("43")},
		"another_event":    {path: d.path("invoice.paid?provider=xero"), key: "invoice.paid:42"},
		"another_provider": {path: d.path(event + "?provider=freeagent")},
	} {
		q.token = token
		a := d.send(t, q)
		require.Equal(t, 401, a.status, "%s: %s", name, a.raw)
		require.Equal(t, codeTokenRefused, a.code())
	}
	require.Equal(t, before, d.stored(t))
}

func TestWebhook_two_at_the_same_moment_make_one_run(t *testing.T) {
	t.Parallel()
	for name, sameToken := range map[string]bool{"Own_tokens": false, "One_token": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const senders = 6
			var inside, arrived sync.WaitGroup
			arrived.Add(2)
			var once [2]sync.Once
			var mu sync.Mutex
			calls := 0
			d := setup(t, func(c *Config) {
				insert := c.Enqueue
				// The first two meet inside T1, unless the token lets only one in.
				c.Enqueue = func(ctx context.Context, db dbsqlc.DBTX, rows dbsqlc.SyncRunAcceptParams) ([]int64, error) {
					mu.Lock()
					n := calls
					calls++
					mu.Unlock()
					if n < 2 && !sameToken {
						once[n].Do(arrived.Done)
						arrived.Wait()
					}
					return insert(ctx, db, rows)
				}
			})
			token := ""
			if sameToken {
				token = d.token(t)
			}
			answers := make([]answer, senders)
			for i := range answers {
				inside.Go(func() { answers[i] = d.send(t, request{token: token}) })
			}
			inside.Wait()
			fresh := 0
			for _, a := range answers {
				require.Equal(t, 202, a.status, a.raw)
				require.Equal(t, answers[0].runID(), a.runID())
				if a.header.Get("Idempotent-Replayed") == "" {
					fresh++
				}
			}
			require.Equal(t, 1, fresh)
			stored := d.stored(t)
			require.Equal(t, [2]int{1, 1}, [2]int(stored[:2]))
			require.Equal(t, map[bool]int{false: senders, true: 1}[sameToken], stored[2])
		})
	}
}

func TestWebhook_log_has_one_line_and_no_secret(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	token := d.token(t)
	a := d.send(t, request{token: token})
	require.Equal(t, 202, a.status)
	signature := token[strings.LastIndex(token, ".")+1:]
	require.Equal(t, 401, d.send(t, request{token: token, key: event + ":7", body: bodyOf("7")}).status)
	require.Equal(t, 401, d.send(t, request{token: token + "x"}).status)
	require.Equal(t, 400, d.send(t, request{body: `{"password":"hunter2"`}).status)
	text := d.log.String()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	require.Len(t, lines, 4)
	for _, hidden := range []string{signature, token, d.apiKey, "hunter2", "increment_id"} {
		require.NotContains(t, text, hidden)
	}
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &line))
	require.Equal(t, "INFO", line["level"])
	require.Equal(t, a.runID(), line["run_id"])
	require.Equal(t, d.tenant.String(), line["tenant"])
	require.Equal(t, event, line["event"])
	require.EqualValues(t, 202, line["status"])
	require.Equal(t, false, line["replayed"])
	require.Contains(t, line, "duration")
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &line))
	require.Equal(t, "WARN", line["level"])
	require.Equal(t, codeTokenRefused, line["reason"])
	require.Equal(t, syncrun.ErrTokenSpent.Error(), line["error"])
	require.Contains(t, lines[2], "signature")
}

func TestLists_agree_with_those_of_metrics(t *testing.T) {
	t.Parallel()
	require.ElementsMatch(t, codes(), metrics.Refusals())
	require.ElementsMatch(t, syncrun.Events(), metrics.Events())
	statuses := map[string]bool{"202": true}
	for _, code := range codes() {
		status, title := statusOf(code)
		require.NotEmpty(t, title)
		require.Equal(t, status == 503 && code != codeInternalError, status == 503 && title != "Internal error", code)
		if status != 404 && status != 405 { // never a webhook's
			statuses[fmt.Sprint(status)] = true
		}
	}
	require.Len(t, statuses, len(metrics.WebhookCodes()))
	for _, code := range metrics.WebhookCodes() {
		require.Contains(t, statuses, code)
	}
}

// However the shop's software wrote the number.
func TestWebhook_keys_that_spell_the_same_id_are_one_key(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"invoice.created", "product.upserted"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := setup(t, nil)
			first := d.send(t, request{path: d.path(name), key: name + ":42"})
			require.Equal(t, 202, first.status, first.raw)
			for _, id := range []string{"042", "+42", "00042", "+042", " 42", "42 ", "\t42", " +42 ", "42.0", "42."} {
				a := d.send(t, request{path: d.path(name), key: "-", header: http.Header{"Idempotency-Key": {name + ":" + id}}})
				require.Equal(t, 202, a.status, "%q: %s", id, a.raw)
				require.Equal(t, first.runID(), a.runID(), id)
				require.Equal(t, "true", a.header.Get("Idempotent-Replayed"))
			}
			for _, id := range []string{"43", "043", "+43", "4 2", "-42"} {
				require.Equal(t, 400, d.send(t, request{path: d.path(name), key: name + ":" + id}).status, id)
			}
			require.Equal(t, 1, d.count(t, `SELECT count(*) FROM sync_runs`))
			require.Equal(t, 1, d.count(t, `SELECT count(*) FROM sync_runs WHERE idempotency_key = $1`, name+":42"))
		})
	}
}

// A paired shop without a live binding is in an ordinary state: its events wait in
// its outbox, and are taken once it is connected.
func TestWebhook_of_a_shop_that_is_not_connected_comes_again(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	fresh, key := uuid.New(), shopjwt.NewAPIKey()
	d.addTenant(t, fresh, key)
	d.tenant, d.apiKey = fresh, key
	comesAgain := func(path string) {
		t.Helper()
		a := d.send(t, request{path: path})
		require.Equal(t, 503, a.status, a.raw)
		require.Equal(t, codeNoActiveBinding, a.code())
		require.NotEmpty(t, a.header.Get("Retry-After"))
	}
	taken := func(path string) {
		t.Helper()
		require.Equal(t, 202, d.send(t, request{path: path}).status)
	}
	comesAgain(d.path(event))
	comesAgain(d.path(event + "?provider=xero"))
	require.Equal(t, 400, d.send(t, request{path: d.path(event + "?provider=sage")}).status, "none that is known here")
	require.Equal(t, 400, d.send(t, request{path: d.path(event), body: "{"}).status, "what is broken stays so")

	d.addBinding(t, d.tenant, "xero", "active")
	taken(d.path(event))
	comesAgain(d.path(event + "?provider=freeagent"))
	require.Equal(t, 200, d.send(t, disconnect("")).status)
	comesAgain(d.path(event))
	d.addBinding(t, d.tenant, "xero", "needs_consent")
	taken(d.path(event + "?provider=xero"))

	d.addBinding(t, d.tenant, "freeagent", "active")
	a := d.send(t, request{path: d.path(event)})
	require.Equal(t, 503, a.status, "which of two is not said: an operator can mend that")
	require.Equal(t, codeAmbiguousBinding, a.code())
}

// Nothing that a stranger or a shop sends reaches the log as it came.
func TestLog_shows_no_marks_and_no_endless_line(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	for _, path := range []string{"/%1b%5b31m%e2%80%ae%e2%80%a8", "/webhooks/magento/" + strings.Repeat("x", 8000) + "/" + event, d.path("invoice%1b.created")} {
		d.send(t, request{path: path})
	}
	for line := range strings.Lines(d.log.String()) {
		require.Less(t, len(line), 4096)
		require.NotRegexp(t, `\\u001b|\\u2028|\x{202e}`, line)
	}
	require.Contains(t, d.log.String(), "[31m")
}

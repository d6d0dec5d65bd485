package dashboard_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dashboard"
)

// app gives the binding an app instead of its fixed token; more is a list of
// further columns, such as "refused = 'x', refused_at = now()".
func (b *bundle) app(kind, more string) {
	b.t.Helper()
	b.exec(`UPDATE bindings SET token_sealed = NULL WHERE id = $1`, b.binding)
	b.exec(`INSERT INTO oauth_grants (binding_id, kind, client_id, client_secret_sealed) VALUES ($1, $2, 'the-client-id', 'sealed-secret')`, b.binding, kind)
	if more != "" {
		b.exec(`UPDATE oauth_grants SET ` + more)
	}
}

// tokens until 22 minutes after now.
const tokens = `tokens_sealed = 'sealed-tokens', issued_at = '2026-04-29 10:03:12Z', refresh_at = '2026-04-29 10:20Z', expires_at = '2026-04-29 10:33:12.4Z'`

// circuit opens the circuit of a partition.
func (b *bundle) circuit(partition uuid.UUID, reason string) {
	b.t.Helper()
	b.exec(`INSERT INTO circuits (key, reason, failures, message, opened_at, probes, probe_at)
		VALUES ($1, $2, 3, 'Xero did not answer in time', '2026-04-29 10:01:12Z', 2, '2026-04-29 10:13Z')`, partition.String(), reason)
}

func (b *bundle) needsConsent() { b.exec(`UPDATE bindings SET status = 'needs_consent'`) }

// page is the connections page as a person reads it, without tags.
func (b *bundle) page() string {
	b.t.Helper()
	a := b.get("/dashboard/connections")
	require.Equal(b.t, http.StatusOK, a.status)
	return readable(a.body)
}

func readable(body string) string {
	_, body, _ = strings.Cut(body, `<main id="main"`)
	body = regexp.MustCompile(`</(dt|dd|th|td|p|h[1-3]|summary)>`).ReplaceAllString(body, " ")
	plain := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, "")
	return unescape(strings.Join(strings.Fields(plain), " "))
}

func Test_Connections_say_in_words_where_each_side_stands(t *testing.T) {
	t.Parallel()
	refused := func(code string) string {
		return tokens + `, refused = '` + code + `', refused_at = '2026-04-29 08:11:12Z'`
	}
	for name, c := range map[string]struct {
		make func(b *bundle)
		want []string
	}{
		"connected": {func(b *bundle) { b.app("authorization_code", tokens) },
			[]string{"Acme → to Xero, Acme Holdings Ltd Connected", "Consent of a person, kept alive by Towpath", "this one expires in 22 min"}},
		"fixed token": {func(*bundle) {},
			[]string{"Connected", "Fixed token, which Towpath cannot renew", "When it expires is not known", "towpath binding token BINDING --token-file FILE"}},
		"fixed token refused": {func(b *bundle) { b.needsConsent() },
			[]string{"Needs a new token", "Xero refuses the access token", "Command: towpath binding token BINDING --token-file FILE", "Nothing is lost"}},
		"no consent yet": {func(b *bundle) { b.app("authorization_code", ""); b.needsConsent() },
			[]string{"Needs consent", "Nobody has allowed Towpath to post into Xero yet.", "choose it", "None yet"}},
		"consent withdrawn": {func(b *bundle) { b.app("authorization_code", refused("invalid_grant")); b.needsConsent() },
			[]string{"The consent has ended", "Connect again: log in as somebody who may manage Acme Holdings Ltd", "Refused 2 h ago"}},
		"app refused": {func(b *bundle) { b.app("client_credentials", refused("invalid_client")); b.needsConsent() },
			[]string{"App refused", "does not accept the app that Towpath connects with (invalid_client)", "towpath binding connect BINDING --client-secret-file FILE"}},
		"custom connection not made": {func(b *bundle) { b.app("client_credentials", ""); b.needsConsent() },
			[]string{"Not connected yet", "nobody needs to log in", "Custom connection: the app's own credentials, no login"}},
		"organisation refused": {func(b *bundle) { b.app("authorization_code", tokens); b.needsConsent() },
			[]string{"Access refused", "Xero refuses access to the organisation"}},
		"expired": {func(b *bundle) { b.app("client_credentials", strings.ReplaceAll(tokens, "10:33", "08:33")) },
			[]string{"Renewed before the next call; this one expired 1 h ago"}},
		"fixed token in place of the app's": {func(b *bundle) {
			b.app("authorization_code", tokens)
			b.exec(`UPDATE bindings SET token_sealed = 'sealed-token'`)
		}, []string{"Fixed token, which Towpath cannot renew"}},
		"shop refuses": {func(b *bundle) { b.exec(`UPDATE tenants SET connection_status = 'token_revoked'`) },
			[]string{"Refuses the key", "The shop refuses Towpath's key", "Command: towpath tenant pair --tenant TENANT --magento-url https://shop.example --provider xero --code CODE"}},
		"shop pending": {func(b *bundle) { b.exec(`UPDATE tenants SET connection_status = 'pending'`) },
			[]string{"Pairing not finished", "The shop has not confirmed the pairing", "Command: towpath tenant pair --tenant TENANT --magento-url https://shop.example --provider xero --code CODE"}},
		"wire v2": {func(b *bundle) {
			b.exec(`UPDATE bindings SET provider = 'freeagent', wire = 'v2', reference = NULL, reference_at = NULL, org_id = ''`)
		}, []string{"Acme → to FreeAgent", "Wire v2", "Organisation not known yet", "Not read yet"}},
		"shop that does not answer": {func(b *bundle) { b.circuit(b.tenant, "shop_no_answer") },
			[]string{"Does not answer", "The shop takes calls and does not answer in time. That has been so since 29 April 10:01:12 UTC", "nothing is lost",
				"asks one at a time, next from 10:13:00 UTC on", "see to the shop's server"}},
		"ledger that does not answer": {func(b *bundle) { b.circuit(b.binding, "ledger_no_answer") },
			[]string{"Does not answer", "Xero did not answer in time. That has been so since 29 April 10:01:12 UTC", "see to Xero's server"}},
		"timed out once": {func(b *bundle) {
			b.exec(`INSERT INTO circuits (key, reason) VALUES ($1, 'shop_no_answer')`, b.tenant.String())
		}, []string{"Acme → to Xero, Acme Holdings Ltd Connected"}},
		"names": {func(*bundle) {},
			[]string{"https://shop.example", "Organisation Acme Holdings Ltd", "Accounting API", "Accounts, tax rates Read 5 h ago"}},
		"organisation without a name": {func(b *bundle) { b.exec(`UPDATE bindings SET reference = '{"organisation":{}}'`) }, []string{"Organisation org-7"}},
		"reference that is none":      {func(b *bundle) { b.exec(`UPDATE bindings SET reference = '[1]'`) }, []string{"Organisation org-7"}},
		"reference data old":          {func(b *bundle) { b.exec(`UPDATE bindings SET reference_at = '2026-04-27 10:11Z'`) }, []string{"To be read again; last read 2 days ago"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.exec(`UPDATE bindings SET org_id = 'org-7', reference = '{"organisation":{"name":"Acme Holdings Ltd"}}', reference_at = '2026-04-29 05:00Z'`)
			c.make(b)
			page := b.page()
			for _, want := range c.want {
				want = strings.NewReplacer("BINDING", b.binding.String(), "TENANT", b.tenant.String()).Replace(want)
				require.Contains(t, page, want)
			}
			require.NotContains(t, page, "sealed-")
			require.NotContains(t, page, "Command: Waiting", "none is shown where there is none")
			require.NotContains(t, page, "the-client-id")
			require.Equal(t, 1, strings.Count(page, "For the command line"))
		})
	}
}

// budget stores a quota.Budget, in which NOW is the database's time and SAID the
// test's, some seconds ago.
func (b *bundle) budget(state string, said time.Duration) {
	b.t.Helper()
	state = strings.ReplaceAll(state, "SAID", fmt.Sprint(now.Add(-said).UnixMicro()))
	b.exec(`INSERT INTO call_budgets (key, state)
		SELECT call_budget_key(binding), replace($2, 'NOW', (extract(epoch FROM clock_timestamp()) * 1e6)::bigint::text)::json FROM bindings AS binding WHERE id = $1
		ON CONFLICT (key) DO UPDATE SET state = excluded.state`, b.binding, state)
}

const limits = `"limits": {"per_minute": 60, "at_once": 5}`

func Test_Connections_show_what_may_be_called_and_what_is_used(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Contains(t, b.page(), "Calls to Xero None yet.")
	b.budget(`{`+limits+`}`, 0)
	require.Contains(t, b.page(), "Last minute 0 of 60 Under way 0 of 5 at once Left of the day not known")

	used := `{` + limits + `, "calls": {"minute": [[1, 9], [NOW, 17]]}, "others": {"n": 4, "at": NOW},
		"leases": [{"id": 1, "left": 2, "at": NOW}, {"id": 2, "left": 4, "at": NOW}, {"id": 3, "left": 0, "at": NOW}],
		"day": {"left": 3120, "limit": 5000, "at": SAID}}`
	b.budget(used, 40*time.Second)
	require.Contains(t, b.page(), "Last minute 23 of 60, and 4 by others Under way 3 of 5 at once Left of the day 3,120 of 5,000 as of 40 s ago")
	require.Contains(t, b.get("/dashboard/connections").body, `<meter min="0" max="60" value="23">`)

	b.budget(used, 25*time.Hour)
	require.Contains(t, b.page(), "Left of the day not known", "what was said of yesterday")
}

func Test_Connections_say_why_nothing_is_called_now(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := func(line, day string, from time.Duration) string {
		return fmt.Sprintf(`{%s, "day": {"left": %s, "limit": 5000, "at": SAID}, %s}`, limits, day,
			strings.ReplaceAll(line, "FROM", fmt.Sprint(now.Add(from).UnixMicro())))
	}
	b.budget(in(`"live": {}`, "3000", 0), 0)
	require.NotContains(t, b.page(), "waits")
	const backfill, both = `"backfill": {"from": FROM}`, `"live": {"from": FROM}, "backfill": {"from": FROM}`
	for _, c := range []struct{ line, day, want string }{
		{backfill, "3000", "What happens now goes first. Older documents wait for the next call in 40 s"},
		{backfill, "500", "The last tenth of the day is kept for what happens now. Older documents wait and go on by themselves; Towpath asks again in 40 s"},
		{both, "500", "To stay within the minute's limit, everything waits for the next call in 40 s"},
		{both, "0", "The day's calls are used up. Everything waits and goes on by itself; Towpath asks again in 40 s"},
	} {
		b.budget(in(c.line, c.day, 40*time.Second), 0)
		require.Contains(t, b.page(), c.want)
	}
	b.budget(in(both, "0", -time.Second), 0)
	require.NotContains(t, b.page(), "Now ", "that is over")

	b.exec(`UPDATE bindings SET paused_until = $1`, now.Add(17*time.Minute))
	require.Contains(t, b.page(), "Xero asked for a pause: it was called more often than it allows, by Towpath or by others. Everything waits and goes on by itself in 17 min.")
	b.exec(`UPDATE bindings SET paused_until = $1`, now)
	require.NotContains(t, b.page(), "asked for a pause")
}

// waiting stores so many runs of the binding, each like the other.
func (b *bundle) waiting(n int, status, stage string, hold any) {
	b.t.Helper()
	b.exec(`INSERT INTO sync_runs (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id, idempotency_key, dedupe_key,
			lane, occurred_at, body, status, stage, hold_reason, river_job_id)
		SELECT gen_random_uuid(), $1, $2, 1, 'invoice.created', 'invoice', at, at, at, at, now(), '{}', $3, $4, $5, at
		FROM generate_series(1::int, $6::int) AS n, LATERAL (SELECT n + (SELECT count(*) FROM sync_runs) AS at) AS at`,
		b.tenant, b.binding, status, stage, hold, n)
}

func Test_Connections_count_what_waits_and_lead_to_it(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Contains(t, b.page(), "To read from shop none To post to Xero none Held none")
	require.NotContains(t, b.page(), "Takes")
	b.waiting(3, "queued", "fetch", nil)
	b.waiting(1100, "queued", "post", nil)
	b.waiting(2, "held", "post", "missing_mapping")
	b.entity = 5000
	b.add("running", nil)
	b.add("succeeded", nil)
	require.Contains(t, b.page(), "To read from shop 3 To post to Xero 1,100 Held 2 Takes a minute at most")
	body := unescape(b.get("/dashboard/connections").body)
	for _, status := range []string{"queued", "held"} {
		path := "/dashboard/sync?status=" + status + "&tenant=" + b.tenant.String()
		require.Contains(t, body, `href="`+path+`"`)
		require.NotEmpty(t, runsOn(b.get(path).body))
	}
	require.Contains(t, readable(b.get("/dashboard/sync/"+b.add("held", nil).String()).body), "Binding Xero, wire accounting")
}

func Test_Connections_estimate_the_backlog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change string
		budget string
		runs   int
		status string
		hold   any
		want   string
	}{
		"fifty a call":           {``, limits, 2400, "queued", nil, "Takes about 2 minutes"},
		"one a call":             {`UPDATE bindings SET wire = 'v2'`, limits, 600, "queued", nil, "Takes about 25 minutes"},
		"FreeAgent's hour":       {`UPDATE bindings SET wire = 'v2', provider = 'freeagent'`, ``, 5000, "queued", nil, "Takes about 3 hours"},
		"hours":                  {``, `"limits": {"per_minute": 2, "at_once": 5}`, 4450, "queued", nil, "Takes about 3 hours"},
		"days":                   {`UPDATE bindings SET wire = 'v2'`, `"limits": {"per_minute": 1, "at_once": 5}`, 1600, "queued", nil, "Takes about 2 days"},
		"never called":           {``, ``, 2400, "queued", nil, "Takes about 2 minutes"},
		"more than the day":      {``, limits + `, "day": {"left": 95, "limit": 5000, "at": SAID}`, 2400, "queued", nil, "Takes about 24 hours, more than one day's limit"},
		"the day is enough":      {``, limits + `, "day": {"left": 96, "limit": 5000, "at": SAID}`, 2400, "queued", nil, "Takes about 2 minutes Calls"},
		"held for the consent":   {`UPDATE bindings SET status = 'needs_consent'`, limits, 2400, "held", "auth", "Takes about 2 minutes, once it is connected"},
		"held for other reasons": {``, limits, 2400, "held", "period_locked", "Held 2,400 Calls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if c.change != "" {
				b.exec(c.change)
			}
			if c.budget != "" {
				b.budget("{"+c.budget+"}", time.Minute)
			}
			b.waiting(c.runs, c.status, "post", c.hold)
			require.Contains(t, b.page(), c.want)
		})
	}
}

func Test_Connections_put_first_what_needs_somebody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	zeta, refused := b.addTenant("Zeta")
	b.exec(`UPDATE bindings SET status = 'needs_consent' WHERE id = $1`, refused)
	mid, _ := b.addTenant("Mid")
	b.exec(`UPDATE tenants SET connection_status = 'token_revoked' WHERE id = $1`, mid)
	require.NotEqual(t, zeta, mid)
	require.Regexp(t, `(?s)>Mid <.*>Zeta <.*>Acme <`, b.get("/dashboard/connections").body)
}

func Test_Revoked_connections_are_shown_for_thirty_days(t *testing.T) {
	t.Parallel()
	b := setup(t, connect(nil))
	b.app("authorization_code", tokens)
	b.exec(`UPDATE bindings SET org_id = 'org-7', status = 'revoked', revoked_at = $1`, now.Add(-29*24*time.Hour))
	b.waiting(4, "held", "post", "binding_revoked")
	page := b.page()
	require.Contains(t, page, "Ended in the last 30 days")
	require.Contains(t, page, "Acme https://shop.example Xero, Accounting API org-7 held 4 ended 29 days ago")
	require.NotContains(t, b.get("/dashboard/connections").body, "<form", "nothing to connect")
	require.Contains(t, page, "No connection yet")
	require.Contains(t, readable(b.get("/dashboard/sync?status=held").body), "its connection was revoked")

	_, live := b.addTenant("Acme")
	page = b.page()
	require.Contains(t, page, live.String())
	require.NotContains(t, page, "No connection yet")

	b.exec(`UPDATE bindings SET revoked_at = $1 WHERE revoked_at IS NOT NULL`, now.Add(-31*24*time.Hour))
	require.NotContains(t, b.page(), "Ended in the last 30 days")
}

func Test_Connections_of_an_empty_database_say_what_to_do(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(`DELETE FROM policies`)
	b.exec(`DELETE FROM bindings`)
	b.exec(`DELETE FROM tenants`)
	page := b.page()
	require.Contains(t, page, "No connection yet")
	require.Contains(t, page, "towpath binding create --tenant ID --provider xero")
}

func Test_Connections_of_a_database_that_is_away_say_so(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pool.Close()
	a := b.get("/dashboard/connections")
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Equal(t, "5", a.header.Get("Retry-After"))
	require.Contains(t, a.body, "The database does not answer")
}

// Another session holds the runs: they cannot be counted in time, and the page
// comes without the numbers.
func Test_Connections_come_without_counts_where_counting_takes_too_long(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	_, err = tx.Exec(t.Context(), `LOCK TABLE sync_runs IN ACCESS EXCLUSIVE MODE`)
	require.NoError(t, err)
	page := b.page()
	require.Contains(t, page, "Not counted now: the database is busy.")
	require.Contains(t, page, "Acme")
}

// Every text that others wrote comes out as text.
func Test_Foreign_text_of_connections_stays_text(t *testing.T) {
	t.Parallel()
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	b := setup(t)
	b.app("authorization_code", tokens)
	b.needsConsent()
	b.exec(`UPDATE tenants SET name = $1, magento_url = 'https://' || $1`, evil)
	b.exec(`UPDATE bindings SET org_id = $1, api_url = 'https://' || $1, reference = jsonb_build_object('organisation', jsonb_build_object('name', $1::text))`, evil)
	b.exec(`UPDATE oauth_grants SET refused = $1, refused_at = now()`, evil)
	for _, change := range []string{``, `UPDATE bindings SET status = 'revoked', revoked_at = '2026-04-28'`} {
		b.exec(change)
		body := b.get("/dashboard/connections").body
		require.Contains(t, unescape(body), evil)
		require.NotContains(t, body, "<script>")
		require.NotContains(t, body, "<img src=x")
		require.NotContains(t, body, `href="https://<`)
	}
}

func Test_Pages_lead_to_each_other(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.add("queued", nil).String()
	for path, current := range map[string]string{"/dashboard/sync": "sync", "/dashboard/sync/" + run: "sync", "/dashboard/connections": "connections"} {
		body := b.get(path).body
		require.Equal(t, 1, strings.Count(body, `aria-current="true"`), path)
		require.Contains(t, body, `<a href="/dashboard/`+current+`" aria-current="true">`, path)
		require.Contains(t, body, `<a href="/dashboard/sync"`, path)
		require.Contains(t, body, `<a href="/dashboard/connections"`, path)
	}
	require.Contains(t, b.get("/dashboard/sync/"+run).body, `href="/dashboard/connections#c-`+b.binding.String()+`"`)
	require.Contains(t, b.get("/dashboard/connections").body, `id="c-`+b.binding.String()+`"`)
	require.NotContains(t, b.get("/dashboard/sync/"+uuid.NewString()).body, "aria-current")
}

func Test_Connections_page_looks_again_by_itself(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *dashboard.Config) { c.Refresh = 7 * time.Second })
	require.Contains(t, b.get("/dashboard/connections").body, `data-live="7000"`)
}

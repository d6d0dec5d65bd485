package ingress

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/shopjwt"
)

func get(path string) request { return request{method: "GET", path: path, contentType: "-", key: "-"} }

func disconnect(query string) request {
	return request{path: "/v1/tenant/disconnect" + query, body: `{}`, key: "disconnect:0123456789012345678901234567890123456789"}
}

func TestShopCalls_refuse_as_the_webhook_does(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	stranger, err := shopjwt.MintShop(d.apiKey, uuid.NewString(), time.Now())
	require.NoError(t, err)
	noTenant, err := shopjwt.MintShop(d.apiKey, "shop", time.Now())
	require.NoError(t, err)
	forged, err := shopjwt.MintShop(shopjwt.NewAPIKey(), d.tenant.String(), time.Now())
	require.NoError(t, err)
	late, err := shopjwt.MintShop(d.apiKey, d.tenant.String(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	spent := d.token(t)
	require.Equal(t, 202, d.send(t, request{token: spent}).status)
	for _, path := range []string{"/v1/status?entity_type=invoice&entity_id=42", "/v1/tile/health", "/v1/tenant/disconnect"} {
		q := get(path)
		if strings.HasSuffix(path, "disconnect") {
			q = disconnect("")
		}
		for name, token := range map[string]string{"none": "-", "garbage": "a.b.c", "stranger": stranger, "no tenant": noTenant, "forged": forged, "spent": spent} {
			q.token = token
			a := d.send(t, q)
			require.Equal(t, 401, a.status, "%s with %s: %s", path, name, a.raw)
			require.Equal(t, codeTokenRefused, a.code())
		}
		q.token = late
		require.Equal(t, codeClockSkew, d.send(t, q).code())
		q.token = ""
		q.method = "DELETE"
		require.Equal(t, 405, d.send(t, q).status)
	}
	require.Equal(t, 1, d.count(t, `SELECT count(*) FROM bindings WHERE status = 'active'`))
}

func TestShopCalls_same_request_with_same_token_is_a_repeat(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	q := get("/v1/tile/health")
	q.token = d.token(t)
	require.Equal(t, 200, d.send(t, q).status)
	require.Equal(t, 200, d.send(t, q).status)
	q.path = "/v1/tile/health?provider=xero"
	require.Equal(t, 401, d.send(t, q).status, "another query")
	require.Equal(t, 401, d.send(t, request{token: q.token}).status, "another path")
}

func TestShopCalls_database_away_is_503(t *testing.T) {
	t.Parallel()
	l := &line{}
	d := setup(t, func(c *Config) { c.Pool = l.pool(t, c.Pool, 1) })
	l.away.Store(true)
	for _, q := range []request{get("/v1/status"), get("/v1/tile/health"), disconnect("")} {
		require.Equal(t, codeDatabaseUnavailable, d.send(t, q).code())
	}
}

func TestStatus_tells_the_last_run_in_the_shops_words(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	const path = "/v1/status?entity_type=invoice&entity_id=42"
	a := d.send(t, get(path))
	require.Equal(t, 200, a.status)
	require.Nil(t, a.body["sync_status"], "nothing is known of it")
	require.EqualValues(t, 42, a.body["entity_id"])

	run := d.send(t, request{}).runID()
	a = d.send(t, get(path))
	require.Equal(t, "pending", a.body["sync_status"])
	require.Equal(t, "queued", a.body["run_status"])
	require.Equal(t, run, a.body["sync_run_id"])
	require.Equal(t, "xero", a.body["provider"])
	require.Nil(t, a.body["last_sync_at"])

	for status, word := range map[string]string{"succeeded": "synced", "skipped_by_policy": "skipped", "failed": "failed", "cancelled": "failed"} {
		_, err := d.db.Exec(t.Context(), `UPDATE sync_runs SET status = $1, stage = 'done', river_job_id = NULL, finished_at = '2026-04-29T10:12:00Z',
			provider_entity_id = 'guid', error_code = 'validation'`, status)
		require.NoError(t, err)
		a = d.send(t, get(path))
		require.Equal(t, word, a.body["sync_status"])
		require.Equal(t, "2026-04-29T10:12:00Z", a.body["last_sync_at"])
		require.Equal(t, "guid", a.body["provider_entity_id"])
		require.Equal(t, "validation", a.body["error_code"])
	}
	later := d.send(t, request{path: d.path("invoice.paid"), key: "invoice.paid:42"}).runID()
	require.Equal(t, later, d.send(t, get(path)).body["sync_run_id"])
	require.Nil(t, d.send(t, get(path+"&provider=freeagent")).body["sync_run_id"])
	require.Equal(t, later, d.send(t, get(path+"&provider=xero")).body["sync_run_id"])

	for _, bad := range []string{"?entity_type=order&entity_id=1", "?entity_id=1", "?entity_type=invoice", "?entity_type=invoice&entity_id=0", "?entity_type=&entity_id=1"} {
		require.Equal(t, 400, d.send(t, get("/v1/status"+bad)).status, bad)
	}
}

func TestStatus_of_another_tenant_is_not_told(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	require.Equal(t, 202, d.send(t, request{}).status)
	d.tenant, d.apiKey = uuid.New(), shopjwt.NewAPIKey()
	d.addTenant(t, d.tenant, d.apiKey)
	require.Nil(t, d.send(t, get("/v1/status?entity_type=invoice&entity_id=42")).body["sync_run_id"])
	tile := d.send(t, get("/v1/tile/health"))
	require.Equal(t, map[string]any{"pending_count": 0., "failed_24h": 0., "last_run_at": nil}, tile.body["sync"])
	require.Equal(t, map[string]any{"status": "none", "region": ""}, tile.body["binding"])
}

func TestTileHealth_counts_what_waits_and_what_failed(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		require.Equal(t, 202, d.send(t, request{key: event + ":" + id, body: bodyOf(id)}).status)
	}
	end := func(id int, status, at string) {
		_, err := d.db.Exec(t.Context(), `UPDATE sync_runs SET status = $2, stage = 'done', river_job_id = NULL, finished_at = now() - $3::interval,
			error_code = CASE WHEN $2 = 'failed' THEN 'internal' END
			WHERE magento_entity_id = $1`, id, status, at)
		require.NoError(t, err)
	}
	end(1, "failed", "23 hours")
	end(2, "failed", "25 hours")
	end(3, "succeeded", "1 hour")
	_, err := d.db.Exec(t.Context(), `UPDATE sync_runs SET status = 'held', hold_reason = 'auth' WHERE magento_entity_id = 4`)
	require.NoError(t, err)
	_, err = d.db.Exec(t.Context(), `UPDATE tenants SET connection_status = 'token_revoked'`)
	require.NoError(t, err)
	a := d.send(t, get("/v1/tile/health"))
	require.Equal(t, 200, a.status, a.raw)
	require.Equal(t, map[string]any{"magento_connection_status": "token_revoked"}, a.body["tenant"])
	require.Equal(t, map[string]any{"status": "active", "region": ""}, a.body["binding"])
	sync, _ := a.body["sync"].(map[string]any)
	require.EqualValues(t, 2, sync["pending_count"], "one held, one queued")
	require.EqualValues(t, 1, sync["failed_24h"])
	at, err := time.Parse(time.RFC3339, sync["last_run_at"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), at, time.Minute)
	require.EqualValues(t, 0, d.send(t, get("/v1/tile/health?provider=freeagent")).body["sync"].(map[string]any)["pending_count"])
}

func TestTileHealth_shows_a_live_binding_before_a_revoked_one(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	require.Equal(t, 200, d.send(t, disconnect("")).status)
	status := func() any { return d.send(t, get("/v1/tile/health")).body["binding"].(map[string]any)["status"] }
	require.Equal(t, "revoked", status())
	d.addBinding(t, d.tenant, "xero", "needs_consent")
	require.Equal(t, "needs_consent", status())
}

func TestDisconnect_revokes_and_can_be_repeated(t *testing.T) {
	t.Parallel()
	for query, left := range map[string]int{"": 0, "?provider=xero": 1, "?provider=freeagent": 1, "?provider=sage_accounting": 2} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			d := setup(t, nil)
			d.addBinding(t, d.tenant, "freeagent", "active")
			other := uuid.New()
			d.addTenant(t, other, shopjwt.NewAPIKey())
			d.addBinding(t, other, "xero", "active")
			require.Equal(t, 202, d.send(t, request{}).status)

			q := disconnect(query)
			q.token = d.token(t)
			a := d.send(t, q)
			require.Equal(t, 200, a.status, a.raw)
			require.Len(t, a.body["revoked"], 2-left)
			again := d.send(t, q)
			require.Equal(t, 200, again.status)
			require.Equal(t, a.raw, again.raw, "answered as the first time")

			require.Equal(t, left, d.count(t, `SELECT count(*) FROM bindings WHERE tenant_id = $1 AND status = 'active'`, d.tenant))
			require.Equal(t, 1, d.count(t, `SELECT count(*) FROM bindings WHERE tenant_id = $1 AND status = 'active'`, other))
			require.Zero(t, d.count(t, `SELECT count(*) FROM bindings WHERE status = 'revoked' AND token_sealed IS NOT NULL`))
			require.Equal(t, 1, d.count(t, `SELECT count(*) FROM sync_runs`), "what was synced stays known")
			if query == "" || query == "?provider=xero" {
				require.Equal(t, codeNoActiveBinding, d.send(t, request{key: event + ":43", body: bodyOf("43")}).code())
			}
			// The key of the request is always the same: it works after a new pairing too.
			if query == "" {
				d.addBinding(t, d.tenant, "xero", "active")
				for range 3 {
					require.Equal(t, a.raw, d.send(t, q).raw, "with a later binding there")
				}
				require.Equal(t, 1, d.count(t, `SELECT count(*) FROM bindings WHERE tenant_id = $1 AND status = 'active'`, d.tenant), "which it leaves alone")
				require.Len(t, d.send(t, disconnect("")).body["revoked"], 1)
			}
		})
	}
}

func TestDisconnect_sent_several_times_at_once_has_one_answer(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	q := disconnect("")
	q.token = d.token(t)
	answers := make([]string, 8)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			// On a busy machine one may be told to come again.
			a := d.send(t, q)
			for n := 0; a.status == 503 && n < 20; n++ {
				a = d.send(t, q)
			}
			answers[i] = a.raw
		})
	}
	all.Wait()
	for _, a := range answers {
		require.Equal(t, answers[0], a)
	}
	require.Contains(t, answers[0], `"provider":"xero"`)
}

func TestStatus_shows_what_older_versions_stored_without_its_marks(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	require.Equal(t, 202, d.send(t, request{}).status)
	_, err := d.db.Exec(t.Context(), `UPDATE sync_runs SET error_message = $1`, "\x1b[31mred\u202e\u2028end")
	require.NoError(t, err)
	require.Equal(t, " [31mred end", d.send(t, get("/v1/status?entity_type=invoice&entity_id=42")).body["error_message"])
}

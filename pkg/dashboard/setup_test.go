package dashboard_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/julienschmidt/httprouter"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dashboard"
	"towpath/pkg/loopback"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/users"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var now = time.Date(2026, 4, 29, 10, 11, 12, 345e6, time.UTC)

type bundle struct {
	t       *testing.T
	pool    *pgxpool.Pool
	tenant  uuid.UUID
	binding uuid.UUID
	server  *httptest.Server
	pages   *dashboard.Dashboard
	entity  int64
	users   *users.Store
}

// thePassword is sent with every request that has no header Authorization of its
// own.
const thePassword = "correct horse: battery"

// anonymous is that header for who sends none.
const anonymous = "none"

// setup serves a dashboard on a database with one tenant, called Acme.
func setup(t *testing.T, change ...func(*dashboard.Config)) *bundle {
	t.Helper()
	b := &bundle{t: t, pool: pgtest.New(t)}
	b.tenant, b.binding = b.addTenant("Acme")
	b.users = users.New(b.pool, func() time.Time { return now })
	b.users.Cost = users.Cost{KiB: 64, Passes: 1}
	_, err := b.users.Add(t.Context(), "ada", users.Admin, thePassword)
	require.NoError(t, err)
	cfg := dashboard.Config{Pool: b.pool, Now: func() time.Time { return now }, Users: b.users, CountWait: time.Minute}
	for _, c := range change {
		c(&cfg)
	}
	router := httprouter.New()
	b.pages = dashboard.New(cfg)
	b.pages.Register(router)
	b.server = httptest.NewServer(router)
	t.Cleanup(b.server.Close)
	return b
}

func (b *bundle) exec(sql string, args ...any) {
	b.t.Helper()
	_, err := b.pool.Exec(context.Background(), sql, args...)
	require.NoError(b.t, err)
}

func (b *bundle) addTenant(name string) (tenant, binding uuid.UUID) {
	b.t.Helper()
	tenant, binding = uuid.New(), uuid.New()
	b.exec(`INSERT INTO tenants (id, name, magento_url, api_key_sealed) VALUES ($1, $2, 'https://shop.example', 'sealed-api-key')`, tenant, name)
	b.exec(`INSERT INTO bindings (id, tenant_id, provider, wire, api_url, token_sealed) VALUES ($1, $2, 'xero', 'accounting', 'https://api.xero.com', 'sealed-token')`, binding, tenant)
	b.exec(`INSERT INTO policies (binding_id, version, policy) VALUES ($1, 1, '{}')`, binding)
	return tenant, binding
}

// columns override the defaults of a run: queued, just arrived.
type columns map[string]any

// add stores a run; what its status demands of other columns is filled in.
func (b *bundle) add(status string, more columns) uuid.UUID {
	b.t.Helper()
	b.entity++
	id := uuid.New()
	key := fmt.Sprintf("invoice.created:%d", b.entity)
	c := columns{
		"id": id, "tenant_id": b.tenant, "binding_id": b.binding, "policy_version": 1, "event": "invoice.created",
		"entity_type": "invoice", "magento_entity_id": b.entity, "idempotency_key": key, "dedupe_key": key,
		"lane": fmt.Sprintf("invoice:%d", b.entity), "occurred_at": now.Add(-time.Minute), "received_at": now.Add(-time.Second),
		"body": fmt.Sprintf(`{"magento_entity_id":%d,"payload":{"increment_id":"%09d"}}`, b.entity, 100_000_000+b.entity), "status": status,
	}
	switch status {
	case "queued":
		c["river_job_id"] = b.entity
	case "running":
		c["river_job_id"], c["attempt"] = b.entity, 1
	case "held":
		c["river_job_id"], c["stage"], c["hold_reason"], c["next_attempt_at"] = b.entity, "post", "missing_mapping", now.Add(4*time.Minute)
	default:
		c["stage"], c["shop_told"], c["finished_at"], c["told_at"] = "done", "told", now.Add(-600*time.Millisecond), now.Add(-500*time.Millisecond)
	}
	for name, value := range more {
		c[name] = value
	}
	var names, places []string
	var values []any
	for name, value := range c {
		names, values = append(names, name), append(values, value)
		places = append(places, fmt.Sprintf("$%d", len(values)))
	}
	b.exec("INSERT INTO sync_runs ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(places, ", ")+")", values...)
	return c["id"].(uuid.UUID)
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (b *bundle) get(path string) answer {
	b.t.Helper()
	return b.send(http.MethodGet, path, nil)
}

// send makes a request without following redirects.
func (b *bundle) send(method, path string, header map[string]string) answer {
	b.t.Helper()
	return b.sendTo(b.server.URL, method, path, header)
}

// sendTo is send by another way than straight to the server.
func (b *bundle) sendTo(address, method, path string, header map[string]string) answer {
	b.t.Helper()
	req, err := http.NewRequest(method, address+path, nil)
	require.NoError(b.t, err)
	for name, value := range header {
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	switch req.Header.Get("Authorization") {
	case "":
		req.SetBasicAuth("ada", thePassword)
	case anonymous:
		req.Header.Del("Authorization")
	}
	client := loopback.Alone(nil)
	resp, err := client.Do(req)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

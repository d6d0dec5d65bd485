package ingress

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/julienschmidt/httprouter"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/loopback"
	"towpath/pkg/metrics"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/secret"
	"towpath/pkg/shopjwt"
)

const (
	goodBody = `{"magento_entity_id":42,"website_id":1,"store_id":1,"occurred_at":"2026-04-29T10:11:12Z","payload":{"increment_id":"000000042"}}`
	event    = "invoice.created"
)

// door is an ingress over HTTP on a database of its own, with one paired tenant
// that has a xero binding.
type door struct {
	db     *pgxpool.Pool // not the ingress's own where a test broke that
	in     *Ingress
	url    string
	tenant uuid.UUID
	apiKey string
	reg    *prometheus.Registry
	log    *safeBuffer
	box    *secret.Box
}

func setup(t testing.TB, change func(*Config)) *door {
	db := pgtest.New(t)
	d := &door{db: db, tenant: uuid.New(), apiKey: shopjwt.NewAPIKey(), reg: prometheus.NewRegistry(), log: &safeBuffer{}}
	var err error
	d.box, err = secret.ParseKeys("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	require.NoError(t, err)
	d.addTenant(t, d.tenant, d.apiKey)
	d.addBinding(t, d.tenant, "xero", "active")
	cfg := Config{
		Pool: db, Box: d.box, Enqueue: enqueue, Metrics: metrics.New(d.reg, metrics.Options{PerTenant: true}),
		Logger: slog.New(slog.NewJSONHandler(d.log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	d.in, err = New(cfg)
	require.NoError(t, err)
	router := httprouter.New()
	router.NotFound = http.HandlerFunc(d.in.NotFound)
	router.MethodNotAllowed = http.HandlerFunc(d.in.MethodNotAllowed)
	d.in.Register(router)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

// enqueue stores events as the service does.
func enqueue(ctx context.Context, db dbsqlc.DBTX, rows dbsqlc.SyncRunAcceptParams) ([]int64, error) {
	rows.Kind = "fetch_canonical"
	return dbsqlc.New().SyncRunAccept(ctx, db, rows)
}

func (d *door) addTenant(t testing.TB, id uuid.UUID, apiKey string) {
	require.NoError(t, dbsqlc.New().TenantInsert(t.Context(), d.db, dbsqlc.TenantInsertParams{
		ID: id, Name: "shop", MagentoUrl: "https://shop.example", ConnectionStatus: "active",
		ApiKeySealed: d.box.Seal([]byte(apiKey), secret.Place(secret.TenantAPIKey, id.String())),
	}))
}

func (d *door) addBinding(t testing.TB, tenant uuid.UUID, provider, status string) uuid.UUID {
	id, q := uuid.New(), dbsqlc.New()
	require.NoError(t, q.BindingInsert(t.Context(), d.db, dbsqlc.BindingInsertParams{
		ID: id, TenantID: tenant, Provider: provider, Wire: "accounting", ApiUrl: "https://api.example", TokenSealed: []byte{1},
	}))
	require.NoError(t, q.PolicyInsert(t.Context(), d.db, dbsqlc.PolicyInsertParams{BindingID: id, Version: 1, Policy: []byte(`{}`)}))
	switch status {
	case "revoked":
		_, err := q.BindingRevoke(t.Context(), d.db, id)
		require.NoError(t, err)
	case "needs_consent":
		_, err := q.BindingSetStatus(t.Context(), d.db, dbsqlc.BindingSetStatusParams{Status: status, ID: id})
		require.NoError(t, err)
	}
	return id
}

// token is a new one of the tenant.
func (d *door) token(t testing.TB) string {
	token, err := shopjwt.MintShop(d.apiKey, d.tenant.String(), time.Now())
	require.NoError(t, err)
	return token
}

// request is one call; what is empty is as a good shop sends it, "-" leaves a
// header out.
type request struct {
	method, path, token, key, contentType, body string
	header                                      http.Header
	reader                                      io.Reader // instead of body: sent in chunks
}

type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (a answer) code() string { code, _ := a.body["code"].(string); return code }
func (a answer) runID() string {
	id, _ := a.body["sync_run_id"].(string)
	return id
}

func (d *door) send(t testing.TB, q request) answer {
	r := d.request(t, q)
	response, err := loopback.Client.Do(r)
	require.NoError(t, err)
	return readAnswer(t, response)
}

func readAnswer(t testing.TB, response *http.Response) answer {
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	a := answer{status: response.StatusCode, header: response.Header, raw: string(raw)}
	require.NoError(t, json.Unmarshal(raw, &a.body), "%s", raw)
	if a.status >= 400 {
		requireProblem(t, a)
	}
	return a
}

// requireProblem holds for every refusal whatever it is.
func requireProblem(t testing.TB, a answer) {
	require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
	require.Contains(t, codes(), a.code())
	require.Equal(t, "urn:towpath:problem:"+a.code(), a.body["type"])
	require.EqualValues(t, a.status, a.body["status"])
	require.NotEmpty(t, a.body["title"])
	require.NotEmpty(t, a.body["detail"])
	require.Less(t, len(a.raw), 500, "the merchant reads it")
	require.NotEqual(t, http.StatusTooManyRequests, a.status)
	if a.status >= 500 {
		require.Equal(t, http.StatusServiceUnavailable, a.status)
		require.NotEmpty(t, a.header.Get("Retry-After"))
	}
}

func (d *door) request(t testing.TB, q request) *http.Request {
	or := func(value, otherwise string) string {
		if value == "" {
			return otherwise
		}
		return value
	}
	body := q.reader
	if body == nil {
		body = strings.NewReader(or(q.body, goodBody))
	}
	path := or(q.path, "/webhooks/magento/"+d.tenant.String()+"/"+event+"?provider=xero")
	r, err := http.NewRequestWithContext(t.Context(), or(q.method, "POST"), d.url+path, body)
	require.NoError(t, err)
	for name, value := range map[string]string{
		"Content-Type": or(q.contentType, "application/json"), "Idempotency-Key": or(q.key, event+":42"),
	} {
		if value != "-" {
			r.Header.Set(name, value)
		}
	}
	if q.token != "-" {
		if q.token == "" {
			q.token = d.token(t)
		}
		r.Header.Set("Authorization", "Bearer "+q.token)
	}
	for name, values := range q.header {
		r.Header[name] = values
	}
	return r
}

// path is the webhook's for an event, with any query.
func (d *door) path(eventAndQuery string) string {
	return "/webhooks/magento/" + d.tenant.String() + "/" + eventAndQuery
}

func (d *door) count(t testing.TB, query string, args ...any) (n int) {
	require.NoError(t, d.db.QueryRow(t.Context(), query, args...).Scan(&n))
	return n
}

// stored is how many runs, jobs and spent tokens there are.
func (d *door) stored(t testing.TB) [3]int {
	require.Zero(t, d.count(t, `SELECT count(*) FROM run_queue_mismatch`))
	return [3]int{
		d.count(t, `SELECT count(*) FROM sync_runs`),
		d.count(t, `SELECT count(*) FROM river.river_job`),
		d.count(t, `SELECT count(*) FROM spent_jtis`),
	}
}

// metric is the value of a series, such as `webhook_refusals_total`, `reason=x`.
func (d *door) metric(t testing.TB, name string, labels ...string) float64 {
	families, err := d.reg.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			matched := 0
			for _, l := range m.GetLabel() {
				for _, want := range labels {
					if l.GetName()+"="+l.GetValue() == want {
						matched++
					}
				}
			}
			if family.GetName() == "towpath_"+name && matched == len(labels) {
				if m.Histogram != nil {
					return float64(m.Histogram.GetSampleCount())
				}
				return m.GetCounter().GetValue()
			}
		}
	}
	return -1
}

// safeBuffer is a log that handlers write to while a test reads.
type safeBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

package riverjobs_test

import (
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/metrics"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent"
	"towpath/pkg/provider/freeagent/freeagentsim"
	"towpath/pkg/provider/xero"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/quota"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

// TestMain lets more tests run at once than there are processors: they spend
// their time waiting for retries and polls. A process that was started by
// kill_test.go is a worker instead.
func TestMain(m *testing.M) {
	if url := os.Getenv(workerURL); url != "" {
		workUntilKilled(url)
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	pgtest.Main(m)
}

const (
	orgID  = "11111111-2222-4333-8444-555555555555"
	apiKey = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
)

// bundle is a database with one paired shop bound to one simulated ledger, both
// over real HTTP.
type bundle struct {
	url     string
	pool    *pgxpool.Pool
	shop    *magentosim.Shop
	xero    *xerosim.Sim         // wire accounting
	v2      *freeagentsim.Server // wire v2
	ledger  ledgerSim            // the one of the two that is bound
	tenant  dbsqlc.Tenant
	binding uuid.UUID
	insert  *riverjobs.Client
	op      *riverjobs.Operator
}

// setup binds the shop to Xero's accounting wire.
func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{xero: xerosim.New(xerosim.Config{OrgID: orgID})}
	b.ledger = xeroSim{b.xero}
	b.bind(t, "accounting", serve(t, b.xero), samplePolicy())
	return b
}

// setupV2 binds it to wire v2, on a ledger that refuses neither a second contact
// with one e-mail nor a second document with one number: there only our own care
// keeps them from being.
func setupV2(t *testing.T) *bundle {
	t.Helper()
	return setupV2On(t, freeagentsim.RealFreeAgent(freeagentsim.Config{DuplicateReferences: true}))
}

// setupV2Unique binds it to wire v2 on a ledger that refuses both. Only such a
// one, like Xero, can stop a process that is given up for dead, hangs between
// T3 and its call, and makes the call after all.
func setupV2Unique(t *testing.T) *bundle {
	t.Helper()
	return setupV2On(t, freeagentsim.Config{})
}

func setupV2On(t *testing.T, cfg freeagentsim.Config) *bundle {
	t.Helper()
	b := &bundle{v2: freeagentsim.New(cfg)}
	b.ledger = v2Sim{b.v2}
	url := serve(t, b.v2)
	p, category := samplePolicy(), url+"/v2/categories/001"
	p.V2IncomeCategoryURL = &category
	b.bind(t, "v2", url, p)
	return b
}

// serve answers over real HTTP until the test ends.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections) // calls that hang do not hold up the end
	return server.URL
}

// bind makes database, shop, tenant and binding.
func (b *bundle) bind(t *testing.T, wire, ledgerURL string, p policy.Policy) {
	t.Helper()
	ctx := t.Context()
	if b.shop = magentosim.New(magentosim.Config{}); b.url == "" {
		b.url = pgtest.URL(t)
	}
	b.pool = openPool(t, b.url)
	t.Cleanup(b.pool.Close)
	tenantID := uuid.New()
	b.binding = uuid.New()
	b.shop.Connect(tenantID.String(), apiKey, "http://127.0.0.1:1")
	queries := dbsqlc.New()
	require.NoError(t, queries.TenantInsert(ctx, b.pool, dbsqlc.TenantInsertParams{
		ID: tenantID, Name: "Test shop", MagentoUrl: serve(t, b.shop), ApiKeySealed: []byte(apiKey), ConnectionStatus: "active",
	}))
	var err error
	b.tenant, err = queries.TenantGet(ctx, b.pool, tenantID)
	require.NoError(t, err)
	require.NoError(t, queries.BindingInsert(ctx, b.pool, dbsqlc.BindingInsertParams{
		ID: b.binding, TenantID: tenantID, Provider: "xero", Wire: wire, ApiUrl: ledgerURL, OrgID: orgID,
	}))
	b.setPolicy(t, 1, p)
	b.insert, err = riverjobs.NewInserter(b.pool, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	b.op = &riverjobs.Operator{Pool: b.pool, Client: b.insert, Who: "test"}
}

func openPool(t require.TestingT, url string) *pgxpool.Pool {
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	cfg.MaxConns = 8
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(t, err)
	return pool
}

func samplePolicy() policy.Policy {
	p := policy.Default()
	p.RevenueAccountCode = "200"
	p.TaxRateMap = map[string]string{"20.00": "OUTPUT2", "5.00": "RROUTPUT", "0.00": "ZERORATEDOUTPUT"}
	return p
}

// setPolicy stores a version and makes it the binding's.
func (b *bundle) setPolicy(t *testing.T, version int32, p policy.Policy) {
	t.Helper()
	queries := dbsqlc.New()
	require.NoError(t, queries.PolicyInsert(t.Context(), b.pool, dbsqlc.PolicyInsertParams{BindingID: b.binding, Version: version, Policy: policy.Encode(p)}))
	require.NoError(t, queries.BindingSetPolicyVersion(t.Context(), b.pool, dbsqlc.BindingSetPolicyVersionParams{ID: b.binding, PolicyVersion: version}))
}

// config is a worker's, against the shop and the ledger that the rows name.
func config(pool *pgxpool.Pool, callTimeout time.Duration) riverjobs.Config {
	client := outbound.New(outbound.Config{AllowPrivate: true, Timeout: callTimeout})
	token := func(context.Context) (string, error) { return "token", nil }
	return riverjobs.Config{
		Pool:    pool,
		Metrics: metrics.New(prometheus.NewRegistry(), metrics.Options{}),
		Logger:  slog.New(slog.DiscardHandler),
		Now:     time.Now,
		BaseURL: "https://towpath.example",
		Workers: 8, SoftStop: 20 * time.Second,
		Limits: quota.Limits{PerMinute: 10_000, AtOnce: 5}, // the provider's own are budget_test.go's
		Shops: func(tenant dbsqlc.Tenant) (riverjobs.Shop, error) {
			return magento.New(magento.Config{BaseURL: tenant.MagentoUrl, TenantID: tenant.ID.String(), APIKey: string(tenant.ApiKeySealed), HTTP: client})
		},
		Ledgers: func(binding dbsqlc.Binding, permit provider.Permit) (riverjobs.Ledger, error) {
			if binding.Wire == "v2" {
				return freeagent.New(freeagent.Config{BaseURL: binding.ApiUrl, HTTP: client, Token: token, Permit: permit})
			}
			return xero.New(xero.Config{BaseURL: binding.ApiUrl, OrgID: binding.OrgID, Shop: binding.TenantID.String(), HTTP: client, Token: token, Permit: permit})
		},
	}
}

// worker is a worker process inside the test's.
type worker struct {
	id     string
	stop   func() // gives running jobs back, then leaves
	drain  func() // waits for running jobs, then leaves
	unlock func() // lets go of the process's lock: to the others it is dead
}

// work starts a worker process; it stops at the test's end at the latest.
func (b *bundle) work(t *testing.T, change ...func(*riverjobs.Config)) worker {
	t.Helper()
	cfg := config(b.pool, 10*time.Second)
	for _, c := range change {
		c(&cfg)
	}
	process, err := riverjobs.Join(t.Context(), pgdb.Config{URL: b.url}, cfg.Logger)
	require.NoError(t, err)
	client, err := riverjobs.NewWorker(b.pool, process.ID, cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		process.Run(ctx)
	}()
	w := worker{id: process.ID, unlock: func() {
		cancel()
		<-done
	}}
	leave := func(leave func(context.Context) error) func() {
		return sync.OnceFunc(func() {
			stopping, stop := context.WithTimeout(context.Background(), 30*time.Second)
			defer stop()
			_ = leave(stopping)
			w.unlock()
		})
	}
	w.stop, w.drain = leave(client.StopAndCancel), leave(client.Stop)
	t.Cleanup(w.stop)
	require.NoError(t, client.Start(context.Background()))
	return w
}

// callTimeout bounds each call of a worker.
func callTimeout(d time.Duration) func(*riverjobs.Config) {
	return func(cfg *riverjobs.Config) {
		other := config(cfg.Pool, d)
		cfg.Shops, cfg.Ledgers = other.Shops, other.Ledgers
	}
}

// firstDelay makes retries come quicker.
func firstDelay(d time.Duration) func(*riverjobs.Config) {
	return func(cfg *riverjobs.Config) { cfg.FirstDelay = d }
}

// raise makes an invoice of the named sample at the shop and accepts its event,
// as the ingress does.
func (b *bundle) raise(t *testing.T, sample string) (magentosim.Invoice, uuid.UUID) {
	t.Helper()
	inv, err := b.shop.RaiseCanonical(canontest.Named(t, sample).Raw)
	require.NoError(t, err)
	return inv, b.accept(t, "invoice.created", inv.ID)
}

func (b *bundle) accept(t *testing.T, event string, id int64) uuid.UUID {
	t.Helper()
	binding, err := dbsqlc.New().BindingGet(t.Context(), b.pool, b.binding)
	require.NoError(t, err)
	var accepted []syncrun.Accepted
	require.NoError(t, pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
		var err error
		accepted, err = syncrun.Accept(t.Context(), tx, riverjobs.Enqueue, []syncrun.Event{{
			TenantID: b.tenant.ID, BindingID: b.binding, PolicyVersion: binding.PolicyVersion, Name: event, EntityID: id,
			OccurredAt: time.Now(), IdempotencyKey: event + ":" + uuid.NewString(), Body: json.RawMessage("{}"),
			JTI: uuid.NewString(), JTIExpiresAt: time.Now().Add(time.Minute),
		}})
		return err
	}))
	return accepted[0].RunID
}

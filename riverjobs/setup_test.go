package riverjobs_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
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
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/policy"
	"towpath/pkg/provider/xero"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	orgID  = "11111111-2222-4333-8444-555555555555"
	apiKey = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
)

// bundle is a database with one paired shop bound to one simulated Xero, both
// over real HTTP.
type bundle struct {
	url     string
	pool    *pgxpool.Pool
	shop    *magentosim.Shop
	xero    *xerosim.Sim
	tenant  dbsqlc.Tenant
	binding uuid.UUID
	insert  *riverjobs.Client
	op      *riverjobs.Operator
	shopURL string
	xeroURL string
}

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx := t.Context()
	b := &bundle{url: pgtest.URL(t), shop: magentosim.New(magentosim.Config{}), xero: xerosim.New(xerosim.Config{OrgID: orgID})}
	var err error
	b.pool, err = pgxpool.New(ctx, b.url)
	require.NoError(t, err)
	t.Cleanup(b.pool.Close)
	shopServer, xeroServer := httptest.NewServer(b.shop), httptest.NewServer(b.xero)
	t.Cleanup(shopServer.Close)
	t.Cleanup(xeroServer.Close)
	b.shopURL, b.xeroURL = shopServer.URL, xeroServer.URL

	tenantID := uuid.New()
	b.binding = uuid.New()
	b.shop.Connect(tenantID.String(), apiKey, "http://127.0.0.1:1")
	queries := dbsqlc.New()
	require.NoError(t, queries.TenantInsert(ctx, b.pool, dbsqlc.TenantInsertParams{
		ID: tenantID, Name: "Test shop", MagentoUrl: shopServer.URL, ApiKeySealed: []byte(apiKey), ConnectionStatus: "active",
	}))
	b.tenant, err = queries.TenantGet(ctx, b.pool, tenantID)
	require.NoError(t, err)
	require.NoError(t, queries.BindingInsert(ctx, b.pool, dbsqlc.BindingInsertParams{
		ID: b.binding, TenantID: tenantID, Provider: "xero", Wire: "accounting", ApiUrl: xeroServer.URL, OrgID: orgID,
	}))
	b.setPolicy(t, 1, samplePolicy())

	b.insert, err = riverjobs.NewInserter(b.pool, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	b.op = &riverjobs.Operator{Pool: b.pool, Client: b.insert, Who: "test"}
	return b
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

// config is a worker's, against the bundle's shop and Xero.
func (b *bundle) config() riverjobs.Config {
	client := outbound.New(outbound.Config{AllowPrivate: true, Timeout: 10 * time.Second})
	return riverjobs.Config{
		Pool:    b.pool,
		Metrics: metrics.New(prometheus.NewRegistry(), metrics.Options{}),
		Logger:  slog.New(slog.DiscardHandler),
		Now:     time.Now,
		BaseURL: "https://towpath.example",
		Workers: 8, SoftStop: time.Second,
		Shops: func(tenant dbsqlc.Tenant) (riverjobs.Shop, error) {
			return magento.New(magento.Config{BaseURL: tenant.MagentoUrl, TenantID: tenant.ID.String(), APIKey: string(tenant.ApiKeySealed), HTTP: client})
		},
		Ledgers: func(binding dbsqlc.Binding) (riverjobs.Ledger, error) {
			return xero.New(xero.Config{BaseURL: binding.ApiUrl, OrgID: binding.OrgID, HTTP: client,
				Token: func(context.Context) (string, error) { return "token", nil }})
		},
	}
}

// work starts the workers and stops them at the test's end.
func (b *bundle) work(t *testing.T, change ...func(*riverjobs.Config)) *riverjobs.Client {
	t.Helper()
	cfg := b.config()
	for _, c := range change {
		c(&cfg)
	}
	process, err := riverjobs.Join(t.Context(), b.url, cfg.Logger)
	require.NoError(t, err)
	client, err := riverjobs.NewWorker(b.pool, process.ID, cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		process.Run(ctx)
	}()
	require.NoError(t, client.Start(ctx))
	t.Cleanup(func() {
		stopping, stop := context.WithTimeout(context.Background(), 20*time.Second)
		defer stop()
		_ = client.StopAndCancel(stopping)
		cancel()
		<-done
	})
	return client
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
		accepted, err = syncrun.Accept(t.Context(), tx, riverjobs.Enqueue(b.insert), []syncrun.Event{{
			TenantID: b.tenant.ID, BindingID: b.binding, PolicyVersion: binding.PolicyVersion, Name: event, EntityID: id,
			OccurredAt: time.Now(), IdempotencyKey: event + ":" + uuid.NewString(), Body: json.RawMessage("{}"),
			JTI: uuid.NewString(), JTIExpiresAt: time.Now().Add(time.Minute),
		}})
		return err
	}))
	return accepted[0].RunID
}

// run reads a run.
func (b *bundle) run(t *testing.T, id uuid.UUID) dbsqlc.SyncRun {
	t.Helper()
	run, err := dbsqlc.New().SyncRunGet(t.Context(), b.pool, id)
	require.NoError(t, err)
	return run
}

// until waits for the run to meet the condition; it asks the database often
// instead of guessing how long anything takes.
func (b *bundle) until(t *testing.T, id uuid.UUID, condition func(dbsqlc.SyncRun) bool) dbsqlc.SyncRun {
	t.Helper()
	var run dbsqlc.SyncRun
	require.Eventually(t, func() bool {
		run = b.run(t, id)
		return condition(run)
	}, 40*time.Second, 10*time.Millisecond, "run %s", id)
	return run
}

func told(run dbsqlc.SyncRun) bool { return run.ShopTold != nil && *run.ShopTold == "told" }

// noMismatch asserts promise 1.
func (b *bundle) noMismatch(t *testing.T) {
	t.Helper()
	rows, err := dbsqlc.New().RunQueueMismatchList(t.Context(), b.pool)
	require.NoError(t, err)
	require.Empty(t, rows)
}

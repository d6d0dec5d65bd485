package retention_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/retention"
	"towpath/pkg/verify"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const day = 24 * time.Hour

type bundle struct {
	pool            *pgxpool.Pool
	registry        *prometheus.Registry
	keeper          *retention.Keeper
	tenant, binding uuid.UUID
	n               int
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{pool: pgtest.New(t), registry: prometheus.NewRegistry(), tenant: uuid.New(), binding: uuid.New()}
	b.keeper = &retention.Keeper{Pool: b.pool, After: 400 * day, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Metrics: metrics.New(b.registry, metrics.Options{})}
	b.exec(t, `INSERT INTO tenants (id, name, magento_url, api_key_sealed) VALUES ($1, 'Acme', 'https://shop.example', 'x')`, b.tenant)
	b.exec(t, `INSERT INTO bindings (id, tenant_id, provider, wire, api_url) VALUES ($1, $2, 'xero', 'accounting', 'https://api.xero.com')`, b.binding, b.tenant)
	b.exec(t, `INSERT INTO policies (binding_id, version, policy) VALUES ($1, 1, '{}')`, b.binding)
	return b
}

func (b *bundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

// ada is in every text of a run that may hold what is personal.
const ada = "ada.lovelace@example.org"

// ended stores a run about a person that ended so long ago; in lane, or in one of its own.
func (b *bundle) ended(t *testing.T, ago time.Duration, lane string) uuid.UUID {
	t.Helper()
	b.n++
	id, number := uuid.New(), fmt.Sprintf("%09d", b.n)
	if lane == "" {
		lane = "invoice:" + number
	}
	b.exec(t, `INSERT INTO sync_runs (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id, idempotency_key, dedupe_key, lane,
			occurred_at, received_at, body, canonical, decision, document, error_message, error_detail, status, stage, finished_at, shop_told, provider_entity_id, provider_reference)
		VALUES ($1, $2, $3, 1, 'invoice.created', 'invoice', $4, $5, $5, $6, now(), now() - $7::interval, $8::json, $9::json, $10, $11, $12, $12, 'succeeded', 'done', now() - $7::interval, 'told', $5, $5)`,
		id, b.tenant, b.binding, b.n, number, lane, ago,
		`{"payload":{"increment_id":"`+number+`","email":"`+ada+`"}}`,
		`{"increment_id":"`+number+`","order_increment_id":"W-`+number+`","store_id":3,"grand_total":119.00,"customer":{"email":"`+ada+`"}}`,
		`{"action":"post","reason":"","rules":[{"name":"store_filter","hit":false,"text":"`+ada+`"}],"invoice":{"email":"`+ada+`"}}`,
		`{"number":"M-1","contact_id":"c-1","currency":"GBP","total":"119","body":{"Contact":"`+ada+`"},"notes":["`+ada+`"]}`,
		"refused: "+ada)
	b.exec(t, `INSERT INTO run_search VALUES ($1, now(), $2, $3, '119.00', 'GBP', array_to_tsvector(ARRAY[$2, 'w-' || $2, $3, '119.00']))`, id, number, ada)
	b.exec(t, `INSERT INTO sync_run_events (run_id, step, to_status, why) VALUES ($1, 'post', 'queued', $2), ($1, 'fetch', 'running', 'canonical stored, to be posted'),
		($1, 'post', 'succeeded', 'posted M-1')`, id, "the ledger says: "+ada)
	b.exec(t, `INSERT INTO run_calls (run_id, attempt, calls) VALUES ($1, 1, $2)`, id, `[{"method":"PUT","sent":{"EmailAddress":"`+ada+`"}}]`)
	b.exec(t, `INSERT INTO entity_xref (tenant_id, provider, org_key, entity_type, shop_id, provider_id, run_id)
		SELECT $1, 'xero', org_key, 'invoice', $2::text, $3, $4 FROM bindings WHERE id = $5`, b.tenant, fmt.Sprint(b.n), number, id, b.binding)
	return id
}

func (b *bundle) run(t *testing.T, id uuid.UUID) dbsqlc.SyncRun {
	t.Helper()
	run, err := dbsqlc.New().SyncRunGet(t.Context(), b.pool, id)
	require.NoError(t, err)
	return run
}

// named are the tables that have a row in which somebody's address stands.
func (b *bundle) named(t *testing.T, what string) []string {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), `SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('public', 'river') ORDER BY 1`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	found := []string{}
	for _, table := range tables {
		var n int
		require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT count(*) FROM `+table+` AS one WHERE position($1 IN one::text) > 0`, what).Scan(&n))
		if n > 0 {
			found = append(found, table)
		}
	}
	return found
}

func (b *bundle) step(t *testing.T) time.Duration {
	t.Helper()
	pause, err := b.keeper.Step(t.Context())
	require.NoError(t, err)
	return pause
}

func Test_What_is_personal_goes_and_what_history_links_and_the_law_need_stays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old, young := b.ended(t, 401*day, ""), b.ended(t, 399*day, "")
	require.Equal(t, []string{"public.run_calls", "public.run_search", "public.sync_run_events", "public.sync_runs"}, b.named(t, ada))
	b.step(t)
	require.Nil(t, b.run(t, young).BlankedAt)
	require.NotEmpty(t, b.run(t, young).Canonical)

	b.keeper.After = 390 * day
	b.step(t)
	require.Empty(t, b.named(t, ada), "nowhere in the database, River's tables among them")
	run := b.run(t, old)
	require.NotNil(t, run.BlankedAt)
	require.Equal(t, retention.Who, *run.BlankedBy)
	require.Empty(t, run.Canonical)
	require.Contains(t, string(run.Body), `"increment_id" : "000000001"`, "the number, where search and gaps look for it")
	require.Contains(t, string(run.Body), `"store_id" : 3`)
	require.JSONEq(t, `{"blanked":true,"number":"M-1","contact_id":"c-1","currency":"GBP","total":"119","body":{"blanked":true}}`, string(run.Document))
	require.JSONEq(t, `{"blanked":true,"action":"post","reason":"","rules":[{"name":"store_filter","hit":false}]}`, string(run.Decision))
	require.Equal(t, "blanked", *run.ErrorMessage)
	var terms, amount string
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT terms::text, amount FROM run_search WHERE run_id = $1`, old).Scan(&terms, &amount))
	require.Equal(t, `'000000001' '119.00' 'w-000000001'`, terms)
	events, err := dbsqlc.New().SyncRunEventList(t.Context(), b.pool, old)
	require.NoError(t, err)
	require.Equal(t, []string{"blanked", "canonical stored, to be posted", "posted M-1"}, []string{events[0].Why, events[1].Why, events[2].Why})
	require.Equal(t, 2.0, testutil.ToFloat64(counter(t, b.registry, "towpath_runs_blanked_total")))

	findings, err := verify.Look{}.Check(t.Context(), b.pool)
	require.NoError(t, err)
	for _, f := range findings {
		require.Zero(t, f.Broken, "%s: %v %s", f.Name, f.Samples, f.Error)
	}
	b.exec(t, `UPDATE sync_runs SET document = document || '{"total": 118}' WHERE id = $1`, old)
	findings, err = verify.Look{}.Check(t.Context(), b.pool)
	require.NoError(t, err)
	for _, f := range findings {
		require.Equal(t, f.Name == "exact_totals", f.Broken == 1, "of a blanked run the totals are still compared: %s", f.Name)
	}
}

// counter is a metric of the registry without labels.
func counter(t *testing.T, registry *prometheus.Registry, name string) prometheus.Collector {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			c := prometheus.NewCounter(prometheus.CounterOpts{Name: name})
			c.Add(f.GetMetric()[0].GetCounter().GetValue())
			return c
		}
	}
	t.Fatalf("no metric %s", name)
	return nil
}

func Test_Nothing_is_blanked_before_its_end_nor_while_a_run_of_its_lane_is_open(t *testing.T) {
	t.Parallel()
	b := setup(t)
	invoice, held := b.ended(t, 900*day, "invoice:7"), b.ended(t, 900*day, "invoice:7")
	b.exec(t, `UPDATE sync_runs SET status = 'held', stage = 'post', hold_reason = 'period_locked', finished_at = NULL, shop_told = NULL, river_job_id = 1 WHERE id = $1`, held)
	b.step(t)
	require.Nil(t, b.run(t, held).BlankedAt)
	require.Nil(t, b.run(t, invoice).BlankedAt, "what is held may be about it")
	b.exec(t, `UPDATE sync_runs SET status = 'cancelled', stage = 'done', hold_reason = NULL, finished_at = now(), shop_told = 'told', river_job_id = NULL WHERE id = $1`, held)
	b.step(t)
	require.NotNil(t, b.run(t, invoice).BlankedAt)
	require.Nil(t, b.run(t, held).BlankedAt, "the time counts from the end, not from the arrival")
}

func Test_The_keeper_goes_on_set_by_set_and_lets_others_go_first(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 25 {
		b.ended(t, 500*day, "")
	}
	left := func() (n int) {
		require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT count(*) FROM sync_runs WHERE blanked_at IS NULL`).Scan(&n))
		return n
	}
	for name, hold := range map[string]func(tx pgx.Tx) error{
		"another process": func(tx pgx.Tx) error {
			return exec(tx, `SELECT pg_advisory_xact_lock(844322, 1)`)
		},
		"rows that somebody is at": func(tx pgx.Tx) error { return exec(tx, `SELECT FROM sync_runs FOR UPDATE`) },
	} {
		require.NoError(t, pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
			require.NoError(t, hold(tx))
			b.step(t)
			require.Equal(t, 25, left(), name)
			return nil
		}))
	}
	b.exec(t, `INSERT INTO river.river_job (kind, args, max_attempts, queue, state, scheduled_at) VALUES ('other', '{}', 1, 'default', 'available', now() - interval '1 minute')`)
	b.step(t)
	require.Equal(t, 25, left(), "jobs that are due wait")
	b.exec(t, `DELETE FROM river.river_job`)
	b.exec(t, `INSERT INTO run_search_fill VALUES (now(), $1)`, uuid.New())
	b.step(t)
	require.Equal(t, 25, left(), "runs are still being added to the search")
	b.exec(t, `DELETE FROM run_search_fill`)

	cfg := b.pool.Config()
	cfg.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	standby, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	defer standby.Close()
	idle := *b.keeper
	idle.Pool = standby
	_, err = idle.Step(t.Context())
	require.NoError(t, err, "a server that takes no writes is no error")
	require.Equal(t, 25, left())

	for n := 0; left() > 0; n++ {
		require.Less(t, n, 25, "each step does its part")
		b.step(t)
	}
}

func exec(tx pgx.Tx, sql string) error {
	_, err := tx.Exec(context.Background(), sql)
	return err
}

func Test_Prune_says_beforehand_what_goes_and_notes_who_did_it(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.ended(t, 100*day, "")
	b.ended(t, 10*day, "")
	before := time.Now().Add(-50 * day)
	tables, err := retention.Measure(t.Context(), b.pool, before, func(int64) {})
	require.NoError(t, err)
	require.EqualValues(t, []int64{1, 1, 1}, []int64{tables[0].Rows, tables[1].Rows, tables[2].Rows})
	require.Positive(t, tables[0].Bytes)
	done, err := retention.Prune(t.Context(), b.pool, before, "cli:grace", func(retention.Blanked) {})
	require.NoError(t, err)
	require.Equal(t, retention.Blanked{Runs: 1, Bytes: tables[0].Bytes}, done)
	events, err := dbsqlc.New().SyncRunEventList(t.Context(), b.pool, old)
	require.NoError(t, err)
	last := events[len(events)-1]
	require.Equal(t, "blank", last.Step)
	require.Equal(t, "cli:grace", *last.Who)
	require.Contains(t, last.Why, "ended before ")
	done, err = retention.Prune(t.Context(), b.pool, before, "cli:grace", func(retention.Blanked) {})
	require.NoError(t, err)
	require.Zero(t, done.Runs)
}

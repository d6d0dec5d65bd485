package backfill_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/backfill"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/policy"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// bundle is a binding, and the queue as the commands see it.
type bundle struct {
	pool            *pgxpool.Pool
	tenant, binding uuid.UUID
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{pool: pgtest.New(t), tenant: uuid.New(), binding: uuid.New()}
	queries := dbsqlc.New()
	require.NoError(t, queries.TenantInsert(t.Context(), b.pool, dbsqlc.TenantInsertParams{
		ID: b.tenant, Name: "Test", MagentoUrl: "https://shop.example", ApiKeySealed: []byte("sealed"), ConnectionStatus: "active",
	}))
	require.NoError(t, queries.BindingInsert(t.Context(), b.pool, dbsqlc.BindingInsertParams{
		ID: b.binding, TenantID: b.tenant, Provider: "xero", Wire: "accounting", ApiUrl: "https://xero.example",
	}))
	require.NoError(t, queries.PolicyInsert(t.Context(), b.pool, dbsqlc.PolicyInsertParams{
		BindingID: b.binding, Version: 1, Policy: policy.Encode(policy.Default()),
	}))
	return b
}

func (b *bundle) request(t *testing.T, event, ids string) backfill.Request {
	t.Helper()
	parsed, err := backfill.ParseIDs(ids)
	require.NoError(t, err)
	return backfill.Request{Pool: b.pool, Enqueue: riverjobs.Enqueue, BindingID: b.binding, Event: event, IDs: parsed, Who: "cli:ada"}
}

// run asks, and answers what it was told after each set.
func (b *bundle) run(t *testing.T, r backfill.Request) (runs []uuid.UUID, steps []backfill.Counts) {
	t.Helper()
	runs, counts, err := r.Run(t.Context(), func(c backfill.Counts) { steps = append(steps, c) })
	require.NoError(t, err)
	require.Equal(t, counts, steps[len(steps)-1])
	return runs, steps
}

// fromShop is an event as the ingress accepts it.
func (b *bundle) fromShop(t *testing.T, e syncrun.Event) syncrun.Accepted {
	t.Helper()
	e.TenantID, e.BindingID, e.PolicyVersion, e.Body = b.tenant, b.binding, 1, []byte(`{}`)
	e.JTI, e.JTIExpiresAt = uuid.NewString(), time.Now().Add(time.Hour)
	var accepted []syncrun.Accepted
	require.NoError(t, pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) (err error) {
		accepted, err = syncrun.Accept(t.Context(), tx, riverjobs.Enqueue, []syncrun.Event{e})
		return err
	}))
	return accepted[0]
}

func (b *bundle) count(t *testing.T, query string) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), query).Scan(&n))
	return n
}

func Test_Ids_become_runs_behind_what_happens_now(t *testing.T) {
	t.Parallel()
	b := setup(t)
	runs, steps := b.run(t, b.request(t, "invoice.created", "1-249,7001"))
	require.Equal(t, []backfill.Counts{{Accepted: 100}, {Accepted: 200}, {Accepted: 250}}, steps)
	require.Len(t, runs, 250)
	require.Equal(t, 250, b.count(t, `SELECT count(*) FROM sync_runs AS run JOIN river.river_job AS job ON job.id = run.river_job_id
		WHERE job.priority = 2 AND job.kind = 'fetch_canonical' AND run.backfill AND run.status = 'queued' AND run.policy_version = 1
			AND run.idempotency_key = 'invoice.created:' || run.magento_entity_id AND run.lane = 'invoice:' || run.magento_entity_id`))
	require.Equal(t, 250, b.count(t, "SELECT count(*) FROM sync_run_events WHERE step = 'accept' AND who = 'cli:ada'"))
	require.Zero(t, b.count(t, "SELECT count(*) FROM spent_jtis"))
	require.Zero(t, b.count(t, "SELECT count(*) FROM run_queue_mismatch"))
}

func Test_What_is_known_adds_nothing(t *testing.T) {
	t.Parallel()
	for _, event := range syncrun.Events() {
		t.Run(event, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			shops := b.fromShop(t, syncrun.Event{Name: event, EntityID: 3, IdempotencyKey: event + ":3", OccurredAt: time.Now()})
			runs, steps := b.run(t, b.request(t, event, "1-5"))
			require.Equal(t, []backfill.Counts{{Accepted: 4, Known: 1}}, steps)
			require.Contains(t, runs, shops.RunID)
			again, steps := b.run(t, b.request(t, event, "1-6"))
			require.Equal(t, []backfill.Counts{{Accepted: 1, Known: 5}}, steps)
			require.Subset(t, again, runs)
			require.Equal(t, 6, b.count(t, "SELECT count(*) FROM sync_runs JOIN river.river_job ON river_job.id = river_job_id"))
		})
	}
}

func Test_A_credit_memo_belongs_to_the_store_that_is_named(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.request(t, "creditmemo.created", "9")
	r.StoreID = 3
	b.run(t, r)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM sync_runs WHERE store_id = 3 AND lane = 'creditmemo:9'"))
}

func Test_What_the_shop_sends_later_is_a_repeat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	runs, _ := b.run(t, b.request(t, "invoice.created", "7"))
	later := b.fromShop(t, syncrun.Event{Name: "invoice.created", EntityID: 7, IdempotencyKey: "invoice.created:7", OccurredAt: time.Now()})
	require.Equal(t, syncrun.Accepted{RunID: runs[0], Replayed: true}, later)
}

func Test_A_look_counts_and_writes_nothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(t, b.request(t, "invoice.created", "2-3"))
	counts, err := b.request(t, "invoice.created", "1-10").Look(t.Context())
	require.NoError(t, err)
	require.Equal(t, backfill.Counts{Accepted: 8, Known: 2}, counts)
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM sync_runs"))
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM river.river_job"))
}

func Test_Broken_off_it_goes_on_where_it_was(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, counts, err := b.request(t, "invoice.created", "1-300").Run(ctx, func(backfill.Counts) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, backfill.Counts{Accepted: 100}, counts)
	require.Equal(t, 100, b.count(t, "SELECT count(*) FROM sync_runs"))
	_, steps := b.run(t, b.request(t, "invoice.created", "1-300"))
	require.Equal(t, []backfill.Counts{{Known: 100}, {Accepted: 100, Known: 100}, {Accepted: 200, Known: 100}}, steps)
}

func Test_A_set_whose_jobs_fail_is_not_there(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.request(t, "invoice.created", "1-150")
	r.Enqueue = func(ctx context.Context, db dbsqlc.DBTX, rows dbsqlc.SyncRunAcceptParams) ([]int64, error) {
		if len(rows.ID) < 100 {
			return nil, errors.New("no more")
		}
		return riverjobs.Enqueue(ctx, db, rows)
	}
	_, counts, err := r.Run(t.Context(), func(backfill.Counts) {})
	require.ErrorContains(t, err, "accept invoice.created 101 to 150: store 50 events: no more")
	require.Equal(t, backfill.Counts{Accepted: 100}, counts)
	require.Equal(t, 100, b.count(t, "SELECT count(*) FROM sync_runs"))
}

func Test_Begun_anew_when_the_shop_sends_the_same_meanwhile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.request(t, "invoice.created", "1-3")
	var theirs syncrun.Accepted
	r.Enqueue = func(ctx context.Context, db dbsqlc.DBTX, rows dbsqlc.SyncRunAcceptParams) ([]int64, error) {
		if theirs.RunID == uuid.Nil { // it is committed after we looked, and before we insert
			theirs = b.fromShop(t, syncrun.Event{Name: "invoice.created", EntityID: 2, IdempotencyKey: "invoice.created:2", OccurredAt: time.Now()})
		}
		return riverjobs.Enqueue(ctx, db, rows)
	}
	runs, steps := b.run(t, r)
	require.Equal(t, []backfill.Counts{{Accepted: 2, Known: 1}}, steps)
	require.Contains(t, runs, theirs.RunID)
	require.Equal(t, 3, b.count(t, "SELECT count(*) FROM river.river_job"))
}

func Test_Nothing_through_a_revoked_binding(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := dbsqlc.New().BindingRevoke(t.Context(), b.pool, b.binding)
	require.NoError(t, err)
	_, _, err = b.request(t, "invoice.created", "1").Run(t.Context(), func(backfill.Counts) {})
	require.ErrorIs(t, err, backfill.ErrRevoked)
	require.Zero(t, b.count(t, "SELECT count(*) FROM sync_runs"))
}

func Test_A_payment_whose_time_nobody_knows_is_dated_by_its_invoice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(t, b.request(t, "invoice.paid", "1"))
	known := b.request(t, "invoice.paid", "2")
	known.OccurredAt = time.Date(2026, 4, 29, 10, 0, 0, 0, time.UTC)
	b.run(t, known)
	b.run(t, b.request(t, "invoice.created", "1"))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM sync_runs WHERE magento_entity_id = 1 AND event = 'invoice.paid' AND occurred_at = 'epoch'"))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM sync_runs WHERE magento_entity_id = 2 AND occurred_at = '2026-04-29T10:00:00Z'"))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM sync_runs WHERE event = 'invoice.created' AND occurred_at > now() - interval '1 hour'"))
}

func Test_Runs_are_followed_until_all_have_ended(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.request(t, "invoice.created", "1-4")
	runs, _ := b.run(t, r)
	end := func(run uuid.UUID, status string) {
		_, err := b.pool.Exec(t.Context(), "UPDATE sync_runs SET status = $2, stage = 'done', river_job_id = NULL, finished_at = now() WHERE id = $1", run, status)
		require.NoError(t, err)
	}
	end(runs[0], "succeeded")
	var told []map[string]int64
	require.NoError(t, r.Follow(t.Context(), runs, time.Millisecond, func(now map[string]int64) {
		if told = append(told, now); len(told) == 1 {
			end(runs[1], "failed")
			end(runs[2], "succeeded")
			end(runs[3], "skipped_by_policy")
		}
	}))
	require.Equal(t, []map[string]int64{{"succeeded": 1, "queued": 3}, {"succeeded": 2, "failed": 1, "skipped_by_policy": 1}}, told)
}

func Test_Following_ends_when_it_is_broken_off(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.request(t, "invoice.created", "1")
	runs, _ := b.run(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, r.Follow(ctx, runs, time.Hour, func(map[string]int64) { cancel() }), context.Canceled)
}

package riverjobs_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/pgdb"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

const (
	now      = time.Duration(0)
	longAgo  = 2 * time.Hour // of an event that is backfill
	fetching = "fetch_canonical"
	posting  = "post_invoice"
)

func Test_Share(t *testing.T) {
	t.Parallel()

	for name, want := range map[string]struct {
		age  time.Duration
		most int
	}{
		"Five_of_many_events": {now, 5},
		"Four_of_a_backfill":  {longAgo, 4},
	} {
		t.Run(name+"_are_in_hand_and_all_end", func(t *testing.T) {
			t.Parallel()
			b := setupV2(t) // where no batch takes others along
			mismatches, most := b.sample(t), b.inHand(t)
			b.work(t)
			b.raiseMany(t, 150, want.age)
			require.Equal(t, map[string]int{syncrun.Succeeded: 150}, b.allTold(t))
			for kind, n := range most() {
				require.LessOrEqual(t, n, want.most, kind)
			}
			mismatches()
			require.Len(t, b.ledger.documents(), 150)
			require.Equal(t, 1, b.ledger.contacts())
		})
	}

	t.Run("Other_tenants_invoice_is_told_while_the_backlog_is_long", func(t *testing.T) {
		t.Parallel()
		b := setupV2(t)
		other := b.neighbour(t)
		b.work(t)
		b.raiseMany(t, 300, now)
		eventually(t, func() bool { return b.notTold(t) < 290 }, "the backlog is being worked")
		_, id := other.raise(t, "plain_vat")
		other.until(t, id, toldAs(syncrun.Succeeded))
		left := b.notTold(t)
		t.Logf("%d of 300 were left", left)
		require.Greater(t, left, 100)
	})

	t.Run("What_happens_now_overtakes_the_backfill_of_its_own_tenant", func(t *testing.T) {
		t.Parallel()
		for _, setup := range []func(*testing.T) *bundle{setup, setupV2} {
			b := setup(t)
			mismatches := b.sample(t)
			b.raiseMany(t, 300, longAgo)
			// Two: the first has the place that is kept for it, the second must come before
			// what waits. Each of a customer of its own, or one would wait for the other.
			b.raise(t, "mixed_rates")
			second := b.raiseOfMany(t, 1, now)[0]
			b.work(t)
			require.Equal(t, map[string]int{syncrun.Succeeded: 302}, b.allTold(t))
			after := b.count(t, `SELECT count(*) FROM sync_runs AS run JOIN sync_runs AS second ON second.id = $1 AND run.told_at > second.told_at`, second)
			t.Logf("%d of 300 were told after it", after)
			// What is in flight when it comes to a stage goes first: four claims of twenty, or
			// four calls for up to fifty, and more of them on a busy machine than on an idle one.
			require.Greater(t, after, 100, "in the order of arrival none would be")
			mismatches()
		}
	})

	t.Run("What_happens_now_does_not_wait_for_the_calls_of_a_backfill", func(t *testing.T) {
		t.Parallel()
		b, hang := setup(t), make(chan struct{})
		b.knowCustomer(t)
		b.work(t)
		b.xero.Inject(xerosim.Fault{Operation: "PUT /Invoices", Hang: hang, Times: 1_000_000})
		b.raiseMany(t, 60, longAgo)
		eventually(t, func() bool {
			elements, _ := b.xero.Batches("PUT /Invoices")
			return elements == 1+60 || b.xero.Calls("PUT /Invoices") == 1+4
		}, "the backfill is at its calls, or at as many as it may make at once")
		b.xero.ForgetFaults()
		_, id := b.raise(t, "plain_vat")
		b.until(t, id, toldAs(syncrun.Succeeded))
		close(hang)
		require.Equal(t, map[string]int{syncrun.Succeeded: 62}, b.allTold(t))
		b.eachOnce(t, 62)
	})

	t.Run("Goes_on_through_restarts_of_the_workers", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		mismatches := b.sample(t)
		w := b.work(t)
		b.raiseMany(t, 120, longAgo)
		for left := 110; left > 0; left -= 30 {
			b.toldBut(t, left)
			w.stop()
			w = b.work(t)
		}
		require.Equal(t, map[string]int{syncrun.Succeeded: 120}, b.allTold(t))
		mismatches()
		b.eachOnce(t, 120)
	})

	t.Run("Job_that_came_to_wait_while_the_last_in_hand_left_is_admitted_by_the_beat", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.beat(t)
		first := b.raiseMany(t, 5, now) // all in hand; there is no worker
		inv, err := b.shop.RaiseCanonical(canontest.Named(t, "plain_vat").Raw)
		require.NoError(t, err)
		tx := b.begin(t)
		last := b.acceptIn(t, tx, now, "invoice.created", inv.ID)[0] // waits, and nobody sees it yet
		for _, id := range first {
			require.NoError(t, b.op.Cancel(t.Context(), id))
		}
		var state string
		require.NoError(t, tx.QueryRow(t.Context(), "SELECT job.state::text FROM river.river_job AS job JOIN sync_runs AS run ON run.river_job_id = job.id WHERE run.id = $1", last).Scan(&state))
		require.Equal(t, "pending", state)
		require.NoError(t, tx.Commit(t.Context()))
		eventually(t, func() bool { return b.job(t, fetching, last).State == "available" }, "it is admitted")
		b.noMismatch(t)
	})

	t.Run("Retry_of_one_that_waits_lets_it_go_now", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ids := b.raiseMany(t, 12, now)
		last := ids[11]
		require.Equal(t, "pending", string(b.job(t, fetching, last).State))
		require.NoError(t, b.op.Retry(t.Context(), last))
		require.Equal(t, "available", string(b.job(t, fetching, last).State))
		b.noMismatch(t)
		b.work(t)
		require.Equal(t, map[string]int{syncrun.Succeeded: 12}, b.allTold(t))
		b.eachOnce(t, 12)
	})

	for wire, setup := range map[string]func(*testing.T) *bundle{"accounting": setup, "v2": setupV2} {
		t.Run("Later_event_of_a_document_waits_for_one_that_is_far_behind_on_"+wire, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			mismatches := b.sample(t)
			b.pauseFor(t, time.Hour)
			b.raiseMany(t, 40, longAgo)
			inv, err := b.shop.RaiseCanonical(canontest.Named(t, "mixed_rates").Raw)
			require.NoError(t, err)
			earlier := b.acceptAt(t, longAgo, "invoice.created", inv.ID)[0]
			var later []uuid.UUID
			for range 8 {
				later = append(later, b.accept(t, "invoice.created", inv.ID))
			}
			b.work(t)
			eventually(t, func() bool { return b.states(t, posting)["pending"] == 49 }, "all wait for their turn at the ledger")
			b.pauseFor(t, 0)
			require.Equal(t, map[string]int{syncrun.Succeeded: 49}, b.allTold(t))
			for _, id := range later {
				require.True(t, b.run(t, earlier).FinishedAt.Before(*b.run(t, id).FinishedAt))
			}
			mismatches()
			b.eachOnce(t, 41)
		})
	}
}

// Test_Job_that_ends_otherwise takes a job out of the line, or out of hand, in
// every way that there is: its run ends and the next one comes in.
func Test_Job_that_ends_otherwise(t *testing.T) {
	t.Parallel()
	const end = "UPDATE river.river_job SET finalized_at = now(), state = "
	for name, c := range map[string]struct {
		do     func(t *testing.T, b *bundle, id uuid.UUID)
		status string
	}{
		"Cancelled_by_the_operator": {func(t *testing.T, b *bundle, id uuid.UUID) {
			require.NoError(t, b.op.Cancel(t.Context(), id))
		}, syncrun.Cancelled},
		"Cancelled_in_River": {func(t *testing.T, b *bundle, id uuid.UUID) {
			_, err := b.insert.JobCancel(t.Context(), b.job(t, fetching, id).ID)
			require.NoError(t, err)
		}, syncrun.Cancelled},
		"Cancelled_by_SQL": {func(t *testing.T, b *bundle, id uuid.UUID) {
			b.exec(t, end+"'cancelled' WHERE id = $1", b.job(t, fetching, id).ID)
		}, syncrun.Cancelled},
		"Discarded_by_SQL": {func(t *testing.T, b *bundle, id uuid.UUID) {
			b.exec(t, end+"'discarded' WHERE id = $1", b.job(t, fetching, id).ID)
		}, syncrun.Failed},
		"Deleted_by_SQL": {func(t *testing.T, b *bundle, id uuid.UUID) {
			b.exec(t, "DELETE FROM river.river_job WHERE id = $1", b.job(t, fetching, id).ID)
		}, syncrun.Cancelled},
	} {
		t.Run(name+"_while_it_waits_ends_its_run_alone", func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			ids := b.raiseMany(t, 9, now)
			c.do(t, b, ids[8])
			require.Equal(t, c.status, b.run(t, ids[8]).Status)
			require.Equal(t, map[string]int{"available": 5, "pending": 3}, b.states(t, fetching))
			b.noMismatch(t)
			b.work(t)
			require.Equal(t, map[string]int{syncrun.Succeeded: 8, c.status: 1}, b.allTold(t))
			b.onceTold(t, ids[8], c.status)
		})

		t.Run(name+"_while_in_hand_lets_the_next_in", func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			ids := b.raiseMany(t, 9, now)
			c.do(t, b, ids[0])
			require.Equal(t, c.status, b.run(t, ids[0]).Status)
			require.Equal(t, map[string]int{"available": 5, "pending": 3}, b.states(t, fetching))
			b.noMismatch(t)
			b.work(t)
			require.Equal(t, map[string]int{syncrun.Succeeded: 8, c.status: 1}, b.allTold(t))
			b.onceTold(t, ids[0], c.status)
		})

		t.Run(name+"_while_worked_on_lets_the_next_in", func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			mismatches := b.sample(t)
			gates := b.gateShop(t, 5, magentosim.Fault{})
			b.work(t)
			ids := b.raiseMany(t, 9, now)
			for _, g := range gates {
				arrived(t, g.Arrived())
			}
			c.do(t, b, ids[0])
			eventually(t, func() bool { return told(b.run(t, ids[8])) }, "the others go through the one place")
			for _, g := range gates {
				g.Release()
			}
			require.Equal(t, map[string]int{syncrun.Succeeded: 8, c.status: 1}, b.allTold(t))
			b.onceTold(t, ids[0], c.status)
			eventually(t, func() bool { return b.live(t, ids[0]) == 0 }, "no job is left")
			mismatches()
		})
	}
}

func Test_Paused_binding_admits_none_and_goes_on_by_itself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mismatches := b.sample(t)
	b.xero.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: http.StatusTooManyRequests, Header: http.Header{
		"Retry-After": {"15"}, "X-Rate-Limit-Problem": {"minute"}}})
	b.work(t)
	_, first := b.raise(t, "plain_vat")
	b.until(t, first, func(r dbsqlc.SyncRun) bool { return text(r.ErrorCode) == "rate_limited" })
	until, called := *b.boundTo(t).PausedUntil, b.xero.AllCalls()
	b.raiseMany(t, 20, now)
	eventually(t, func() bool { return b.count(t, "SELECT count(*) FROM sync_runs WHERE stage = 'post'") == 21 }, "all were read")
	for time.Now().Before(until.Add(-100 * time.Millisecond)) {
		require.Zero(t, b.states(t, posting)["running"])
		require.Equal(t, called, b.xero.AllCalls())
		pause(t)
	}
	require.Equal(t, map[string]int{syncrun.Succeeded: 21}, b.allTold(t))
	require.Equal(t, 1, b.count(t, "SELECT max(attempt) FROM river.river_job WHERE kind = 'post_invoice'"))
	mismatches()
	b.eachOnce(t, 21)
}

// raiseMany raises invoices of one customer, whose events happened age ago, and
// accepts them in one transaction.
func (b *bundle) raiseMany(t *testing.T, n int, age time.Duration) []uuid.UUID {
	t.Helper()
	return b.raiseRaw(t, age, slices.Repeat([][]byte{canontest.Named(t, "plain_vat").Raw}, n)...)
}

// raiseOfMany is raiseMany with a new customer for each invoice.
func (b *bundle) raiseOfMany(t *testing.T, n int, age time.Duration) []uuid.UUID {
	t.Helper()
	raws := make([][]byte, n)
	for i := range raws {
		customer := strconv.Itoa(700_000 + i)
		raws[i] = []byte(strings.NewReplacer(`"magento_id": 1042`, `"magento_id": `+customer, "buyer1042", "buyer"+customer, "Analytical Ltd", "Customer "+customer).
			Replace(string(canontest.Named(t, "plain_vat").Raw)))
	}
	return b.raiseRaw(t, age, raws...)
}

func (b *bundle) raiseRaw(t *testing.T, age time.Duration, raws ...[]byte) []uuid.UUID {
	t.Helper()
	invoices := make([]int64, len(raws))
	for i, raw := range raws {
		inv, err := b.shop.RaiseCanonical(raw)
		require.NoError(t, err)
		invoices[i] = inv.ID
	}
	return b.acceptAt(t, age, "invoice.created", invoices...)
}

// acceptAt accepts events that happened age ago, as the ingress does with a set.
func (b *bundle) acceptAt(t *testing.T, age time.Duration, event string, entities ...int64) (ids []uuid.UUID) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
		ids = b.acceptIn(t, tx, age, event, entities...)
		return nil
	}))
	return ids
}

func (b *bundle) acceptIn(t *testing.T, tx pgx.Tx, age time.Duration, event string, entities ...int64) []uuid.UUID {
	t.Helper()
	events := make([]syncrun.Event, len(entities))
	for i, id := range entities {
		events[i] = syncrun.Event{
			TenantID: b.tenant.ID, BindingID: b.binding, PolicyVersion: b.boundTo(t).PolicyVersion, Name: event, EntityID: id,
			OccurredAt: time.Now().Add(-age), IdempotencyKey: event + ":" + uuid.NewString(), Body: json.RawMessage("{}"),
			JTI: uuid.NewString(), JTIExpiresAt: time.Now().Add(time.Minute),
		}
	}
	accepted, err := syncrun.Accept(t.Context(), tx, riverjobs.Enqueue, events)
	require.NoError(t, err)
	ids := make([]uuid.UUID, len(accepted))
	for i, a := range accepted {
		ids[i] = a.RunID
	}
	return ids
}

// otherOrg is the organisation of a neighbour: each has a budget of its own.
const otherOrg = "99999999-2222-4333-8444-555555555555"

// neighbour is another tenant in the same database, with a shop and a ledger of
// its own.
func (b *bundle) neighbour(t *testing.T) *bundle {
	t.Helper()
	other := *b
	other.shop, other.xero, other.v2 = magentosim.New(magentosim.Config{}), xerosim.New(xerosim.Config{OrgID: otherOrg}), nil
	other.ledger = xeroSim{other.xero}
	tenant := uuid.New()
	other.binding = uuid.New()
	other.shop.Connect(tenant.String(), apiKey, "http://127.0.0.1:1")
	queries := dbsqlc.New()
	require.NoError(t, queries.TenantInsert(t.Context(), b.pool, dbsqlc.TenantInsertParams{
		ID: tenant, Name: "Other shop", MagentoUrl: serve(t, other.shop), ApiKeySealed: []byte(apiKey), ConnectionStatus: "active",
	}))
	var err error
	other.tenant, err = queries.TenantGet(t.Context(), b.pool, tenant)
	require.NoError(t, err)
	require.NoError(t, queries.BindingInsert(t.Context(), b.pool, dbsqlc.BindingInsertParams{
		ID: other.binding, TenantID: tenant, Provider: "xero", Wire: "accounting", ApiUrl: serve(t, other.xero), OrgID: otherOrg,
	}))
	other.setPolicy(t, 1, samplePolicy())
	return &other
}

// inHand looks all the while how many jobs of each kind have a place (are available
// or running, and not taken along by another), until the returned function answers
// the most.
func (b *bundle) inHand(t *testing.T) (most func() map[string]int) {
	t.Helper()
	pool := openPool(t, b.url)
	stopped, result := make(chan struct{}), make(chan map[string]int, 1)
	go func() {
		defer pool.Close()
		found := map[string]int{}
		defer func() { result <- found }()
		for {
			rows, err := pool.Query(t.Context(), `SELECT kind FROM river.river_job WHERE state IN ('available', 'running')
				AND NOT (state = 'running' AND metadata ->> 'batch' IS NOT DISTINCT FROM attempt::text)`)
			if err != nil {
				return
			}
			kinds, _ := pgx.CollectRows(rows, pgx.RowTo[string])
			n := map[string]int{}
			for _, kind := range kinds {
				n[kind]++
				found[kind] = max(found[kind], n[kind])
			}
			select {
			case <-stopped:
				return
			case <-time.After(2 * time.Millisecond): // a job is in flight for longer
			}
		}
	}()
	return func() map[string]int {
		close(stopped)
		return <-result
	}
}

// beat is a process that works nothing and keeps the shares.
func (b *bundle) beat(t *testing.T) {
	t.Helper()
	process, err := riverjobs.Join(t.Context(), pgdb.Config{URL: b.url}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		process.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

// allTold waits until the shop knows of every run's end, and counts the ends.
func (b *bundle) allTold(t *testing.T) map[string]int {
	t.Helper()
	b.toldBut(t, 1)
	rows, err := dbsqlc.New().SyncRunCountByStatus(t.Context(), b.pool)
	require.NoError(t, err)
	ends := map[string]int{}
	for _, row := range rows {
		ends[row.Status] = int(row.Runs)
	}
	b.noMismatch(t)
	return ends
}

// toldBut waits until fewer than these are left, however long that takes on a machine
// with other work, as long as they go on.
func (b *bundle) toldBut(t *testing.T, most int) {
	t.Helper()
	left, since := -1, time.Now()
	for n := b.notTold(t); n >= most; n = b.notTold(t) {
		if n != left {
			left, since = n, time.Now()
		}
		if time.Since(since) > time.Minute {
			require.Failf(t, "waited too long", "%d are not told: %v", n, b.waiting(t))
		}
		pause(t)
	}
}

// notTold counts the tenant's runs whose end the shop does not know.
func (b *bundle) notTold(t *testing.T) int {
	t.Helper()
	return b.count(t, "SELECT count(*) FROM sync_runs WHERE shop_told IS DISTINCT FROM 'told' AND binding_id = $1", b.binding)
}

// waiting says of some runs that have not ended what they wait for.
func (b *bundle) waiting(t *testing.T) []string {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), `
		SELECT concat_ws(' ', run.status, run.stage, run.hold_reason, job.state, job.attempt, (job.scheduled_at - now())::interval(0), left(run.error_message, 40))
		FROM sync_runs AS run
		LEFT JOIN river.river_job AS job ON job.id = run.river_job_id
		WHERE run.shop_told IS DISTINCT FROM 'told'
		LIMIT 6`)
	require.NoError(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return list
}

// states counts the live jobs of a kind by state.
func (b *bundle) states(t *testing.T, kind string) map[string]int {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), "SELECT state::text FROM river.river_job WHERE kind = $1 AND finalized_at IS NULL", kind)
	require.NoError(t, err)
	states, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	n := map[string]int{}
	for _, s := range states {
		n[s]++
	}
	return n
}

func (b *bundle) count(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), query, args...).Scan(&n))
	return n
}

// pauseFor lets the binding wait for so long; zero ends the pause.
func (b *bundle) pauseFor(t *testing.T, d time.Duration) {
	t.Helper()
	b.exec(t, "UPDATE bindings SET paused_until = clock_timestamp() + make_interval(secs => $2) WHERE id = $1", b.binding, d.Seconds())
}

// eachOnce asserts that the ledger has so many documents, and each number once.
func (b *bundle) eachOnce(t *testing.T, n int) {
	t.Helper()
	seen := map[string]int{}
	for _, d := range b.ledger.documents() {
		seen[d.number]++
		require.Equal(t, 1, seen[d.number], "document %s", d.number)
	}
	require.Len(t, seen, n)
}

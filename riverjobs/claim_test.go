package riverjobs_test

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

// countedShop counts the calls that are under way at once, and the most there were.
type countedShop struct {
	riverjobs.Shop
	now, most *atomic.Int64
}

func (s countedShop) enter() func() {
	n := s.now.Add(1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	return func() { s.now.Add(-1) }
}

func (s countedShop) Invoice(ctx context.Context, id int64) (json.RawMessage, canon.Invoice, error) {
	defer s.enter()()
	return s.Shop.Invoice(ctx, id)
}

func (s countedShop) PushSyncState(ctx context.Context, state magento.SyncState) error {
	defer s.enter()()
	return s.Shop.PushSyncState(ctx, state)
}

// counted makes a worker's calls to the shop be counted.
func counted(most *atomic.Int64) func(*riverjobs.Config) {
	var now atomic.Int64
	return func(cfg *riverjobs.Config) {
		shops := cfg.Shops
		cfg.Shops = func(tenant dbsqlc.Tenant) (riverjobs.Shop, error) {
			shop, err := shops(tenant)
			return countedShop{shop, &now, most}, err
		}
	}
}

func Test_Claim(t *testing.T) {
	t.Parallel()

	t.Run("A_shop_has_few_calls_at_once_however_many_jobs_a_claim_takes_along", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		var most atomic.Int64
		mismatches := b.sample(t)
		b.raiseMany(t, 150, now)
		b.work(t, counted(&most), func(cfg *riverjobs.Config) { cfg.Workers = 50 })
		require.Equal(t, map[string]int{syncrun.Succeeded: 150}, b.allTold(t))
		mismatches()
		require.LessOrEqual(t, most.Load(), int64(10), "five claims that read and five that tell, one call each")
		require.Positive(t, b.count(t, "SELECT count(*) FROM river.river_job WHERE kind = 'fetch_canonical' AND metadata ? 'batch'"), "sets were taken")
		b.eachOnce(t, 150)
	})

	t.Run("One_that_the_shop_refuses_fails_alone", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		gone := b.acceptAt(t, now, "invoice.created", 4711)[0]
		ids := b.raiseMany(t, 30, now)
		b.work(t)
		require.Equal(t, map[string]int{syncrun.Succeeded: 30, syncrun.Failed: 1}, b.allTold(t))
		require.Equal(t, "not_found", *b.run(t, gone).ErrorCode)
		require.Equal(t, 1, b.count(t, "SELECT max(attempt) FROM river.river_job"), "nobody else was held up by it")
		b.eachOnce(t, len(ids))
	})

	t.Run("What_has_not_begun_when_the_shop_fails_waits_uncounted", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		mismatches := b.sample(t)
		b.shop.Inject(magentosim.RouteInvoice, magentosim.Fault{Status: http.StatusServiceUnavailable})
		b.raiseMany(t, 60, now)
		b.work(t, firstDelay(50*time.Millisecond))
		require.Equal(t, map[string]int{syncrun.Succeeded: 60}, b.allTold(t))
		mismatches()
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM river.river_job WHERE attempt > 1"), "only the one that met the failure has a counted attempt")
		// A counted attempt that failed has its error on the job; one that waited for its
		// turn has neither.
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM river.river_job WHERE EXISTS (SELECT FROM unnest(errors) AS said WHERE said ->> 'error' LIKE '%503%')"), "one met the failure")
		require.Zero(t, b.count(t, "SELECT count(*) FROM river.river_job WHERE attempt > 1 + coalesce(cardinality(errors), 0)"), "nobody's wait was counted")
		b.eachOnce(t, 60)
	})

	t.Run("Set_of_a_lost_process_is_finished_by_another_and_the_lost_one_commits_nothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		mismatches := b.sample(t)
		gates := b.gateShop(t, 1, magentosim.Fault{})
		ids := b.raiseMany(t, 40, now)
		lost := b.work(t, oneAtATime)
		arrived(t, gates[0].Arrived()) // a claim is at its first call, with a set in hand
		eventually(t, func() bool { return b.states(t, fetching)["running"] > 5 }, "a set is claimed")
		rows, err := b.pool.Query(t.Context(), "SELECT (args ->> 'run_id')::uuid FROM river.river_job WHERE state = 'running'")
		require.NoError(t, err)
		claimed, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		require.NoError(t, err)
		lost.unlock()
		b.work(t)
		require.Equal(t, map[string]int{syncrun.Succeeded: 40}, b.allTold(t))
		gates[0].Release()
		lost.drain()
		mismatches()
		b.eachOnce(t, len(ids))
		for _, id := range claimed {
			require.Zero(t, b.count(t, "SELECT count(*) FROM sync_run_events WHERE run_id = $1 AND why LIKE 'canonical stored%' AND who = $2", id, lost.id))
		}
	})

	t.Run("One_of_a_set_that_was_cancelled_meanwhile_is_rolled_back_alone", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		mismatches := b.sample(t)
		gates := b.gateShop(t, 1, magentosim.Fault{})
		ids := b.raiseMany(t, 12, now)
		b.work(t, oneAtATime)
		arrived(t, gates[0].Arrived())
		var taken uuid.UUID
		require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT (args ->> 'run_id')::uuid FROM river.river_job
			WHERE state = 'running' AND metadata ? 'batch' ORDER BY id DESC LIMIT 1`).Scan(&taken))
		// By SQL, as nobody asks the worker: its own end must find out.
		b.exec(t, "UPDATE river.river_job SET state = 'cancelled', finalized_at = now() WHERE id = $1", b.job(t, fetching, taken).ID)
		gates[0].Release()
		require.Equal(t, map[string]int{syncrun.Succeeded: 11, syncrun.Cancelled: 1}, b.allTold(t))
		require.Equal(t, syncrun.Cancelled, b.run(t, taken).Status)
		mismatches()
		b.eachOnce(t, len(ids)-1)
	})
}

// Somebody else's server that accepts a call and never answers.
func Test_Shops_that_never_answer_keep_only_their_own_waiting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hang := magentosim.NewGate()
	t.Cleanup(hang.Release)
	for range 6 {
		other := b.neighbour(t)
		other.shop.Outage(magentosim.Waits(hang))
		other.raiseMany(t, 12, now)
	}
	b.work(t, func(cfg *riverjobs.Config) { cfg.Workers = 100 })
	eventually(t, func() bool {
		return b.count(t, "SELECT count(DISTINCT args ->> 'share') FROM river.river_job WHERE kind = 'fetch_canonical' AND state = 'running'") == 6
	}, "all six hang")
	_, id := b.raise(t, "plain_vat")
	b.until(t, id, toldAs(syncrun.Succeeded))
	require.Equal(t, 72, b.count(t, "SELECT count(*) FROM sync_runs WHERE stage = 'fetch'"), "they hang still")
}

// Test_Place is what the database promises whoever writes to River's table: as many
// are in flight after a change as before.
func Test_Place(t *testing.T) {
	t.Parallel()

	t.Run("Set_that_ends_lets_as_many_in", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.raiseMany(t, 12, now)
		b.exec(t, "UPDATE river.river_job SET state = 'cancelled', finalized_at = now() WHERE state = 'available'")
		require.Equal(t, map[string]int{"available": 5, "pending": 2}, b.states(t, fetching))
		b.noMismatch(t)
	})

	t.Run("Live_job_that_ends_leaves_its_place_to_no_backfill", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.raiseMany(t, 8, longAgo) // four of them have a place
		live := b.raiseMany(t, 1, now)[0]
		require.Equal(t, map[string]int{"available": 5, "pending": 4}, b.states(t, fetching))
		b.exec(t, "UPDATE river.river_job SET state = 'cancelled', finalized_at = now() WHERE id = $1", b.job(t, fetching, live).ID)
		require.Equal(t, map[string]int{"available": 4, "pending": 4}, b.states(t, fetching))
	})

	t.Run("Too_many_step_back_at_the_heartbeat", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.raiseMany(t, 12, now)
		b.exec(t, "UPDATE river.river_job SET state = 'available' WHERE state = 'pending'")
		require.Equal(t, map[string]int{"available": 12}, b.states(t, fetching))
		b.raiseMany(t, 1, now)
		b.beat(t)
		eventually(t, func() bool { return b.states(t, fetching)["available"] == 5 }, "the rest waits again")
		b.noMismatch(t)
	})

	t.Run("Taken_along_out_of_those_with_a_place_is_replaced", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.raiseMany(t, 12, now)
		require.NoError(t, pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
			taken, err := dbsqlc.New().QueueTake(t.Context(), tx, dbsqlc.QueueTakeParams{ClientID: "test", Kind: fetching,
				Share: b.tenant.ID.String(), Most: 3, Priority: 4, AlsoAdmitted: true})
			require.Len(t, taken, 3)
			return err
		}))
		require.Equal(t, map[string]int{"available": 5, "pending": 4, "running": 3}, b.states(t, fetching))
		b.noMismatch(t)
	})
}

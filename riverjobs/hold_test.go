package riverjobs_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

// Test_Runs_held_for_the_same_thing covers a lock date that twenty invoices lie
// before.
func Test_Runs_held_for_the_same_thing(t *testing.T) {
	t.Parallel()

	for name, workers := range map[string]int{"by_one_worker": 1, "by_eight_workers": 8} {
		t.Run("One_looks_again_soon_and_all_go_on_when_it_gets_through_"+name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.lock(t, true)
			mismatches := b.sample(t)
			b.work(t, func(cfg *riverjobs.Config) { cfg.Workers = workers })
			b.raiseMany(t, 20, now)
			b.allHeld(t, 20, "period_locked")
			require.Equal(t, 1, b.lookSoon(t), "%v", b.waiting(t))
			require.Equal(t, 19, b.count(t, `SELECT count(*) FROM sync_runs
				WHERE next_attempt_at BETWEEN clock_timestamp() + interval '50 minutes' AND clock_timestamp() + interval '70 minutes'`))
			require.Zero(t, b.ledger.calls("invoice"), "what is known to be refused is not sent")
			require.LessOrEqual(t, b.xero.Calls("GET /Organisation"), 2)
			b.lock(t, false)
			require.NoError(t, b.op.Retry(t.Context(), b.runs(t)[7]))
			require.Equal(t, map[string]int{syncrun.Succeeded: 20}, b.allTold(t))
			require.Equal(t, 1, b.count(t, "SELECT max(attempt) FROM river.river_job WHERE kind = 'post_invoice'"))
			mismatches()
			b.eachOnce(t, 20)
		})
	}

	t.Run("All_go_on_when_somebody_releases_their_reason_and_none_of_another", func(t *testing.T) {
		t.Parallel()
		b := b20held(t)
		b.op.Who = "ada"
		require.NoError(t, b.op.ReleaseReason(t.Context(), "account_archived"))
		require.Equal(t, 20, b.count(t, "SELECT count(*) FROM sync_runs WHERE status = 'held'"))
		require.Zero(t, b.count(t, "SELECT count(*) FROM audit"), "nothing was released")
		b.lock(t, false)
		require.NoError(t, b.op.ReleaseReason(t.Context(), "period_locked"))
		require.Equal(t, map[string]int{syncrun.Succeeded: 20}, b.allTold(t))
		b.eachOnce(t, 20)
		b.noMismatch(t)
		require.Equal(t, 1, b.count(t, `SELECT count(*) FROM audit WHERE who = 'ada' AND action = 'runs.released' AND before = '{"hold_reason": "period_locked", "runs": 20}'`))
		require.Equal(t, 20, b.count(t, "SELECT count(DISTINCT run_id) FROM sync_run_events WHERE who = 'ada'"))
	})

	for name, c := range map[string]struct {
		on      string // what the transaction that releases does besides
		release func(t *testing.T, b *bundle)
	}{
		"somebody_releases_them":         {"INSERT ON audit", func(t *testing.T, b *bundle) { require.NoError(t, b.op.ReleaseReason(t.Context(), "period_locked")) }},
		"the_one_that_looks_got_through": {"DELETE ON hold_looks", func(t *testing.T, b *bundle) { b.fiveMinutesLater(t) }},
	} {
		t.Run("All_go_on_though_a_deadlock_ended_the_transaction_when_"+name, func(t *testing.T) {
			t.Parallel()
			b := b20held(t)
			b.exec(t, `CREATE SEQUENCE tries`) // a rollback does not take it back
			b.exec(t, `CREATE FUNCTION deadlock() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF nextval('tries') < 3 THEN RAISE 'deadlock' USING ERRCODE = '40P01'; END IF; RETURN coalesce(NEW, OLD); END $$`)
			b.exec(t, `CREATE TRIGGER deadlock BEFORE `+c.on+` FOR EACH ROW EXECUTE FUNCTION deadlock()`)
			b.lock(t, false)
			c.release(t, b)
			require.Equal(t, map[string]int{syncrun.Succeeded: 20}, b.allTold(t))
			require.GreaterOrEqual(t, b.count(t, `SELECT last_value FROM tries`), 3)
			b.eachOnce(t, 20)
		})
	}

	t.Run("All_go_on_when_the_one_that_looks_has_its_time", func(t *testing.T) {
		t.Parallel()
		b := b20held(t)
		b.lock(t, false)
		b.fiveMinutesLater(t)
		require.Equal(t, map[string]int{syncrun.Succeeded: 20}, b.allTold(t))
		b.eachOnce(t, 20)
	})

	t.Run("One_goes_on_looking_where_it_is_held_again", func(t *testing.T) {
		t.Parallel()
		b := b20held(t)
		for range 3 {
			looks := b.looks(t)
			b.fiveMinutesLater(t)
			eventually(t, func() bool { return b.looks(t) > looks }, "it looks")
			b.allHeld(t, 20, "period_locked")
			require.Equal(t, 1, b.lookSoon(t))
		}
	})

	t.Run("All_go_on_where_the_one_that_looks_had_to_wait_before_it_got_through", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			b := b20held(t)
			b.lock(t, false)
			for _, operation := range []string{"PUT /Contacts", "PUT /Invoices"} {
				b.xero.Inject(xerosim.Fault{Operation: operation, Status: status, Header: http.Header{"Retry-After": {"1"}}})
			}
			b.fiveMinutesLater(t)
			eventually(t, func() bool { return b.notTold(t) < 20 }, "one got through")
			require.Equal(t, map[string]int{syncrun.Succeeded: 20}, b.allTold(t), "after %d", status)
			b.eachOnce(t, 20)
		}
	})

	t.Run("Those_held_for_something_else_stay", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t, oneAtATime)
		unmapped := b.raiseUnmapped(t)
		b.until(t, unmapped, heldFor("tax_rate_not_mapped"))
		b.lock(t, true)
		b.raiseMany(t, 20, now)
		b.allHeld(t, 20, "period_locked")
		b.lock(t, false)
		b.fiveMinutesLater(t)
		eventually(t, func() bool { return b.notTold(t) == 1 }, "the others are told")
		require.True(t, heldFor("tax_rate_not_mapped")(b.run(t, unmapped)))
		require.NotContains(t, b.steps(t, unmapped), "post held queued")
	})

	t.Run("Cancel_of_the_one_that_looks_leaves_another_that_looks_within_the_hour", func(t *testing.T) {
		t.Parallel()
		b := b20held(t)
		var id uuid.UUID
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT id FROM sync_runs WHERE status = 'held' ORDER BY next_attempt_at LIMIT 1").Scan(&id))
		require.NoError(t, b.op.Cancel(t.Context(), id))
		require.Equal(t, 19, b.count(t, "SELECT count(*) FROM sync_runs WHERE status = 'held' AND next_attempt_at < clock_timestamp() + interval '70 minutes'"))
		b.lock(t, false)
		b.exec(t, "UPDATE bindings SET reference_tried_at = reference_tried_at - interval '1 hour'")
		b.exec(t, `UPDATE river.river_job SET scheduled_at = clock_timestamp()
			WHERE id = (SELECT id FROM river.river_job WHERE state = 'scheduled' ORDER BY scheduled_at LIMIT 1)`)
		require.Equal(t, map[string]int{syncrun.Succeeded: 19, syncrun.Cancelled: 1}, b.allTold(t))
		b.eachOnce(t, 19)
	})
}

// b20held is a binding of which twenty runs are held for the lock date.
func b20held(t *testing.T) *bundle {
	t.Helper()
	b := setup(t)
	b.lock(t, true)
	b.work(t, oneAtATime)
	b.raiseMany(t, 20, now)
	b.allHeld(t, 20, "period_locked")
	return b
}

// lock moves the lock date behind all invoices, or away.
func (b *bundle) lock(t *testing.T, locked bool) {
	t.Helper()
	day := ""
	if locked {
		day = time.Now().AddDate(0, 1, 0).Format(time.DateOnly)
	}
	require.NoError(t, b.xero.SetLockDates(day, ""))
}

// fiveMinutesLater makes the runs due that look again soon, and what was read of
// Xero as old as it is then.
func (b *bundle) fiveMinutesLater(t *testing.T) {
	t.Helper()
	b.exec(t, "UPDATE bindings SET reference_tried_at = reference_tried_at - interval '5 minutes'")
	b.exec(t, `UPDATE river.river_job SET scheduled_at = clock_timestamp()
		WHERE state = 'scheduled' AND scheduled_at < clock_timestamp() + interval '6 minutes'`)
}

// looks counts how often a run was held by its worker.
func (b *bundle) looks(t *testing.T) int {
	t.Helper()
	return b.count(t, "SELECT count(*) FROM sync_run_events WHERE from_status = 'running' AND to_status = 'held'")
}

package riverjobs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

// short is the timeout of a call to a server that does not answer.
const short = time.Second

func Test_Shop_that_never_answers(t *testing.T) {
	t.Parallel()

	// silent is a shop that has taken calls without an answer, with so many runs.
	silent := func(t *testing.T, runs int) (b *bundle, answer func()) {
		t.Helper()
		b = setup(t)
		hang := magentosim.NewGate()
		t.Cleanup(hang.Release)
		answer = b.shop.Outage(magentosim.Waits(hang))
		b.raiseMany(t, runs, now)
		return b, answer
	}

	t.Run("Holds_all_of_its_runs_with_the_reason_and_one_that_is_answered_lets_them_go_on", func(t *testing.T) {
		t.Parallel()
		b, answer := silent(t, 30)
		mismatches := b.sample(t)
		b.work(t, callTimeout(short))
		b.allHeld(t, 30, "shop_no_answer")
		require.Equal(t, map[string]int{"pending": 30}, b.states(t, fetching))
		require.LessOrEqual(t, b.count(t, "SELECT count(*) FROM sync_run_events WHERE step = 'fetch' AND to_status = 'running'"), 5*(20+1)+2, "claims, and no retries")
		require.Zero(t, b.count(t, "SELECT count(*) FROM river.river_job WHERE attempt > 1"), "waiting is no attempt")
		b.raiseMany(t, 10, now)
		b.allHeld(t, 40, "shop_no_answer")
		answer()
		require.Equal(t, map[string]int{syncrun.Succeeded: 40}, b.allTold(t))
		require.Zero(t, b.count(t, "SELECT count(*) FROM circuits"), "closed")
		mismatches()
		b.eachOnce(t, 40)
	})

	t.Run("Is_asked_by_one_call_at_a_time_of_all_processes_and_less_and_less_often", func(t *testing.T) {
		t.Parallel()
		b, _ := silent(t, 0)
		b.exec(t, openCircuit, b.tenant.ID.String(), "shop_no_answer", 0)
		b.raiseMany(t, 12, now)
		b.work(t)
		b.work(t)
		eventually(t, func() bool { return b.states(t, fetching)["running"] == 1 }, "the probe hangs")
		b.exec(t, "UPDATE circuits SET probe_at = clock_timestamp()")
		b.exec(t, "SELECT towpath_probe()")
		b.exec(t, "SELECT towpath_probe()")
		require.Equal(t, map[string]int{"running": 1, "pending": 11}, b.states(t, fetching), "no second one, and none taken along")
		require.Equal(t, 1, b.count(t, "SELECT probes FROM circuits"))
		b.exec(t, "UPDATE circuits SET probes = 20, probe_at = clock_timestamp()")
		b.exec(t, "UPDATE river.river_job SET state = 'cancelled', finalized_at = now() WHERE state = 'running'")
		eventually(t, func() bool { return b.count(t, "SELECT probes FROM circuits") == 21 }, "the next")
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM circuits WHERE probe_at BETWEEN clock_timestamp() + interval '1 minute' AND clock_timestamp() + interval '2 minutes'"))
	})

	t.Run("Probe_whose_process_dies_waits_in_line_and_the_next_goes_at_its_time", func(t *testing.T) {
		t.Parallel()
		b, answer := silent(t, 0)
		mismatches := b.sample(t)
		b.exec(t, openCircuit, b.tenant.ID.String(), "shop_no_answer", 0)
		b.raiseMany(t, 6, now)
		dead := b.work(t, func(cfg *riverjobs.Config) { other := config(cfg.Pool, time.Minute); cfg.Shops = other.Shops })
		eventually(t, func() bool { return b.states(t, fetching)["running"] == 1 }, "the probe hangs")
		b.exec(t, "UPDATE circuits SET probe_at = clock_timestamp() + interval '1 hour'")
		dead.unlock()
		b.work(t)
		eventually(t, func() bool { return b.states(t, fetching)["pending"] == 6 }, "given back, and no probe before its time")
		answer()
		b.exec(t, "UPDATE circuits SET probe_at = clock_timestamp()")
		require.Equal(t, map[string]int{syncrun.Succeeded: 6}, b.allTold(t))
		mismatches()
		b.eachOnce(t, 6)
	})

	t.Run("Operator_who_retries_one_sends_the_probe", func(t *testing.T) {
		t.Parallel()
		b, answer := silent(t, 0)
		b.exec(t, openCircuit, b.tenant.ID.String(), "shop_no_answer", 3600)
		b.raiseMany(t, 8, now)
		b.work(t)
		b.allHeld(t, 8, "shop_no_answer")
		answer()
		require.NoError(t, b.op.Retry(t.Context(), b.runs(t)[3]))
		require.Equal(t, map[string]int{syncrun.Succeeded: 8}, b.allTold(t))
		b.eachOnce(t, 8)
	})

	t.Run("That_refuses_what_is_asked_answers", func(t *testing.T) {
		t.Parallel()
		b, answer := silent(t, 0)
		b.exec(t, openCircuit, b.tenant.ID.String(), "shop_no_answer", 3600)
		b.raiseMany(t, 4, now)
		b.work(t)
		b.allHeld(t, 4, "shop_no_answer")
		answer()
		b.shop.Inject(magentosim.RouteInvoice, magentosim.Answers(400, `{"message": "no"}`))
		require.NoError(t, b.op.Retry(t.Context(), b.runs(t)[0]))
		require.Equal(t, map[string]int{syncrun.Succeeded: 3, syncrun.Failed: 1}, b.allTold(t))
	})

	t.Run("Is_told_of_all_that_ended_once_it_answers", func(t *testing.T) {
		t.Parallel()
		b, answer := silent(t, 0)
		answer()
		b.pauseFor(t, time.Hour)
		b.work(t, callTimeout(short))
		b.raiseMany(t, 12, now)
		eventually(t, func() bool { return b.states(t, posting)["pending"] == 12 }, "all wait for their turn at the ledger")
		hang := magentosim.NewGate()
		t.Cleanup(hang.Release)
		answer = b.shop.Outage(magentosim.Waits(hang))
		b.pauseFor(t, 0)
		eventually(t, func() bool {
			return b.count(t, "SELECT count(*) FROM circuits WHERE opened_at IS NOT NULL") == 1 && b.states(t, "push_sync_state")["pending"] == 12
		}, "all wait in line")
		b.noMismatch(t)
		answer()
		require.Equal(t, map[string]int{syncrun.Succeeded: 12}, b.allTold(t))
	})

	t.Run("Twice_and_then_answers_blocks_nothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		hang := magentosim.NewGate()
		t.Cleanup(hang.Release)
		b.shop.Inject(magentosim.RouteInvoice, magentosim.Waits(hang), magentosim.Waits(hang))
		b.work(t, callTimeout(4*time.Second), oneAtATime)
		_, id := b.raise(t, "plain_vat")
		b.until(t, id, toldAs(syncrun.Succeeded))
		require.Zero(t, b.count(t, "SELECT count(*) FROM sync_run_events WHERE to_status = 'held'"))
		require.Zero(t, b.count(t, "SELECT count(*) FROM circuits"))
	})
}

// openCircuit opens a partition's circuit, with the next probe in so many seconds.
const openCircuit = `INSERT INTO circuits (key, reason, failures, opened_at, probe_at)
	VALUES ($1, $2, 3, clock_timestamp(), clock_timestamp() + make_interval(secs => $3))`

func Test_Ledger_that_never_answers_holds_its_runs_and_has_each_document_once_when_it_answers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mismatches := b.sample(t)
	b.work(t, callTimeout(short))
	_, first := b.raise(t, "plain_vat")
	b.until(t, first, toldAs(syncrun.Succeeded)) // its reference data are known
	// What is asked is done, and not answered.
	b.xero.Inject(xerosim.Fault{When: xerosim.After, Hang: make(chan struct{}), Times: 1_000_000})
	b.raiseMany(t, 12, now)
	b.allHeld(t, 12, "ledger_no_answer")
	require.Equal(t, 12, b.states(t, posting)["pending"])
	b.xero.ForgetFaults()
	require.Equal(t, map[string]int{syncrun.Succeeded: 13}, b.allTold(t))
	require.Zero(t, b.count(t, "SELECT count(*) FROM circuits"))
	mismatches()
	b.eachOnce(t, 13)
}

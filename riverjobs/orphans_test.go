package riverjobs_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

// Test_A_job_whose_process_died: an input that ends every process that takes it
// must not keep processes from living.
func Test_A_job_whose_process_died(t *testing.T) {
	t.Parallel()

	// died lets a process take the run's job and die at it, and lets another give
	// the job back; it answers how long the job waits then.
	died := func(t *testing.T, b *bundle, run uuid.UUID) time.Duration {
		t.Helper()
		_, err := b.pool.Exec(t.Context(), `
			UPDATE river.river_job
			SET state = 'running', attempt = attempt + 1, attempted_at = now(), attempted_by = array_append(attempted_by, 'dead')
			WHERE id = (SELECT river_job_id FROM sync_runs WHERE id = $1)`, run)
		require.NoError(t, err)
		minute := span(time.Minute)
		var given []int64
		eventually(t, func() bool { // nobody is dead in a Postgres's first ten seconds
			given, err = dbsqlc.New().QueueGiveBackOrphans(t.Context(), b.pool, dbsqlc.QueueGiveBackOrphansParams{Grace: minute, Frozen: minute, LongestCall: minute})
			require.NoError(t, err)
			return len(given) == 1
		}, "the job is given back")
		b.noMismatch(t)
		var wait float64
		require.NoError(t, b.pool.QueryRow(t.Context(),
			"SELECT extract(epoch FROM scheduled_at - clock_timestamp()) FROM river.river_job WHERE id = $1", given[0]).Scan(&wait))
		return time.Duration(wait * float64(time.Second))
	}

	t.Run("Waits_longer_each_time", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		_, id := b.raise(t, "plain_vat")
		deadProcess(t, b)

		require.LessOrEqual(t, died(t, b, id), time.Duration(0), "the first time it goes on at once")
		middle := 5 * time.Second
		for n := 2; n <= 14; n++ {
			wait := died(t, b, id)
			require.InDelta(t, middle.Seconds(), wait.Seconds(), middle.Seconds()/4+5, "death %d", n)
			middle = min(2*middle, time.Hour)
		}
		run := b.run(t, id)
		require.Equal(t, syncrun.Queued, run.Status)
		require.WithinRange(t, *run.NextAttemptAt, time.Now().Add(40*time.Minute), time.Now().Add(80*time.Minute), "the run says when")
		require.Contains(t, text(run.ErrorMessage), "the process that worked on it ended")
	})

	t.Run("Goes_on_when_its_time_has_come", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		inv, id := b.raise(t, "plain_vat")
		deadProcess(t, b)
		died(t, b, id)
		require.Positive(t, died(t, b, id))
		b.work(t)
		b.onceTold(t, id, syncrun.Succeeded)
		b.oneOfEach(t, inv)
	})
}

// Test_A_write_of_a_dead_process at a ledger that may take one document twice is
// left alone until its call must have timed out: a retry would look for the
// document, not find it yet, and write a second one.
func Test_A_write_of_a_dead_process(t *testing.T) {
	t.Parallel()
	const seen = 30 * time.Second // since the process was seen last: long for a death, short for a call
	for ledger, want := range map[[2]string][2]int{{"xero", "accounting"}: {1, 0}, {"xero", "v2"}: {0, 1}, {"freeagent", "v2"}: {0, 1}} {
		t.Run("Is_given_back_when_nothing_can_be_written_twice_at_"+ledger[0]+"_"+ledger[1], func(t *testing.T) {
			t.Parallel()
			b := setupV2(t)
			b.exec(t, "UPDATE bindings SET provider = $1, wire = $2", ledger[0], ledger[1])
			_, id := b.raise(t, "plain_vat")
			b.exec(t, `UPDATE river.river_job SET kind = 'post_invoice', queue = 'post_invoice', args = args || jsonb_build_object('share', $1::text),
				state = 'running', attempt = 1, attempted_at = now(), attempted_by = '{dead}'`, b.binding)
			b.exec(t, "UPDATE sync_runs SET stage = 'post', status = 'running', canonical = '{}' WHERE id = $1", id)
			deadProcess(t, b)
			b.exec(t, "UPDATE worker_processes SET last_seen = now() - $1::interval", seen)
			giveBack := func(longestCall time.Duration) int {
				rows, err := dbsqlc.New().QueueGiveBackOrphans(t.Context(), b.pool, dbsqlc.QueueGiveBackOrphansParams{
					Grace: span(time.Second), Frozen: span(time.Second), LongestCall: span(longestCall),
				})
				require.NoError(t, err)
				return len(rows)
			}
			eventually(t, func() bool { // nobody is dead in a Postgres's first ten seconds
				var dead bool
				require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT towpath_process_dead(p, '1 second', '1 second') FROM worker_processes AS p`).Scan(&dead))
				return dead
			}, "the process counts as dead")
			require.Equal(t, want[0], giveBack(time.Hour))
			require.Equal(t, want[1], giveBack(time.Second))
		})
	}
}

func span(d time.Duration) pgtype.Interval {
	return pgtype.Interval{Microseconds: d.Microseconds(), Valid: true}
}

// deadProcess registers a process that was last seen an hour ago and has no lock.
func deadProcess(t *testing.T, b *bundle) {
	t.Helper()
	_, err := dbsqlc.New().WorkerProcessInsert(t.Context(), b.pool, "dead")
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), "UPDATE worker_processes SET last_seen = now() - interval '1 hour'")
	require.NoError(t, err)
}

package syncrun_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/syncrun"
)

func TestIntend(t *testing.T) {
	t.Parallel()

	t.Run("Lane_goes_created_paid_refunded_whatever_came_first", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		try := func(run uuid.UUID, job int64) error {
			return pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
				_, err := intend(t.Context(), tx, syncrun.Intent{
					JobID: job, Attempt: 1, RunID: run, BindingID: b.binding, Operation: syncrun.WriteContact, ObjectKey: run.String(), BodyHash: "x", Who: "test",
				})
				return err
			})
		}
		end := func(run uuid.UUID, status string) {
			_, err := b.pool.Exec(t.Context(), `UPDATE sync_runs SET status = $2, stage = 'done', river_job_id = NULL, finished_at = now() WHERE id = $1`, run, status)
			require.NoError(t, err)
		}
		events := []syncrun.Event{
			b.event("creditmemo.created", 4, "creditmemo.created:4"), b.event("invoice.paid", 7, "invoice.paid:7"), b.event("invoice.created", 7, "invoice.created:7"),
		}
		for i := range events { // each one occurred after those that come later in the lane
			events[i].OccurredAt = events[i].OccurredAt.Add(time.Duration(i) * time.Hour)
		}
		runs := b.mustAccept(t, events...)
		refunded, paid, created := runs[0].RunID, runs[1].RunID, runs[2].RunID
		_, err := b.pool.Exec(t.Context(), `UPDATE sync_runs SET lane = 'invoice:7' WHERE id = $1`, refunded) // its canonical form named the invoice
		require.NoError(t, err)
		jobs := map[uuid.UUID]int64{refunded: b.take(t, refunded), paid: b.take(t, paid), created: b.take(t, created)}

		require.Equal(t, &syncrun.Ahead{}, try(paid, jobs[paid]))
		require.NoError(t, try(created, jobs[created]))
		end(created, syncrun.Failed)
		require.Equal(t, &syncrun.Ahead{Failed: true}, try(paid, jobs[paid]), "a payment does not overtake its invoice")
		require.Equal(t, &syncrun.Ahead{Failed: true}, try(refunded, jobs[refunded]))
		end(created, syncrun.Succeeded)
		require.Equal(t, &syncrun.Ahead{}, try(refunded, jobs[refunded]), "nor a refund the payment")
		require.NoError(t, try(paid, jobs[paid]))
		end(paid, syncrun.Succeeded)
		require.NoError(t, try(refunded, jobs[refunded]))
	})

	// Neither transaction sees the other's intent: only the index can say no.
	t.Run("Two_runs_in_the_same_instant_are_not_both_at_one_object", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		runs := b.mustAccept(t, b.event("invoice.created", 1, "invoice.created:1"), b.event("invoice.created", 2, "invoice.created:2"))
		jobs := []int64{b.take(t, runs[0].RunID), b.take(t, runs[1].RunID)}
		of := func(n int) syncrun.Intent {
			return syncrun.Intent{JobID: jobs[n], Attempt: 1, RunID: runs[n].RunID, BindingID: b.binding, Operation: syncrun.WriteContact, ObjectKey: "customer-7", BodyHash: "x", Who: "test"}
		}
		first, err := b.pool.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = first.Rollback(context.Background()) }()
		_, err = intend(t.Context(), first, of(0))
		require.NoError(t, err)

		second := make(chan error, 1)
		go func() {
			second <- pgx.BeginFunc(context.Background(), b.pool, func(tx pgx.Tx) error {
				_, err := intend(context.Background(), tx, of(1))
				return err
			})
		}()
		require.Eventually(t, func() bool {
			return b.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 1
		}, time.Minute, 10*time.Millisecond, "the second waits for the first one's commit")
		require.NoError(t, first.Commit(t.Context()))
		require.ErrorIs(t, <-second, syncrun.ErrBusy)
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM provider_intents WHERE settled_at IS NULL"))
	})
	// The run is cancelled while its call is out; what the call says comes after the end.
	t.Run("What_comes_after_the_runs_end_opens_nothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		runs := b.mustAccept(t, b.event("invoice.created", 1, "invoice.created:1"), b.event("invoice.created", 2, "invoice.created:2"))
		late := b.mustIntend(t, runs[0].RunID, 1)
		_, err := b.pool.Exec(t.Context(), "UPDATE river.river_job SET state = 'cancelled', finalized_at = now() WHERE id = $1", late.JobID)
		require.NoError(t, err)
		require.NoError(t, late.Failed(t.Context(), b.pool, syncrun.Left{}))
		require.Zero(t, b.count(t, "SELECT count(*) FROM provider_intents WHERE settled_at IS NULL"))
		require.True(t, b.mustIntend(t, runs[1].RunID, 1).Uncertain, "the next run of the customer goes on, and looks first")
	})

	t.Run("What_a_try_left_is_not_asked_once_another_has_followed", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		run := b.mustAccept(t, b.event("invoice.created", 1, "invoice.created:1"))[0].RunID
		lost := b.mustIntend(t, run, 1)
		b.mustIntend(t, run, 2)
		require.NoError(t, lost.Failed(t.Context(), b.pool, syncrun.Left{Settled: true, Certain: true}))
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM provider_intents WHERE settled_at IS NULL AND NOT certain"), "the other's call may be out")
	})
}

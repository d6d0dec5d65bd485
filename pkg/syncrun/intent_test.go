package syncrun_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/syncrun"
)

func TestIntend(t *testing.T) {
	t.Parallel()

	// Neither transaction sees the other's intent: only the index can say no.
	t.Run("Two_runs_in_the_same_instant_are_not_both_at_one_object", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		runs := b.mustAccept(t, b.event("invoice.created", 1, "invoice.created:1"), b.event("invoice.created", 2, "invoice.created:2"))
		intent := func(n int) syncrun.Intent {
			return syncrun.Intent{RunID: runs[n].RunID, BindingID: b.binding, Operation: syncrun.WriteContact, ObjectKey: "customer-7", BodyHash: "x", Who: "test"}
		}
		jobs := []int64{b.take(t, runs[0].RunID), b.take(t, runs[1].RunID)}
		first, err := b.pool.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = first.Rollback(context.Background()) }()
		_, err = syncrun.Intend(t.Context(), first, jobs[0], 1, intent(0))
		require.NoError(t, err)

		second := make(chan error, 1)
		go func() {
			second <- pgx.BeginFunc(context.Background(), b.pool, func(tx pgx.Tx) error {
				_, err := syncrun.Intend(context.Background(), tx, jobs[1], 1, intent(1))
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
}

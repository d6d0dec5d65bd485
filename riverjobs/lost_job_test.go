package riverjobs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

func Test_A_lost_job(t *testing.T) {
	t.Parallel()

	// lose deletes the run's job past the triggers, as nobody should.
	lose := func(t *testing.T, b *bundle, run dbsqlc.SyncRun) {
		t.Helper()
		for _, statement := range []string{
			"ALTER TABLE river.river_job DISABLE TRIGGER USER", "DELETE FROM river.river_job", "ALTER TABLE river.river_job ENABLE TRIGGER USER",
		} {
			_, err := b.pool.Exec(t.Context(), statement)
			require.NoError(t, err)
		}
		rows, err := dbsqlc.New().RunQueueMismatchList(t.Context(), b.pool)
		require.NoError(t, err)
		require.Len(t, rows, 1, "the view shows it")
	}

	t.Run("Of_a_queued_run_is_replaced_by_a_retry", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		_, id := b.raise(t, "plain_vat")
		lose(t, b, b.run(t, id))
		require.NoError(t, b.op.Retry(t.Context(), id))
		b.noMismatch(t)
		b.work(t)
		require.Equal(t, syncrun.Succeeded, b.until(t, id, told).Status)
	})

	t.Run("That_had_to_tell_the_shop_is_replaced_by_a_retry", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		b.until(t, id, told)
		_, err := b.pool.Exec(t.Context(), "UPDATE sync_runs SET stage = 'push', shop_told = 'pending', told_at = NULL, river_job_id = 987654321 WHERE id = $1", id)
		require.NoError(t, err)
		require.NoError(t, b.op.Retry(t.Context(), id))
		b.until(t, id, told)
		require.Len(t, b.shop.Told("invoice", inv.ID), 2)
		require.Len(t, b.xero.Invoices(), 1)
	})

	t.Run("Is_no_reason_to_touch_a_run_that_succeeded_and_is_told", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		_, id := b.raise(t, "plain_vat")
		b.until(t, id, told)
		require.ErrorIs(t, b.op.Retry(t.Context(), id), riverjobs.ErrNothingToDo)
		b.noMismatch(t)
	})
}

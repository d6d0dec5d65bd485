package riverjobs_test

import (
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

func Test_Retry(t *testing.T) {
	t.Parallel()

	t.Run("Failed_run_starts_over_under_its_own_id", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.refuse()
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		b.onceTold(t, id, syncrun.Failed)
		require.NoError(t, b.op.Retry(t.Context(), id))
		b.noMismatch(t)
		run := b.until(t, id, toldAs(syncrun.Succeeded))
		require.Nil(t, run.ErrorCode)
		require.Equal(t, "synced", b.shop.Chip("invoice", inv.ID).Status)
		b.oneOfEach(t, inv)
		require.Contains(t, b.steps(t, id), "retry failed queued test")
	})

	t.Run("Cancelled_run_starts_over", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		inv, id := b.raise(t, "plain_vat")
		require.NoError(t, b.op.Cancel(t.Context(), id))
		b.work(t)
		b.onceTold(t, id, syncrun.Cancelled)
		require.Equal(t, "failed", b.shop.Chip("invoice", inv.ID).Status)
		require.NoError(t, b.op.Retry(t.Context(), id))
		b.until(t, id, toldAs(syncrun.Succeeded))
		b.oneOfEach(t, inv)
		b.noMismatch(t)
	})

	t.Run("Skipped_run_starts_over_under_the_settings_as_they_are", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		none := samplePolicy()
		none.WebsiteFilter = []int64{999}
		b.setPolicy(t, 2, none)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		b.onceTold(t, id, syncrun.Skipped)
		b.setPolicy(t, 3, samplePolicy())
		require.NoError(t, b.op.Retry(t.Context(), id))
		run := b.until(t, id, toldAs(syncrun.Succeeded))
		require.EqualValues(t, 3, run.PolicyVersion)
		require.Nil(t, run.SkipReason)
		b.oneOfEach(t, inv)
	})

	t.Run("Queued_run_goes_on_now", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.shop.Inject(magentosim.RouteInvoice, magentosim.Maintenance(503))
		b.work(t, firstDelay(hour))
		inv, id := b.raise(t, "plain_vat")
		b.until(t, id, func(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Queued && r.Attempt == 1 })
		require.NoError(t, b.op.Retry(t.Context(), id))
		b.onceTold(t, id, syncrun.Succeeded)
		b.oneOfEach(t, inv)
		require.Equal(t, 1, b.jobs(t, "fetch_canonical", id))
	})

	t.Run("Succeeded_or_running_run_leaves_nothing_to_do", func(t *testing.T) {
		t.Parallel()
		b, g := setup(t), newGate("before invoice")
		b.work(t, watch(g.at))
		t.Cleanup(g.release)
		_, id := b.raise(t, "plain_vat")
		arrived(t, g.arrived)
		require.ErrorIs(t, b.op.Retry(t.Context(), id), riverjobs.ErrNothingToDo)
		g.release()
		b.onceTold(t, id, syncrun.Succeeded)
		require.ErrorIs(t, b.op.Retry(t.Context(), id), riverjobs.ErrNothingToDo)
		require.ErrorIs(t, b.op.Cancel(t.Context(), id), riverjobs.ErrNothingToDo)
	})

	t.Run("While_the_shop_is_still_to_be_told_only_the_new_end_is_told", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.refuse()
		b.shop.Inject(magentosim.RouteSyncState, magentosim.Maintenance(503))
		b.work(t, firstDelay(hour))
		inv, id := b.raise(t, "plain_vat")
		b.until(t, id, is(syncrun.Failed))
		eventually(t, func() bool { return b.shop.Calls(magentosim.RouteSyncState) == 1 }, "the shop is called")
		eventually(t, func() bool { return b.job(t, "push_sync_state", id).State != "running" }, "the push waits")
		require.NoError(t, b.op.Retry(t.Context(), id))
		b.noMismatch(t)
		b.until(t, id, toldAs(syncrun.Succeeded))
		require.Len(t, b.shop.Told("invoice", inv.ID), 1)
		require.Equal(t, 1, b.jobs(t, "push_sync_state", id), "the job of the old end is gone")
	})

	t.Run("While_the_shop_is_being_told_the_new_end_is_the_last_word", func(t *testing.T) {
		t.Parallel()
		b, g := setup(t), magentosim.NewGate()
		b.refuse()
		b.shop.Inject(magentosim.RouteSyncState, magentosim.Waits(g))
		b.work(t)
		t.Cleanup(g.Release)
		inv, id := b.raise(t, "plain_vat")
		arrived(t, g.Arrived())
		require.NoError(t, b.op.Retry(t.Context(), id))
		g.Release()
		b.until(t, id, toldAs(syncrun.Succeeded))
		require.Equal(t, "synced", b.shop.Chip("invoice", inv.ID).Status)
		eventually(t, func() bool { return b.live(t, id) == 0 }, "no job is left")
		b.oneOfEach(t, inv)
		b.noMismatch(t)
	})

	for name, told := range map[string]bool{"while_the_shop_is_to_be_told": false, "after_the_shop_was_told": true} {
		t.Run("Operators_at_once_"+name+"_make_one_new_job", func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			_, id := b.raise(t, "plain_vat")
			require.NoError(t, b.op.Cancel(t.Context(), id))
			if told {
				w := b.work(t)
				b.onceTold(t, id, syncrun.Cancelled)
				w.stop()
			}
			errs := b.retryAtOnce(t, id, 4)
			for _, err := range errs {
				if err != nil {
					require.ErrorIs(t, err, riverjobs.ErrNothingToDo)
				}
			}
			require.Contains(t, errs, error(nil))
			require.Equal(t, 1, b.live(t, id))
			require.Equal(t, syncrun.Queued, b.run(t, id).Status)
			b.noMismatch(t)
		})
	}
}

// retryAtOnce lets operators meet at the row that each of them must lock.
func (b *bundle) retryAtOnce(t *testing.T, id uuid.UUID, operators int) []error {
	t.Helper()
	tx := b.begin(t)
	_, err := tx.Exec(t.Context(), "SELECT 1 FROM river.river_job WHERE id = (SELECT river_job_id FROM sync_runs WHERE id = $1) FOR UPDATE", id)
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SELECT 1 FROM sync_runs WHERE id = $1 FOR UPDATE", id)
	require.NoError(t, err)
	var all sync.WaitGroup
	errs := make([]error, operators)
	for i := range errs {
		all.Go(func() { errs[i] = b.op.Retry(t.Context(), id) })
	}
	eventually(t, func() bool {
		var waiting int
		require.NoError(t, b.pool.QueryRow(t.Context(),
			"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").Scan(&waiting))
		return waiting == operators
	}, "all of them wait")
	require.NoError(t, tx.Rollback(t.Context()))
	all.Wait()
	return errs
}

func Test_Cancel(t *testing.T) {
	t.Parallel()

	t.Run("Of_a_payment_leaves_the_posted_invoice_synced_at_the_shop", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		posted := b.until(t, id, toldAs(syncrun.Succeeded))
		paid := b.paid(t, inv) // there is no account for its money
		b.until(t, paid, func(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Held })
		require.NoError(t, b.op.Cancel(t.Context(), paid))
		b.until(t, paid, toldAs(syncrun.Cancelled))
		chip := b.shop.Chip("invoice", inv.ID)
		require.Equal(t, "synced", chip.Status)
		require.Equal(t, *posted.ProviderEntityID, chip.ProviderEntityID)
		require.Equal(t, *posted.ProviderReference, chip.ProviderReference)
	})

	t.Run("Held_run_ends_and_the_shop_is_told", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		inv, err := b.shop.RaiseCanonical(sample(t, "plain_vat"))
		require.NoError(t, err)
		id := b.paid(t, inv) // there is no account for its money
		b.until(t, id, is(syncrun.Held))
		require.NoError(t, b.op.Cancel(t.Context(), id))
		b.noMismatch(t)
		run := b.until(t, id, toldAs(syncrun.Cancelled))
		require.Nil(t, run.HoldReason)
		require.Equal(t, "failed", b.shop.Chip("invoice", inv.ID).Status)
	})

	t.Run("Running_run_ends_when_the_worker_lets_go", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.ledger.inject("invoice", tookHang)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		eventually(t, func() bool { return b.made("invoice") == 1 }, "the document is written")
		require.NoError(t, b.op.Cancel(t.Context(), id))
		b.onceTold(t, id, syncrun.Cancelled)
		require.Equal(t, "failed", b.shop.Chip("invoice", inv.ID).Status)
		// The document exists all the same; a retry finds it.
		require.NoError(t, b.op.Retry(t.Context(), id))
		b.until(t, id, toldAs(syncrun.Succeeded))
		b.oneOfEach(t, inv)
	})

	t.Run("Result_that_is_there_already_wins", func(t *testing.T) {
		t.Parallel()
		b, g := setup(t), newGate("after invoice")
		b.work(t, watch(g.at))
		t.Cleanup(g.release)
		inv, id := b.raise(t, "plain_vat")
		arrived(t, g.arrived)
		require.NoError(t, b.op.Cancel(t.Context(), id))
		g.release()
		b.onceTold(t, id, syncrun.Succeeded)
		b.oneOfEach(t, inv)
	})
}

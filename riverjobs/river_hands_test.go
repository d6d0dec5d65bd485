package riverjobs_test

import (
	"testing"

	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/syncrun"
)

// Test_Job_changed_by_others covers what River UI and psql do to a job, past
// all of our Go code.
func Test_Job_changed_by_others(t *testing.T) {
	t.Parallel()
	const discard = "UPDATE river.river_job SET state = 'discarded', finalized_at = now() WHERE id = $1"

	for kind, gatedAt := range map[string]string{"fetch_canonical": "", "post_invoice": "before invoice"} {
		t.Run("Discarded_"+kind+"_fails_its_run_and_its_retry_resumes_it", func(t *testing.T) {
			t.Parallel()
			b, g := setup(t), newGate(gatedAt)
			t.Cleanup(g.release)
			inv, id := b.raise(t, "plain_vat")
			if gatedAt != "" {
				w := b.work(t, watch(g.at), oneAtATime)
				t.Cleanup(g.release)
				arrived(t, g.arrived)
				defer w.stop()
			}
			job := b.job(t, kind, id)
			b.exec(t, discard, job.ID)
			require.Equal(t, syncrun.Failed, b.run(t, id).Status)
			b.noMismatch(t)
			g.release()
			b.work(t)
			require.Equal(t, "internal", *b.onceTold(t, id, syncrun.Failed).ErrorCode)

			_, err := b.insert.JobRetry(t.Context(), job.ID)
			require.NoError(t, err)
			b.noMismatch(t)
			b.until(t, id, toldAs(syncrun.Succeeded))
			require.Equal(t, 1, b.jobs(t, kind, id), "it is the old job that goes on")
			require.Equal(t, "synced", b.shop.Chip("invoice", inv.ID).Status)
			b.oneOfEach(t, inv)
		})
	}

	t.Run("Retried_before_the_shop_was_told_tells_only_the_new_end", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		inv, id := b.raise(t, "plain_vat")
		job := b.job(t, "fetch_canonical", id)
		b.exec(t, discard, job.ID)
		_, err := b.insert.JobRetry(t.Context(), job.ID)
		require.NoError(t, err)
		b.noMismatch(t)
		require.Equal(t, 1, b.live(t, id))
		b.work(t)
		b.until(t, id, toldAs(syncrun.Succeeded))
		require.Len(t, b.shop.Told("invoice", inv.ID), 1)
	})

	t.Run("Retry_of_a_job_that_its_run_is_done_with_is_undone", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		b.onceTold(t, id, syncrun.Succeeded)
		for _, kind := range []string{"fetch_canonical", "post_invoice", "push_sync_state"} {
			job := b.job(t, kind, id)
			_, err := b.insert.JobRetry(t.Context(), job.ID)
			require.NoError(t, err)
			require.Equal(t, rivertype.JobStateCompleted, b.job(t, kind, id).State)
			b.noMismatch(t)
		}
		b.onceTold(t, id, syncrun.Succeeded)
		b.oneOfEach(t, inv)
	})

	t.Run("Deleted_job_cancels_its_run", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		_, id := b.raise(t, "plain_vat")
		b.exec(t, "DELETE FROM river.river_job WHERE id = $1", b.job(t, "fetch_canonical", id).ID)
		require.Equal(t, syncrun.Cancelled, b.run(t, id).Status)
		b.noMismatch(t)
		b.work(t)
		b.onceTold(t, id, syncrun.Cancelled)
	})

	t.Run("Cancelled_push_is_given_up_and_its_retry_tells_the_shop_after_all", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		end := b.shop.Outage(magentosim.Maintenance(503))
		_, id := b.raise(t, "plain_vat")
		require.NoError(t, b.op.Cancel(t.Context(), id))
		job := b.job(t, "push_sync_state", id)
		_, err := b.insert.JobCancel(t.Context(), job.ID)
		require.NoError(t, err)
		run := b.until(t, id, func(r dbsqlc.SyncRun) bool { return r.ShopTold != nil && *r.ShopTold == "given_up" })
		require.Nil(t, run.RiverJobID)
		b.noMismatch(t)
		end()
		_, err = b.insert.JobRetry(t.Context(), job.ID)
		require.NoError(t, err)
		b.noMismatch(t)
		b.work(t)
		b.onceTold(t, id, syncrun.Cancelled)
	})
}

package riverjobs_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/syncrun"
)

func Test_Push(t *testing.T) {
	t.Parallel()

	t.Run("Shop_that_was_down_for_many_attempts_is_told_in_the_end", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t, firstDelay(time.Millisecond))
		down := []magentosim.Fault{
			magentosim.Maintenance(503), magentosim.Drops(magentosim.CutReset), magentosim.Maintenance(200),
			magentosim.Answers(500, `{"message":"oops"}`), magentosim.Answers(400, `{"message":"no"}`),
			magentosim.Answers(404, `{"message":"gone"}`), magentosim.Drops(magentosim.CutClose),
			magentosim.Maintenance(502), magentosim.Maintenance(503), magentosim.Maintenance(503),
		}
		b.shop.Inject(magentosim.RouteSyncState, down...)
		_, id := b.raise(t, "plain_vat")
		b.onceTold(t, id, syncrun.Succeeded)
		require.Greater(t, b.job(t, "push_sync_state", id).Attempt, 8) // more than a bug would get
	})

	t.Run("Every_attempt_says_the_same", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t, firstDelay(time.Millisecond))
		b.shop.Inject(magentosim.RouteSyncState,
			magentosim.Answers(500, `{}`).AfterEffect(), magentosim.Drops(magentosim.CutHalf), magentosim.Drops(magentosim.CutReset).AfterEffect())
		inv, id := b.raise(t, "plain_vat")
		b.onceTold(t, id, syncrun.Succeeded)
		said := b.shop.Told("invoice", inv.ID)
		require.GreaterOrEqual(t, len(said), 3)
		for _, s := range said {
			s.ChangedAt, said[0].ChangedAt = time.Time{}, time.Time{}
			require.Equal(t, said[0].Chip, s.Chip)
		}
	})

	t.Run("Refused_key_holds_no_end_back_for_ever", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		b.shop.Inject(magentosim.RouteSyncState, magentosim.Unauthorized(), magentosim.Unauthorized())
		_, id := b.raise(t, "plain_vat")
		eventually(t, func() bool { return b.connection(t) == "token_revoked" }, "the tenant is marked")
		b.until(t, id, func(r dbsqlc.SyncRun) bool {
			return r.Status == syncrun.Succeeded && b.job(t, "push_sync_state", id).State != "running"
		})
		_, err := b.insert.JobRetry(t.Context(), b.job(t, "push_sync_state", id).ID)
		require.NoError(t, err)
		b.onceTold(t, id, syncrun.Succeeded)
		require.Equal(t, "active", b.connection(t))
	})
}

func (b *bundle) begin(t *testing.T) pgx.Tx {
	t.Helper()
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(t.Context()) })
	return tx
}

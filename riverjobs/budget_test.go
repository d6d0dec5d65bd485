package riverjobs_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/quota"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

// Test_Budget_of_a_minute sends ten invoices, in two waves, to a Xero that
// takes six calls a minute and two at once: it never has to refuse one. It lasts as
// long as Xero's minutes do.
func Test_Budget_of_a_minute(t *testing.T) {
	pgtest.Long(t)
	t.Parallel()
	b, answers := setupBehind(t, xerosim.Config{OrgID: orgID, Limits: xerosim.Limits{PerMinute: 6, Concurrent: 2}})
	b.knowReference(t)
	mismatches := b.sample(t)
	b.work(t, limits(6, 2))
	b.raiseMany(t, 5, now)
	began := time.Now()
	eventually(t, func() bool { return b.ledger.calls("contact") > 0 }, "it begins")
	b.raiseMany(t, 5, now)
	for left := b.notTold(t); left > 0; left = b.notTold(t) {
		if time.Since(began) > 4*time.Minute {
			require.Failf(t, "waited too long", "%d are not told: %v", left, b.waiting(t))
		}
		pause(t)
	}
	t.Logf("told in %s with %d calls", time.Since(began).Round(time.Second), b.ledger.calls("contact")+b.ledger.calls("invoice"))
	require.Equal(t, map[string]int{syncrun.Succeeded: 10}, b.allTold(t))
	mismatches()
	b.eachOnce(t, 10)
	require.Zero(t, answers.answered(http.StatusTooManyRequests))
	require.LessOrEqual(t, b.xero.MostInFlight(), 2)
	require.Equal(t, 1, b.count(t, "SELECT max(attempt) FROM river.river_job WHERE kind = 'post_invoice'"), "waiting is no attempt")
}

// Test_No_call_free_at_once lets others of the binding be at its calls: those that
// wait for one do not stir all the while.
func Test_No_call_free_at_once(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.knowCustomer(t)
	_, w := b.queue(t, func() []uuid.UUID { return b.raiseMany(t, 60, now) })
	w.stop()
	others := make([]*quota.Calls, 5)
	for i := range others {
		others[i] = quota.New(b.pool, b.binding, quota.Limits{PerMinute: 10_000, AtOnce: 5}, false, "")
		require.NoError(t, others[i].Reserve(t.Context(), quota.Full, 1))
	}
	b.work(t)
	b.pauseFor(t, 0)
	eventually(t, func() bool { return b.attempts(t) > 0 }, "it begins")
	began, before := time.Now(), b.attempts(t)
	eventually(t, func() bool { return time.Since(began) > 4*time.Second }, "a while")
	stirred := b.attempts(t) - before
	t.Logf("%d attempts in four seconds", stirred)
	require.Less(t, stirred, 60)
	for _, other := range others {
		other.Return(t.Context())
	}
	require.Equal(t, map[string]int{syncrun.Succeeded: 61}, b.allTold(t))
	require.Equal(t, 1, b.count(t, "SELECT max(attempt) FROM river.river_job WHERE kind = 'post_invoice'"))
}

// attempts counts the attempts at the ledger.
func (b *bundle) attempts(t *testing.T) int {
	t.Helper()
	return b.count(t, "SELECT count(*) FROM sync_run_events WHERE step = 'post' AND to_status = 'running'")
}

func limits(perMinute, atOnce int) func(*riverjobs.Config) {
	return func(cfg *riverjobs.Config) { cfg.Limits = quota.Limits{PerMinute: perMinute, AtOnce: atOnce} }
}

// knowReference lets the binding know what Xero says of itself, as told by another
// one, so that no call is needed for it.
func (b *bundle) knowReference(t *testing.T) {
	t.Helper()
	binding := b.boundTo(t)
	binding.ApiUrl = serve(t, xerosim.New(xerosim.Config{OrgID: orgID}))
	ledger, err := config(b.pool, 10*time.Second).Ledgers(binding, provider.Unlimited)
	require.NoError(t, err)
	_, err = riverjobs.RefreshReference(t.Context(), dbsqlc.New(), b.pool, binding, ledger, time.Now())
	require.NoError(t, err)
}

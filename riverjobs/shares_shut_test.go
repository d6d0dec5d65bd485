package riverjobs_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/syncrun"
)

// Test_Binding_that_needs_consent is the share that Xero shuts.
func Test_Binding_that_needs_consent(t *testing.T) {
	t.Parallel()

	t.Run("Holds_all_that_wait_and_all_that_come_untried_and_a_reconnect_lets_them_go", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		mismatches, open := b.sample(t), b.refuseAccess()
		b.work(t)
		_, first := b.raise(t, "plain_vat")
		b.until(t, first, heldFor("auth"))
		called := b.xero.AllCalls()
		b.raiseMany(t, 30, now)
		b.allHeld(t, 31, "auth")
		b.raiseMany(t, 10, longAgo)
		b.allHeld(t, 41, "auth")
		require.Equal(t, called, b.xero.AllCalls(), "they are not tried")
		require.Equal(t, map[string]int{"scheduled": 1, "pending": 40}, b.states(t, posting))
		open()
		b.releaseWith(t, 1, 41, func(tx pgx.Tx) error {
			_, err := dbsqlc.New().BindingSetStatus(t.Context(), tx, dbsqlc.BindingSetStatusParams{ID: b.binding, Status: "active"})
			return err
		})
		require.Equal(t, map[string]int{syncrun.Succeeded: 41}, b.allTold(t))
		require.Equal(t, 1, b.count(t, "SELECT max(attempt) FROM river.river_job WHERE kind = 'post_invoice'"))
		mismatches()
		b.eachOnce(t, 41)
	})

	t.Run("Goes_on_where_only_its_status_says_that_it_works", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		open := b.refuseAccess()
		b.work(t)
		_, first := b.raise(t, "plain_vat")
		b.until(t, first, heldFor("auth"))
		b.raiseMany(t, 12, now)
		b.allHeld(t, 13, "auth")
		open()
		b.reconnect(t)
		eventually(t, func() bool { return b.notTold(t) <= 1 }, "those that waited go on; the probe has its own time")
		b.exec(t, "UPDATE river.river_job SET scheduled_at = clock_timestamp() WHERE state = 'scheduled'")
		require.Equal(t, map[string]int{syncrun.Succeeded: 13}, b.allTold(t))
		b.eachOnce(t, 13)
	})

	t.Run("Goes_on_when_the_one_that_looks_gets_through", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		open := b.refuseAccess()
		b.work(t)
		_, first := b.raise(t, "plain_vat")
		b.until(t, first, heldFor("auth"))
		b.raiseMany(t, 12, now)
		b.allHeld(t, 13, "auth")
		open()
		b.exec(t, "UPDATE river.river_job SET scheduled_at = clock_timestamp() WHERE state = 'scheduled'") // five minutes later
		require.Equal(t, map[string]int{syncrun.Succeeded: 13}, b.allTold(t))
		require.Equal(t, "active", b.boundTo(t).Status)
		b.eachOnce(t, 13)
	})

	t.Run("One_looks_again_where_several_were_refused_at_the_same_moment", func(t *testing.T) {
		t.Parallel()
		b := setupV2(t) // where no batch takes others along
		together := newMeeting(5)
		b.work(t, watch(func(_ context.Context, place string) error {
			if place != "before contact" && place != "before invoice" {
				return nil
			}
			together.come()
			return &provider.Failure{Kind: provider.Auth, Code: provider.CodeAuth, Message: "no access"}
		}))
		b.raiseOfMany(t, 12, now)
		b.allHeld(t, 12, "auth")
		require.Equal(t, 1, b.lookSoon(t))
	})

	t.Run("One_looks_every_few_minutes_also_where_others_had_waited_for_a_time_before", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.xero.Inject(xerosim.Fault{Operation: "PUT /Contacts", Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"3"}}})
		b.pauseFor(t, time.Hour)
		b.work(t, oneAtATime)
		b.raiseOfMany(t, 12, now)
		eventually(t, func() bool { return b.states(t, posting)["pending"] == 12 }, "all wait for their turn at the ledger")
		b.pauseFor(t, 0)
		eventually(t, func() bool {
			return b.count(t, "SELECT count(*) FROM sync_runs WHERE status = 'queued' AND next_attempt_at > clock_timestamp()") >= 8
		}, "a batch meets the limit")
		b.refuseAccess()
		_, err := dbsqlc.New().BindingSetStatus(t.Context(), b.pool, dbsqlc.BindingSetStatusParams{ID: b.binding, Status: "needs_consent"})
		require.NoError(t, err) // its token could not be renewed
		b.allHeld(t, 12, "auth")
		require.NotZero(t, b.lookSoon(t), "%v", b.waiting(t))
	})

	t.Run("Revoked_afterwards_its_runs_say_so", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.refuseAccess()
		b.work(t)
		_, first := b.raise(t, "plain_vat")
		b.until(t, first, heldFor("auth"))
		b.raiseMany(t, 6, now)
		b.allHeld(t, 7, "auth")
		b.revoke(t)
		b.exec(t, "UPDATE river.river_job SET scheduled_at = clock_timestamp() WHERE state = 'scheduled'")
		b.allHeld(t, 7, "binding_revoked")
	})
}

func Test_Revoked_binding_holds_all_of_its_runs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mismatches := b.sample(t)
	b.pauseFor(t, time.Hour)
	b.work(t)
	b.raiseMany(t, 15, now)
	eventually(t, func() bool { return b.states(t, posting)["pending"] == 15 }, "all wait for their turn at the ledger")
	b.revoke(t)
	b.allHeld(t, 15, "binding_revoked")
	b.raiseMany(t, 5, now) // accepted just before
	b.allHeld(t, 20, "binding_revoked")
	require.Empty(t, b.xero.AllCalls())
	for _, id := range b.runs(t) {
		require.NoError(t, b.op.Cancel(t.Context(), id))
	}
	require.Equal(t, map[string]int{syncrun.Cancelled: 20}, b.allTold(t))
	mismatches()
}

// Test_Shop_that_refuses_our_token is the share that a shop shuts.
func Test_Shop_that_refuses_our_token(t *testing.T) {
	t.Parallel()

	// shut is a shop that has refused one event, and then twelve that came.
	shut := func(t *testing.T) (b *bundle, first uuid.UUID, open func()) {
		t.Helper()
		b = setup(t)
		open = b.shop.Outage(magentosim.Unauthorized())
		b.work(t)
		_, first = b.raise(t, "plain_vat")
		b.until(t, first, heldFor("auth"))
		called := b.shop.Calls(magentosim.RouteInvoice)
		b.raiseMany(t, 12, now)
		b.allHeld(t, 13, "auth")
		require.Equal(t, called, b.shop.Calls(magentosim.RouteInvoice), "they are not tried")
		require.Equal(t, map[string]int{"scheduled": 1, "pending": 12}, b.states(t, fetching))
		return b, first, open
	}

	t.Run("Holds_all_and_goes_on_when_one_gets_through", func(t *testing.T) {
		t.Parallel()
		b, first, open := shut(t)
		open()
		require.NoError(t, b.op.Retry(t.Context(), first))
		require.Equal(t, map[string]int{syncrun.Succeeded: 13}, b.allTold(t))
		require.Equal(t, "active", b.connection(t))
		b.eachOnce(t, 13)
	})

	t.Run("Holds_all_and_goes_on_with_a_new_key", func(t *testing.T) {
		t.Parallel()
		b, _, open := shut(t)
		open()
		b.releaseWith(t, 1, 13, func(tx pgx.Tx) error {
			_, err := dbsqlc.New().TenantSetConnection(t.Context(), tx, dbsqlc.TenantSetConnectionParams{ID: b.tenant.ID, ConnectionStatus: "active"})
			return err
		})
		require.Equal(t, map[string]int{syncrun.Succeeded: 13}, b.allTold(t))
		b.eachOnce(t, 13)
	})

	// refusedTogether is a shop that has refused five events at the same moment, and
	// whose other four wait.
	refusedTogether := func(t *testing.T) (b *bundle, open func()) {
		t.Helper()
		b = setup(t)
		gates := b.gateShop(t, 5, magentosim.Unauthorized())
		b.work(t)
		b.raiseMany(t, 9, now)
		for _, g := range gates {
			arrived(t, g.Arrived())
		}
		open = b.shop.Outage(magentosim.Unauthorized()) // the second try of each, too
		for _, g := range gates {
			g.Release()
		}
		b.allHeld(t, 9, "auth")
		return b, open
	}

	t.Run("One_looks_again_where_several_were_refused_at_the_same_moment", func(t *testing.T) {
		t.Parallel()
		b, _ := refusedTogether(t)
		require.Equal(t, 1, b.lookSoon(t))
	})

	t.Run("All_that_were_refused_at_the_same_moment_go_on_when_one_gets_through", func(t *testing.T) {
		t.Parallel()
		b, open := refusedTogether(t)
		open()
		var one uuid.UUID
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT args ->> 'run_id' FROM river.river_job WHERE state = 'scheduled' LIMIT 1").Scan(&one))
		require.NoError(t, b.op.Retry(t.Context(), one))
		require.Equal(t, map[string]int{syncrun.Succeeded: 9}, b.allTold(t))
		b.eachOnce(t, 9)
	})

	t.Run("Is_told_of_all_that_ended_meanwhile_once_it_takes_our_token_again", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.pauseFor(t, time.Hour)
		b.work(t)
		b.raiseMany(t, 12, now)
		eventually(t, func() bool { return b.states(t, posting)["pending"] == 12 }, "all wait for their turn at the ledger")
		open := b.shop.Outage(magentosim.Unauthorized())
		b.pauseFor(t, 0)
		eventually(t, func() bool { return b.count(t, "SELECT count(*) FROM sync_runs WHERE status = 'succeeded'") == 12 }, "all are posted")
		eventually(t, func() bool { return b.connection(t) == "token_revoked" }, "the shop refuses")
		b.noMismatch(t)
		open()
		b.exec(t, "UPDATE river.river_job SET scheduled_at = clock_timestamp() WHERE state = 'scheduled'") // five minutes later
		require.Equal(t, map[string]int{syncrun.Succeeded: 12}, b.allTold(t))
		require.Equal(t, "active", b.connection(t))
	})
}

// refuseAccess makes Xero answer 403 to all that is written, until open is called.
func (b *bundle) refuseAccess() (open func()) {
	for _, operation := range []string{"PUT /Invoices", "PUT /Contacts"} {
		b.xero.Inject(xerosim.Fault{Operation: operation, Status: http.StatusForbidden, Times: 1_000_000})
	}
	return b.xero.ForgetFaults
}

// reconnect is what a new consent does to the binding.
func (b *bundle) reconnect(t *testing.T) {
	t.Helper()
	_, err := dbsqlc.New().BindingSetStatus(t.Context(), b.pool, dbsqlc.BindingSetStatusParams{ID: b.binding, Status: "active"})
	require.NoError(t, err)
}

func (b *bundle) revoke(t *testing.T) {
	t.Helper()
	n, err := dbsqlc.New().BindingRevoke(t.Context(), b.pool, b.binding)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

func heldFor(reason string) func(dbsqlc.SyncRun) bool {
	return func(run dbsqlc.SyncRun) bool { return run.Status == syncrun.Held && text(run.HoldReason) == reason }
}

// allHeld waits until so many runs are held for the reason, within seconds.
func (b *bundle) allHeld(t *testing.T, n int, reason string) {
	t.Helper()
	held := func() int {
		return b.count(t, "SELECT count(*) FROM sync_runs WHERE status = 'held' AND hold_reason = $1", reason)
	}
	for began := time.Now(); held() != n; pause(t) {
		require.Less(t, time.Since(began), 30*time.Second, "%d of %d are held for %s: %v", held(), n, reason, b.waiting(t))
	}
	b.noMismatch(t)
}

// lookSoon counts the held runs that look again within six minutes.
func (b *bundle) lookSoon(t *testing.T) int {
	t.Helper()
	return b.count(t, `
		SELECT count(*)
		FROM sync_runs AS run
		JOIN river.river_job AS job ON job.id = run.river_job_id
		WHERE run.status = 'held' AND job.state = 'scheduled' AND job.scheduled_at < clock_timestamp() + interval '6 minutes'`)
}

// runs are all runs.
func (b *bundle) runs(t *testing.T) (ids []uuid.UUID) {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), "SELECT id FROM sync_runs")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		require.NoError(t, rows.Scan(&id))
		ids = append(ids, id)
	}
	require.NoError(t, rows.Err())
	return ids
}

// gateShop holds the next n readings of an invoice at gates, and then fails them.
func (b *bundle) gateShop(t *testing.T, n int, fault magentosim.Fault) (gates []*magentosim.Gate) {
	t.Helper()
	for range n {
		g := magentosim.NewGate()
		t.Cleanup(g.Release)
		fault.Gate = g
		gates = append(gates, g)
		b.shop.Inject(magentosim.RouteInvoice, fault)
	}
	return gates
}

// meeting lets the first n go on together, and later ones at once.
type meeting struct {
	mu   sync.Mutex
	left int
	all  chan struct{}
}

func newMeeting(n int) *meeting { return &meeting{left: n, all: make(chan struct{})} }

func (m *meeting) come() {
	m.mu.Lock()
	if m.left--; m.left == 0 {
		close(m.all)
	}
	m.mu.Unlock()
	<-m.all
}

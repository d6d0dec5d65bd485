package quota_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/outbound"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/quota"
)

var background = context.Background()

// desk is a binding whose calls are counted in a database of the test's.
type desk struct {
	pool    *pgxpool.Pool
	binding uuid.UUID
	limits  quota.Limits
}

func setup(t *testing.T) desk {
	t.Helper()
	pool := pgtest.New(t)
	return desk{pool, newBinding(t, pool, "ORG"), quota.Limits{PerMinute: 3, AtOnce: 2}}
}

func (d desk) calls() *quota.Calls { return quota.New(d.pool, d.binding, d.limits, false, "") }

// of is the same desk for another binding.
func (d desk) of(binding uuid.UUID) desk {
	d.binding = binding
	return d
}

// usage is what of the binding's budget is used.
func (d desk) usage(t *testing.T) quota.Usage {
	t.Helper()
	var state []byte
	var now time.Time
	require.NoError(t, d.pool.QueryRow(t.Context(), `
		SELECT budget.state, clock_timestamp()
		FROM bindings AS binding
		LEFT JOIN call_budgets AS budget ON budget.key = call_budget_key(binding)
		WHERE binding.id = $1`, d.binding).Scan(&state, &now))
	return quota.Decode(state).Usage(now, d.limits)
}

func (d desk) has(t *testing.T, used, underWay int) {
	t.Helper()
	u := d.usage(t)
	require.Equal(t, []int{used, underWay}, []int{u.Minute().Used, u.UnderWay}, "used, under way")
}

func (d desk) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := d.pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func Test_Calls(t *testing.T) {
	t.Parallel()

	t.Run("Permit_counts_a_call_until_it_is_done", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		c := d.calls()
		done, err := c.Permit(t.Context())
		require.NoError(t, err)
		d.has(t, 1, 1)
		done(provider.Quota{})
		d.has(t, 1, 0)
		require.Equal(t, 1, c.Made())
	})

	t.Run("Reserved_calls_are_the_first_that_are_made", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		c := d.calls()
		require.NoError(t, c.Reserve(t.Context(), quota.Partial, 2))
		d.has(t, 2, 1)
		require.Zero(t, c.Made())
		for range 2 {
			done, err := c.Permit(t.Context())
			require.NoError(t, err)
			done(provider.Quota{})
			d.has(t, 2, 1)
		}
		done, err := c.Permit(t.Context())
		require.NoError(t, err)
		done(provider.Quota{})
		d.has(t, 3, 1)
		require.Equal(t, 3, c.Made())
		c.Return(t.Context()) // they were made
		d.has(t, 3, 0)
	})

	t.Run("Returned_calls_were_never_counted", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		c := d.calls()
		c.Return(t.Context()) // nothing is reserved
		require.NoError(t, c.Reserve(t.Context(), quota.Full, 3))
		done, err := c.Permit(t.Context())
		require.NoError(t, err)
		c.Return(t.Context())
		c.Return(t.Context())
		d.has(t, 1, 1)
		require.Equal(t, 1, c.Made())
		require.NoError(t, c.Reserve(t.Context(), quota.Full, 2))
		d.has(t, 3, 2)
		done(provider.Quota{})
		d.has(t, 3, 1)
		c.Return(t.Context())
		d.has(t, 1, 0)
	})

	t.Run("More_than_a_minute_allows_is_not_asked_for", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		require.NoError(t, d.calls().Reserve(t.Context(), quota.Full, 10))
		d.has(t, 3, 1)
	})

	t.Run("Calls_of_one_work_beside_each_other_are_two_at_once", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		c := d.calls()
		require.NoError(t, c.Reserve(t.Context(), quota.Full, 1))
		first, err := c.Permit(t.Context())
		require.NoError(t, err)
		second, err := c.Permit(t.Context())
		require.NoError(t, err)
		d.has(t, 2, 2)
		_, err = c.Permit(t.Context())
		refused(t, err)
		second(provider.Quota{})
		first(provider.Quota{})
		c.Return(t.Context())
		d.has(t, 2, 0)
	})

	t.Run("Lease_that_ended_meanwhile_is_asked_for_anew_and_what_it_had_counts", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		c := quota.New(d.pool, d.binding, d.limits, false, "process")
		require.NoError(t, c.Reserve(t.Context(), quota.Full, 2))
		quota.Age(c, 80*time.Second) // no call begins without a look
		d.exec(t, `INSERT INTO worker_processes (client_id, last_seen) VALUES ('process', clock_timestamp() - interval '1 hour')`)
		d.buries(t, 0)
		done, err := c.Permit(t.Context())
		require.NoError(t, err)
		d.has(t, 3, 1)
		done(provider.Quota{})
		c.Return(t.Context())
		d.has(t, 3, 0)
		require.Equal(t, 1, c.Made())
	})

	t.Run("Refused_says_when_to_come_again_and_counts_nothing", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		for range d.limits.AtOnce {
			_, err := d.calls().Permit(t.Context())
			require.NoError(t, err)
		}
		d.has(t, 2, 2)
		c := d.calls()
		for _, err := range []error{c.Reserve(t.Context(), quota.Full, 1), c.Reserve(t.Context(), quota.Partial, 1)} {
			refused(t, err)
		}
		_, err := c.Permit(t.Context())
		refused(t, err)
		c.Return(t.Context())
		require.Zero(t, c.Made())
		d.has(t, 2, 2)
	})

	t.Run("End_is_noted_where_the_work_is_being_cut_off", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		ctx, cut := context.WithCancel(t.Context())
		c, other := d.calls(), d.calls()
		done, err := c.Permit(ctx)
		require.NoError(t, err)
		require.NoError(t, other.Reserve(ctx, quota.Full, 1))
		d.has(t, 2, 2)
		cut()
		done(provider.Quota{})
		other.Return(ctx)
		d.has(t, 1, 0)
	})

	t.Run("Database_that_is_away_is_temporary_and_nothing_is_sent", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		gone, err := pgxpool.New(t.Context(), d.pool.Config().ConnString())
		require.NoError(t, err)
		gone.Close()
		c := quota.New(gone, d.binding, d.limits, false, "")
		sim := xerosim.New(xerosim.Config{})
		_, err = client(t, sim, c.Permit).Reference(t.Context())
		require.Equal(t, provider.Temporary, provider.AsFailure(err).Kind)
		require.Equal(t, provider.Temporary, provider.AsFailure(c.Reserve(t.Context(), quota.Full, 1)).Kind)
		require.Empty(t, sim.AllCalls())
		require.Zero(t, c.Made())
		c.Return(t.Context())
	})

	t.Run("Call_that_the_cut_off_work_asks_for_is_not_made", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		ctx, cut := context.WithCancel(t.Context())
		cut()
		c := d.calls()
		_, err := c.Permit(ctx)
		require.Equal(t, provider.Temporary, provider.AsFailure(err).Kind)
		require.Zero(t, c.Made())
		d.has(t, 0, 0)
	})

	t.Run("What_the_answers_say_of_others_is_respected", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		d.limits = quota.Limits{PerMinute: 60, AtOnce: 5}
		sim := xerosim.New(xerosim.Config{Limits: xerosim.Limits{PerMinute: 60, PerDay: 1000, Concurrent: 5}})
		sim.SetCallsLeft(8, -1) // others made 52
		c := d.calls()
		ledger := client(t, sim, c.Permit)
		_, err := ledger.Reference(t.Context())
		require.NoError(t, err)
		for err == nil {
			_, err = ledger.Recheck(t.Context(), provider.Reference{}, "period_locked")
		}
		require.Equal(t, provider.ReasonBudget, provider.AsFailure(err).Reason, "it stops before Xero says so")
		require.Equal(t, 8, c.Made())
	})
}

// refused asserts a refusal that is ours.
func refused(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	f := provider.AsFailure(err)
	require.Equal(t, provider.RateLimited, f.Kind)
	require.Equal(t, provider.ReasonBudget, f.Reason)
	require.Equal(t, provider.CodeRateLimited, f.Code)
	require.Positive(t, f.RetryAfter)
}

// client is the real client of a simulated Xero over real HTTP.
func client(t *testing.T, sim *xerosim.Sim, permit provider.Permit) *xero.Client {
	t.Helper()
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	c, err := xero.New(xero.Config{
		BaseURL: server.URL, HTTP: outbound.New(outbound.Config{AllowPrivate: true, Timeout: 10 * time.Second}), Permit: permit,
		Token: func(context.Context) (string, error) { return "token", nil },
	})
	require.NoError(t, err)
	return c
}

// bury lets a live process's heartbeat look for the dead.
func (d desk) bury(t *testing.T) {
	t.Helper()
	conn, err := d.pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	require.NoError(t, quota.EndDead(t.Context(), conn.Conn(), 4*time.Second, time.Minute))
}

// buries waits until only so many pieces of work are under way: nobody is taken for
// dead while the server has just started.
func (d desk) buries(t *testing.T, underWay int) {
	t.Helper()
	require.Eventually(t, func() bool {
		d.bury(t)
		return d.usage(t).UnderWay == underWay
	}, time.Minute, 100*time.Millisecond)
}

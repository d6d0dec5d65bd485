package quota_test

import (
	"context"
	"net/http/httptest"
	"sync"
	"sync/atomic"
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

// desk is a binding whose calls are counted in a database of the test's.
type desk struct {
	pool    *pgxpool.Pool
	binding uuid.UUID
	limits  quota.Limits
}

func setup(t *testing.T) desk {
	t.Helper()
	pool := pgtest.New(t)
	return desk{pool, newBinding(t, pool), quota.Limits{PerMinute: 3, AtOnce: 2}}
}

func (d desk) calls() *quota.Calls { return quota.New(d.pool, d.binding, d.limits, false, "") }

// counted are the calls of the last minute, and those of them under way.
func (d desk) counted(t *testing.T) (used, underWay int) {
	t.Helper()
	require.NoError(t, d.pool.QueryRow(t.Context(),
		"SELECT count(*), count(*) FILTER (WHERE begun AND NOT ended) FROM provider_calls WHERE binding_id = $1", d.binding).Scan(&used, &underWay))
	return used, underWay
}

func (d desk) has(t *testing.T, used, underWay int) {
	t.Helper()
	u, w := d.counted(t)
	require.Equal(t, []int{used, underWay}, []int{u, w}, "used, under way")
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
		d.has(t, 2, 0)
		require.Zero(t, c.Made())
		done, err := c.Permit(t.Context())
		require.NoError(t, err)
		d.has(t, 2, 1)
		done(provider.Quota{})
		_, err = c.Permit(t.Context())
		require.NoError(t, err)
		d.has(t, 2, 1)
		c.Return(t.Context()) // they were made
		d.has(t, 2, 1)
		_, err = c.Permit(t.Context())
		require.NoError(t, err)
		d.has(t, 3, 2)
		require.Equal(t, 3, c.Made())
	})

	t.Run("Returned_calls_were_never_counted", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		c := d.calls()
		c.Return(t.Context()) // nothing is reserved
		require.NoError(t, c.Reserve(t.Context(), quota.Full, 3))
		_, err := c.Permit(t.Context())
		require.NoError(t, err)
		c.Return(t.Context())
		c.Return(t.Context())
		d.has(t, 1, 1)
		require.Equal(t, 1, c.Made())
		require.NoError(t, c.Reserve(t.Context(), quota.Full, 2))
		d.has(t, 3, 1)
	})

	t.Run("More_than_a_minute_allows_is_not_asked_for", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		require.NoError(t, d.calls().Reserve(t.Context(), quota.Full, 10))
		d.has(t, 3, 0)
	})

	t.Run("Reserved_call_waits_where_too_many_are_under_way_and_is_kept", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		c := d.calls()
		require.NoError(t, c.Reserve(t.Context(), quota.Full, 3))
		first, err := c.Permit(t.Context())
		require.NoError(t, err)
		_, err = c.Permit(t.Context())
		require.NoError(t, err)
		_, err = c.Permit(t.Context())
		refused(t, err)
		d.has(t, 3, 2)
		first(provider.Quota{})
		_, err = c.Permit(t.Context())
		require.NoError(t, err)
		d.has(t, 3, 2)
	})

	t.Run("Call_that_was_reserved_too_long_ago_is_asked_for_anew", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		c := d.calls()
		require.NoError(t, c.Reserve(t.Context(), quota.Full, 2))
		_, err := d.pool.Exec(t.Context(), "UPDATE provider_calls SET counted_at = counted_at - interval '61 seconds'")
		require.NoError(t, err)
		_, err = c.Permit(t.Context())
		require.NoError(t, err)
		d.has(t, 1, 1)
		require.Equal(t, 1, c.Made())
	})

	t.Run("Refused_says_when_to_come_again_and_counts_nothing", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		for range d.limits.AtOnce {
			_, err := d.calls().Permit(t.Context())
			require.NoError(t, err)
		}
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
		c := d.calls()
		done, err := c.Permit(ctx)
		require.NoError(t, err)
		require.NoError(t, c.Reserve(ctx, quota.Full, 1))
		d.has(t, 2, 1)
		cut()
		done(provider.Quota{})
		c.Return(ctx)
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

// Test_Processes_at_once_are_granted_exactly_the_limit asks from fifty places in
// two pools at the real clock, also where no budget was there before.
func Test_Processes_at_once_are_granted_exactly_the_limit(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		limits  quota.Limits
		granted int64
	}{
		"of_the_minute": {quota.Limits{PerMinute: 30, AtOnce: 100}, 30},
		"at_once":       {quota.Limits{PerMinute: 200, AtOnce: 5}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t)
			pools := []*pgxpool.Pool{process(t, url), process(t, url)}
			binding := newBinding(t, pools[0])
			var granted atomic.Int64
			var all sync.WaitGroup
			for _, pool := range pools {
				for range 25 {
					all.Go(func() {
						c := quota.New(pool, binding, want.limits, false, "")
						for range 3 {
							if _, err := c.Permit(t.Context()); err == nil {
								granted.Add(1)
							}
						}
					})
				}
			}
			all.Wait()
			require.Equal(t, want.granted, granted.Load())
		})
	}
}

// process is the pool of a process.
func process(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

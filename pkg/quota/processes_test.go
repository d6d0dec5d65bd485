package quota_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/provider"
	"towpath/pkg/quota"
)

// Test_Processes_at_once_are_granted_exactly_the_limit asks from fifty places in
// two pools at the real clock, for two bindings of one organisation, also where no
// budget was there before.
func Test_Processes_at_once_are_granted_exactly_the_limit(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		limits  quota.Limits
		granted int64
	}{
		"of_the_minute": {quota.Limits{PerMinute: 30, AtOnce: 1000}, 30},
		"at_once":       {quota.Limits{PerMinute: 200, AtOnce: 5}, 5},
		"of_the_clock":  {quota.Limits{PerMinute: 5000, PerHour: 40, AtOnce: 1000, Clock: true}, 40},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t)
			var granted atomic.Int64
			var all sync.WaitGroup
			for range 2 {
				pool := process(t, url)
				binding := newBinding(t, pool, "ORG")
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

func Test_Process_that_died_holds_no_place_and_its_calls_count(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for _, client := range []string{"dies", "lives"} {
		d.exec(t, `INSERT INTO worker_processes (client_id, last_seen) VALUES ($1, clock_timestamp() + interval '1 hour')`, client)
		_, err := quota.New(d.pool, d.binding, d.limits, false, client).Permit(t.Context())
		require.NoError(t, err)
	}
	d.bury(t)
	d.has(t, 2, 2)
	d.exec(t, `UPDATE worker_processes SET last_seen = clock_timestamp() - interval '1 hour' WHERE client_id = 'dies'`)
	d.buries(t, 1)
	d.has(t, 2, 1)
	_, err := d.calls().Permit(t.Context())
	require.NoError(t, err)
	_, err = d.calls().Permit(t.Context())
	refused(t, err)

	// Whoever looks for the dead waits for nobody who is at the row.
	d.exec(t, `UPDATE worker_processes SET last_seen = clock_timestamp() - interval '1 hour'`)
	tx, err := d.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SELECT 1 FROM call_budgets FOR UPDATE")
	require.NoError(t, err)
	d.bury(t)
	d.has(t, 3, 2)
	require.NoError(t, tx.Rollback(t.Context()))
	d.bury(t)
	d.has(t, 3, 1)
}

func Test_Budget_is_the_organisation_s(t *testing.T) {
	t.Parallel()

	// one lets a binding make a call.
	one := func(t *testing.T, d desk) {
		t.Helper()
		done, err := d.calls().Permit(t.Context())
		require.NoError(t, err)
		done(provider.Quota{})
	}

	t.Run("Of_all_tenants_that_write_to_it", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		other := d.of(newBinding(t, d.pool, "org")) // the same, spelt otherwise
		one(t, d)
		one(t, other)
		one(t, d)
		for _, binding := range []desk{d, other} {
			binding.has(t, 3, 0)
			_, err := binding.calls().Permit(t.Context())
			refused(t, err)
		}
		d.of(newBinding(t, d.pool, "another")).has(t, 0, 0)
		d.of(newBinding(t, d.pool, "")).has(t, 0, 0)
	})

	t.Run("Calls_of_before_it_was_known_count_there_for_everybody", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		unknown := d.of(newBinding(t, d.pool, ""))
		one(t, unknown)
		one(t, d)
		work := unknown.calls()
		require.NoError(t, work.Reserve(t.Context(), quota.Full, 1))
		unknown.has(t, 2, 1)
		d.exec(t, `UPDATE bindings SET org_id = 'ORG' WHERE id = $1`, unknown.binding)
		_, err := d.calls().Permit(t.Context())
		refused(t, err)
		for _, binding := range []desk{d, unknown} {
			binding.has(t, 3, 1)
		}
		done, err := work.Permit(t.Context()) // it was granted there and is settled here
		require.NoError(t, err)
		done(provider.Quota{})
		work.Return(t.Context())
		d.has(t, 3, 0)
		var rows int
		require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT count(*) FROM call_budgets").Scan(&rows))
		require.Equal(t, 1, rows)
	})

	t.Run("Another_one_s_budget_is_its_own_and_what_was_begun_is_settled_where_it_was", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		other := d.of(newBinding(t, d.pool, "ORG"))
		one(t, d)
		work := d.calls()
		require.NoError(t, work.Reserve(t.Context(), quota.Full, 2))
		d.exec(t, `UPDATE bindings SET org_id = 'ELSEWHERE' WHERE id = $1`, d.binding)
		d.has(t, 0, 0)
		other.has(t, 3, 1)
		done, err := work.Permit(t.Context())
		require.NoError(t, err)
		done(provider.Quota{})
		work.Return(t.Context())
		other.has(t, 2, 0)
		d.has(t, 0, 0)
		one(t, d)
		d.has(t, 1, 0)
		other.has(t, 2, 0)
	})

	t.Run("Binding_made_anew_goes_on_with_it", func(t *testing.T) {
		t.Parallel()
		d := setup(t)
		one(t, d)
		d.exec(t, `UPDATE bindings SET status = 'revoked', revoked_at = now() WHERE id = $1`, d.binding)
		d.of(newBinding(t, d.pool, "ORG")).has(t, 1, 0)
	})
}

// Test_Settled_lease_that_the_server_lost_counts_in_full is the crash of Postgres
// after a settlement that was not on disk yet: the budget is as it was before.
func Test_Settled_lease_that_the_server_lost_counts_in_full(t *testing.T) {
	t.Parallel()
	d := setup(t)
	c := d.calls()
	require.NoError(t, c.Reserve(t.Context(), quota.Full, 2))
	var before string
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT state FROM call_budgets").Scan(&before))
	c.Return(t.Context())
	d.has(t, 0, 0)
	d.exec(t, "UPDATE call_budgets SET state = $1::text::json", before)
	d.has(t, 2, 1)
	c.Return(context.Background())
	d.has(t, 2, 1)
	require.Equal(t, 2, quota.Decode([]byte(before)).Usage(time.Now().Add(life), d.limits).Minute().Used)
}

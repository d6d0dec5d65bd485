package quota_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/quota"
)

// Test_Rules_hold_in_any_order_of_calls asks for calls of every kind, begins them,
// ends them and gives them back at simulated times, in any order.
func Test_Rules_hold_in_any_order_of_calls(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	rapid.Check(t, func(t *rapid.T) {
		b := newBook(t, pool, quota.Limits{
			PerMinute: rapid.IntRange(1, 24).Draw(t, "per minute"), AtOnce: rapid.IntRange(1, 6).Draw(t, "at once"),
		})
		quiet := rapid.Bool().Draw(t, "the provider says nothing")
		t.Repeat(map[string]func(*rapid.T){
			"take":       func(t *rapid.T) { b.takes(t, quiet) },
			"take again": func(t *rapid.T) { b.takes(t, quiet) }, // most of what happens
			"begin":      func(t *rapid.T) { b.begins(t, pick(t, b.waiting())) },
			"wait": func(t *rapid.T) {
				b.now = b.now.Add(time.Duration(rapid.Int64Range(0, 20_000_000).Draw(t, "microseconds")) * time.Microsecond)
			},
			"wait for one": func(t *rapid.T) { // to be a window old, or just not
				at := b.granted[pick(t, b.places(func(grant) bool { return true }))].at
				b.now = at.Add(window - time.Duration(rapid.IntRange(0, 1).Draw(t, "microsecond"))*time.Microsecond)
			},
			"end": func(t *rapid.T) {
				i := pick(t, b.underWay())
				if quiet {
					b.done(t, i, nil, nil)
					return
				}
				b.done(t, i, maybe(t, "minute left", b.limits.PerMinute), maybe(t, "day left", 50))
			},
			"give back": func(t *rapid.T) { b.giveBack(t, pick(t, b.waiting())) },
			"":          func(*rapid.T) {},
		})
	})
}

// pick draws one of places.
func pick(t *rapid.T, places []int) int {
	if len(places) == 0 {
		t.Skip("there is none")
	}
	return rapid.SampledFrom(places).Draw(t, "call")
}

func maybe(t *rapid.T, label string, most int) *int {
	n := rapid.IntRange(-1, most).Draw(t, label)
	if n < 0 {
		return nil
	}
	return &n
}

// most are the limits that a call of either kind keeps.
func (b *book) most(backfill bool) (aMinute, atOnce int) {
	if backfill {
		return max(1, b.limits.BackfillPerMinute()), max(1, b.limits.AtOnce-1)
	}
	return b.limits.PerMinute, b.limits.AtOnce
}

// takes asks for calls of any kind and judges the answer.
func (b *book) takes(t *rapid.T, quiet bool) {
	backfill := rapid.Bool().Draw(t, "backfill")
	load := rapid.SampledFrom([]quota.Load{quota.Full, quota.Lone, quota.Partial}).Draw(t, "load")
	calls := rapid.IntRange(1, 4).Draw(t, "calls")
	used, underWay := b.used(), len(b.underWay())
	granted, wait := b.take(t, backfill, load, calls)
	aMinute, atOnce := b.most(backfill)
	if granted > 0 {
		require.LessOrEqual(t, used+granted, aMinute, "calls in 61 s")
		require.Less(t, underWay, atOnce, "calls at once")
		require.True(t, !quiet || granted == min(calls, aMinute-used), "%d calls of %d", granted, calls)
		return
	}
	require.Positive(t, wait)
	if quiet && load == quota.Full {
		require.True(t, used+min(calls, 2, aMinute) > aMinute || underWay >= atOnce,
			"refused %d at %d of %d in 61 s and %d of %d at once", calls, used, aMinute, underWay, atOnce)
	}
	if quiet {
		require.LessOrEqual(t, wait, 3*window) // one until there is room, and those with slots before it
	}
	b.getsThrough(t, backfill, load, calls, wait)
}

// begins begins a call that was asked for and judges the answer.
func (b *book) begins(t *rapid.T, i int) {
	backfill, underWay := b.granted[i].backfill, len(b.underWay())
	begun := b.begin(t, i)
	require.NotNil(t, begun, "it was asked for less than a window ago")
	_, atOnce := b.most(backfill)
	if !*begun {
		require.GreaterOrEqual(t, underWay, atOnce)
		return
	}
	require.Less(t, underWay, atOnce, "calls at once, backfill %v", backfill)
	require.LessOrEqual(t, b.used(), b.limits.PerMinute)
}

// getsThrough asserts that who comes again when told to, and nothing else
// happens, is granted in the end: within the hour for which the provider is
// believed of the day, and a window more.
func (b *book) getsThrough(t *rapid.T, backfill bool, load quota.Load, calls int, wait time.Duration) {
	ctx := context.Background()
	tx, err := b.pool.Begin(ctx)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(ctx)) }()
	at := b.now
	for range 300 {
		at = at.Add(wait)
		var ids []int64
		if ids, wait = b.ask(t, tx, backfill, load, calls, at); len(ids) > 0 {
			require.LessOrEqual(t, at.Sub(b.now), time.Hour+2*window)
			return
		}
		require.Positive(t, wait)
	}
	require.Fail(t, "still refused", "at %s", at.Sub(b.now))
}

func Test_Reserve_of_backfill_is_what_the_limits_say(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	for perMinute := 2; perMinute <= 60; perMinute += 1 + perMinute/7 {
		b := newBook(t, pool, quota.Limits{PerMinute: perMinute, AtOnce: 100})
		for n := range b.limits.BackfillPerMinute() {
			require.True(t, b.backfill(t), "call %d of backfill at %d a minute", n, perMinute)
		}
		require.False(t, b.backfill(t), "the reserve at %d a minute", perMinute)
		for range perMinute - b.limits.BackfillPerMinute() {
			require.True(t, b.live(t))
		}
		require.False(t, b.live(t))
		b.now = b.now.Add(window)
		require.True(t, b.backfill(t))
	}
}

func Test_Pace(t *testing.T) {
	t.Parallel()

	t.Run("Part_of_the_minute_goes_at_once_and_then_each_waits_for_its_time", func(t *testing.T) {
		t.Parallel()
		for load, free := range map[quota.Load]int{quota.Partial: 6, quota.Lone: 30} {
			b := open(t, quota.Limits{PerMinute: 60, AtOnce: 100})
			for range free {
				granted, _ := b.call(t, false, load)
				require.True(t, granted)
			}
			for n := range 100 {
				before := b.now
				for granted, wait := b.call(t, false, load); !granted; granted, wait = b.call(t, false, load) {
					b.now = b.now.Add(wait)
				}
				require.LessOrEqual(t, b.now.Sub(before), window/time.Duration(60-free)+2*time.Second, "number %d, %v full", n, load)
			}
		}
	})

	t.Run("Full_call_waits_for_no_pace", func(t *testing.T) {
		t.Parallel()
		b := open(t, quota.Limits{PerMinute: 8, AtOnce: 100})
		for range 8 {
			require.True(t, b.live(t))
		}
		require.False(t, b.live(t))
	})

	t.Run("Those_that_are_refused_together_come_again_one_after_another_within_the_minute", func(t *testing.T) {
		t.Parallel()
		for _, load := range []quota.Load{quota.Full, quota.Lone, quota.Partial} {
			b := open(t, quota.Limits{PerMinute: 60, AtOnce: 100})
			for range 60 {
				require.True(t, b.live(t))
			}
			last := time.Duration(0)
			for n := range 5 {
				granted, wait := b.call(t, false, load)
				require.False(t, granted)
				require.Greater(t, wait, last)
				require.LessOrEqual(t, wait, window+time.Duration(n)*3*time.Second, "number %d, %v full", n, load)
				last = wait
			}
		}
	})
}

func Test_Call_whose_process_died_is_under_way_for_a_window_only(t *testing.T) {
	t.Parallel()
	b := open(t, quota.Limits{PerMinute: 60, AtOnce: 2})
	require.True(t, b.live(t))
	require.True(t, b.live(t))
	require.False(t, b.live(t))
	b.now = b.now.Add(window - time.Microsecond)
	require.False(t, b.live(t))
	b.now = b.now.Add(time.Microsecond)
	require.True(t, b.live(t))
}

func Test_Returned_call_does_not_count(t *testing.T) {
	t.Parallel()
	b := open(t, quota.Limits{PerMinute: 3, AtOnce: 5})
	require.True(t, b.live(t))
	b.done(t, 0, nil, ptr(10))
	for range 20 {
		granted, _ := b.take(t, false, quota.Full, 2)
		require.Equal(t, 2, granted)
		b.giveBack(t, 2)
		b.giveBack(t, 1)
	}
	require.True(t, b.live(t))
	require.True(t, b.live(t))
	require.Equal(t, 8, b.dayLeft(t))
	require.False(t, b.live(t), "three were made")
}

func Test_Room_that_a_returned_call_left_is_not_closed_to_the_jobs_that_wait(t *testing.T) {
	t.Parallel()
	b := open(t, quota.Limits{PerMinute: 4, AtOnce: 5})
	granted, _ := b.take(t, false, quota.Full, 4) // as many as a batch may need
	require.Equal(t, 4, granted)
	require.NotNil(t, b.begin(t, 0))
	require.False(t, b.live(t)) // nothing is admitted for a minute
	for len(b.granted) > 1 {
		b.giveBack(t, 1)
	}
	var until *time.Time
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT live_from FROM call_budgets WHERE binding_id = $1", b.binding).Scan(&until))
	require.True(t, until == nil || until.Sub(b.now) < time.Second, "jobs wait until %v though three calls are left", until)
}

// dayLeft is what the budget believes to be left of the day.
func (b *book) dayLeft(t testingT) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(context.Background(), "SELECT day_left FROM call_budgets WHERE binding_id = $1", b.binding).Scan(&n))
	return n
}

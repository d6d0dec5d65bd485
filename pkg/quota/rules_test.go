package quota_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/quota"
)

// Test_Rules_hold_in_any_order_of_calls asks for calls of every kind, makes them,
// settles, loses and gives them back at simulated times, in any order, and judges by
// an account of its own.
func Test_Rules_hold_in_any_order_of_calls(t *testing.T) {
	t.Parallel()
	for name, draw := range map[string]func(t *rapid.T) quota.Limits{
		"by_rolling_minutes": func(t *rapid.T) quota.Limits {
			return quota.Limits{PerMinute: rapid.IntRange(1, 24).Draw(t, "per minute"), AtOnce: rapid.IntRange(1, 6).Draw(t, "at once")}
		},
		"by_rolling_minutes_of_many_calls": func(t *rapid.T) quota.Limits {
			return quota.Limits{PerMinute: rapid.IntRange(129, 140).Draw(t, "per minute"), AtOnce: 200}
		},
		"by_the_clock": func(t *rapid.T) quota.Limits {
			return quota.Limits{PerMinute: rapid.IntRange(1, 12).Draw(t, "per minute"), PerHour: rapid.IntRange(1, 40).Draw(t, "per hour"),
				AtOnce: rapid.IntRange(1, 6).Draw(t, "at once"), Clock: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				b := open(draw(t))
				b.now = noon.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Hour/time.Microsecond)).Draw(t, "begins")) * time.Microsecond)
				quiet := rapid.Bool().Draw(t, "the provider says nothing")
				t.Repeat(b.actions(quiet))
			})
		})
	}
}

func (b *book) actions(quiet bool) map[string]func(*rapid.T) {
	take := func(t *rapid.T) { b.takes(t, quiet) }
	makes := func(t *rapid.T) { b.makes(t) }
	return map[string]func(*rapid.T){
		"take": take, "take again": take, "call": makes, "call again": makes, // most of what happens
		"more": func(t *rapid.T) {
			w := pick(t, b.alive())
			b.more(w, rapid.IntRange(1, 4).Draw(t, "calls"))
		},
		"wait": func(t *rapid.T) {
			b.passes(time.Duration(rapid.Int64Range(0, 20_000_000).Draw(t, "microseconds")) * time.Microsecond)
		},
		"wait long": func(t *rapid.T) {
			b.passes(time.Duration(rapid.IntRange(20, 2000).Draw(t, "seconds")) * time.Second)
		},
		"wait for one": func(t *rapid.T) { // to be a window old, or just not
			at := pick(t, b.calls).at.Add(window - time.Duration(rapid.IntRange(0, 1).Draw(t, "microsecond"))*time.Microsecond)
			b.passes(at.Sub(b.now))
		},
		"answer": func(t *rapid.T) {
			pick(t, b.calling()).calling = false
		},
		"settle": func(t *rapid.T) {
			w := pick(t, b.alive())
			word := quota.Word{At: b.now}
			if !quiet {
				word.Minute, word.Day = maybe(t, "minute left", b.limits.PerMinute), maybe(t, "day left", 50)
			}
			b.settle(w, word)
		},
		"die": func(t *rapid.T) { pick(t, b.alive()).dead = true },
		"death is seen": func(t *rapid.T) {
			w := pick(t, slices.DeleteFunc(slices.Clone(b.work), func(w *work) bool { return !w.dead }))
			b.Budget = b.EndOf(b.now, w.client)
			b.forget(w)
		},
		"store": func(t *rapid.T) {
			stored, err := json.Marshal(b.Budget)
			require.NoError(t, err)
			b.Budget = quota.Decode(stored)
		},
		"": b.holds,
	}
}

func pick[T any](t *rapid.T, list []T) T {
	if len(list) == 0 {
		t.Skip("there is none")
	}
	return rapid.SampledFrom(list).Draw(t, "which")
}

func maybe(t *rapid.T, label string, most int) *int {
	n := rapid.IntRange(-1, most).Draw(t, label)
	if n < 0 {
		return nil
	}
	return &n
}

// passes lets time pass: leases of the dead are over after their life, and the
// living have theirs renewed before they call, or lose it with what it had.
func (b *book) passes(d time.Duration) {
	b.now = b.now.Add(max(d, 0))
	b.work = slices.DeleteFunc(b.work, func(w *work) bool { return b.now.Sub(w.granted) >= life })
}

func (b *book) alive() []*work {
	return slices.DeleteFunc(slices.Clone(b.work), func(w *work) bool { return w.dead })
}

func (b *book) calling() []*work {
	return slices.DeleteFunc(b.alive(), func(w *work) bool { return !w.calling })
}

// makes begins a call of a piece of work that has one left and none under way. Of
// an old lease it makes sure first.
func (b *book) makes(t *rapid.T) {
	w := pick(t, slices.DeleteFunc(b.alive(), func(w *work) bool { return w.calling || w.left == 0 }))
	if b.now.Sub(w.granted) > life-45*time.Second {
		after, there := b.Renew(b.now, w.id)
		require.True(t, there)
		b.Budget, w.granted = after, b.now
	}
	b.call(w)
}

// takes asks for calls of any kind and judges the answer.
func (b *book) takes(t *rapid.T, quiet bool) {
	ask := quota.Ask{
		Calls:    rapid.IntRange(1, 4).Draw(t, "calls"),
		Load:     rapid.SampledFrom([]quota.Load{quota.Full, quota.Lone, quota.Partial}).Draw(t, "load"),
		Backfill: rapid.Bool().Draw(t, "backfill"),
		Client:   rapid.StringMatching("[a-z]{8}").Draw(t, "process"),
	}
	before, underWay := b.usage(), len(b.work)
	w, wait := b.take(ask)
	minute, atOnce := b.limits.PerMinute, b.limits.AtOnce
	if ask.Backfill {
		minute, atOnce = max(1, quota.BackfillPerMinute(b.limits)), max(1, b.limits.AtOnce-1)
	}
	used := before.Minute().Used
	if w != nil {
		require.LessOrEqual(t, used+w.left, minute)
		require.Less(t, underWay, atOnce)
		if quiet && b.limits.PerHour == 0 {
			require.Equal(t, min(ask.Calls, minute-used), w.left)
		}
		return
	}
	require.Positive(t, wait)
	if quiet && ask.Load == quota.Full && b.limits.PerHour == 0 {
		require.True(t, used+min(ask.Calls, 2, minute) > minute || underWay >= atOnce,
			"refused %d at %d of %d and %d of %d at once", ask.Calls, used, minute, underWay, atOnce)
	}
	b.getsThrough(t, ask, wait)
}

// holds is what must be true at any time, whatever happened.
func (b *book) holds(t *rapid.T) {
	require.LessOrEqual(t, len(b.work), b.limits.AtOnce, "pieces of work at once")
	if len(b.calls) == 0 {
		return
	}
	if !b.limits.Clock {
		b.holdsIn(t, b.limits.PerMinute, "61 s", func(from, at time.Time) bool { return at.Sub(from) < window })
		return
	}
	// Whatever the provider's clock says, up to five seconds from ours.
	for _, off := range []time.Duration{-5 * time.Second, 0, 5 * time.Second} {
		for name, span := range map[string]time.Duration{"minute": time.Minute, "hour": time.Hour} {
			limit := map[string]int{"minute": b.limits.PerMinute, "hour": b.limits.PerHour}[name]
			b.holdsIn(t, limit, name, func(from, at time.Time) bool {
				return from.Add(off).Truncate(span).Equal(at.Add(off).Truncate(span))
			})
		}
	}
}

// holdsIn asserts of the last call that so many are together with it.
func (b *book) holdsIn(t *rapid.T, limit int, name string, together func(from, at time.Time) bool) {
	last, n, backfill := b.calls[len(b.calls)-1].at, 0, 0
	for _, c := range b.calls {
		if together(c.at, last) {
			n++
			if c.backfill {
				backfill++
			}
		}
	}
	require.LessOrEqual(t, n, limit, "calls of a %s", name)
	if name != "hour" {
		require.LessOrEqual(t, backfill, max(1, quota.BackfillPerMinute(b.limits)), "calls of backfill in a %s", name)
	}
}

// getsThrough asserts that who comes again when told to, and nothing else
// happens, is granted in the end.
func (b *book) getsThrough(t *rapid.T, ask quota.Ask, wait time.Duration) {
	budget, at := b.Budget, b.now
	ask.Lease = rand.Int64()
	for range 300 {
		at = at.Add(wait)
		after, answer := budget.Reserve(at, b.limits, ask)
		if answer.Granted > 0 {
			require.LessOrEqual(t, at.Sub(b.now), 2*time.Hour+2*window)
			return
		}
		require.Positive(t, answer.Wait)
		budget, wait = after, answer.Wait
	}
	require.Fail(t, "still refused", "at %s", at.Sub(b.now))
}

func Test_Reserve_of_backfill_is_what_the_limits_say(t *testing.T) {
	t.Parallel()
	for perMinute := 2; perMinute <= 60; perMinute++ {
		b := open(quota.Limits{PerMinute: perMinute, AtOnce: 5})
		for n := range quota.BackfillPerMinute(b.limits) {
			require.True(t, b.backfill(), "call %d of backfill at %d a minute", n, perMinute)
		}
		require.False(t, b.backfill(), "the reserve at %d a minute", perMinute)
		for range perMinute - quota.BackfillPerMinute(b.limits) {
			require.True(t, b.live())
		}
		require.False(t, b.live())
		b.now = b.now.Add(window)
		require.True(t, b.backfill())
	}
}

func Test_Pace(t *testing.T) {
	t.Parallel()

	t.Run("Part_of_the_minute_goes_at_once_and_then_each_waits_for_its_time", func(t *testing.T) {
		t.Parallel()
		for load, free := range map[quota.Load]int{quota.Partial: 6, quota.Lone: 30} {
			b := open(quota.Limits{PerMinute: 60, AtOnce: 5})
			one := func() time.Duration {
				w, wait := b.take(quota.Ask{Calls: 1, Load: load})
				if w != nil {
					b.call(w)
					b.settle(w, quota.Word{})
				}
				return wait
			}
			for range free {
				require.Zero(t, one())
			}
			for n := range 100 {
				before := b.now
				for wait := one(); wait > 0; wait = one() {
					b.now = b.now.Add(wait)
				}
				require.LessOrEqual(t, b.now.Sub(before), window/time.Duration(60-free)+2*time.Second, "number %d, %v full", n, load)
			}
		}
	})

	t.Run("Full_call_waits_for_no_pace", func(t *testing.T) {
		t.Parallel()
		b := open(quota.Limits{PerMinute: 8, AtOnce: 5})
		for range 8 {
			require.True(t, b.live())
		}
		require.False(t, b.live())
	})

	t.Run("Those_that_are_refused_together_come_again_one_after_another_within_the_minute", func(t *testing.T) {
		t.Parallel()
		for _, load := range []quota.Load{quota.Full, quota.Lone, quota.Partial} {
			b := open(quota.Limits{PerMinute: 60, AtOnce: 5})
			for range 60 {
				require.True(t, b.live())
			}
			last := time.Duration(0)
			for n := range 5 {
				w, wait := b.take(quota.Ask{Calls: 1, Load: load})
				require.Nil(t, w)
				require.Greater(t, wait, last)
				require.LessOrEqual(t, wait, window+time.Duration(n)*3*time.Second, "number %d, %v full", n, load)
				last = wait
			}
		}
	})
}

func Test_Clock(t *testing.T) {
	t.Parallel()
	freeAgent := quota.LimitsOf("freeagent", "v2")

	t.Run("Burst_of_a_minute_goes_at_once", func(t *testing.T) {
		t.Parallel()
		b := open(freeAgent)
		b.now = noon.Add(30 * time.Second)
		for n := range 120 {
			require.True(t, b.live(), "call %d", n)
		}
		require.False(t, b.live())
	})

	t.Run("Next_minute_begins_when_it_has_struck_for_both_clocks", func(t *testing.T) {
		t.Parallel()
		b := open(freeAgent)
		b.now = noon.Add(50 * time.Second)
		for range 120 {
			require.True(t, b.live())
		}
		require.Equal(t, 15*time.Second, b.wait(false))
		b.now = noon.Add(65*time.Second - time.Microsecond)
		require.False(t, b.live())
		b.now = noon.Add(65 * time.Second)
		require.True(t, b.live())
	})

	t.Run("Call_near_to_the_full_minute_counts_in_both", func(t *testing.T) {
		t.Parallel()
		b := open(freeAgent)
		b.now = noon.Add(58 * time.Second)
		for b.live() {
		}
		b.now = noon.Add(90 * time.Second)
		require.False(t, b.live())
		b.now = noon.Add(125 * time.Second)
		require.True(t, b.live())
	})

	t.Run("Hour_holds_too_and_a_tenth_of_it_is_not_for_backfill", func(t *testing.T) {
		t.Parallel()
		b := open(freeAgent)
		b.now = noon.Add(10 * time.Second)
		made := 0
		for at := b.now; at.Before(noon.Add(55 * time.Minute)); at = at.Add(time.Minute) {
			b.now = at
			for b.backfill() {
				made++
			}
		}
		require.Equal(t, 3240, made)
		for range 3 {
			for b.live() {
				made++
			}
			b.now = b.now.Add(time.Minute)
		}
		require.Equal(t, 3600, made)
		b.now = noon.Add(time.Hour + 5*time.Second - time.Microsecond)
		require.False(t, b.live())
		b.now = noon.Add(time.Hour + 5*time.Second)
		require.True(t, b.live())
	})
}

func Test_Estimate(t *testing.T) {
	t.Parallel()
	xero, freeAgent := quota.LimitsOf("xero", "accounting"), quota.LimitsOf("freeagent", "v2")
	require.Zero(t, quota.Estimate(xero, 0, 50, nil))
	require.Equal(t, window, quota.Estimate(xero, 1200, 50, nil))
	require.Equal(t, 2*window, quota.Estimate(xero, 2400, 50, nil))
	require.Equal(t, time.Minute, quota.Estimate(freeAgent, 40, 1, nil))
	require.Equal(t, 34*time.Minute, quota.Estimate(freeAgent, 1620, 1, nil), "an hour's calls of backfill at a minute's pace")
	require.Equal(t, time.Hour+time.Minute, quota.Estimate(freeAgent, 1621, 1, nil), "the next wait for the hour")
	require.Equal(t, 24*time.Hour, quota.Estimate(xero, 2400, 50, &quota.Allowance{Left: 95, Limit: 5000}))
}

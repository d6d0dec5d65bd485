package quota_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/quota"
)

func Test_Day(t *testing.T) {
	t.Parallel()
	limits := quota.Limits{PerMinute: 1000, AtOnce: 5}

	// said is a budget of which the provider has just said what is left of the day.
	said := func(t *testing.T, most, left int) *book {
		t.Helper()
		b := open(limits)
		require.True(t, b.one(false, nil, &most))
		require.True(t, b.one(false, nil, &left))
		return b
	}

	t.Run("Last_call_goes_and_the_next_waits_for_an_hour", func(t *testing.T) {
		t.Parallel()
		b := said(t, 1000, 1)
		require.True(t, b.live())
		require.Equal(t, time.Hour, b.wait(false))
	})

	t.Run("Backfill_leaves_a_tenth", func(t *testing.T) {
		t.Parallel()
		b := said(t, 100, 12)
		require.True(t, b.backfill())
		require.True(t, b.backfill())
		require.False(t, b.backfill())
		for range 3 {
			require.True(t, b.live())
		}
	})

	t.Run("Hour_later_one_call_finds_out_and_the_others_wait_for_its_answer", func(t *testing.T) {
		t.Parallel()
		b := said(t, 1000, 0)
		require.False(t, b.live())
		b.now = b.now.Add(time.Hour)
		w, _ := b.take(quota.Ask{Calls: 1})
		require.NotNil(t, w)
		b.call(w)
		require.False(t, b.live(), "a second call goes before the first has found out")
		b.now = b.now.Add(time.Second)
		b.settle(w, quota.Word{At: b.now, Day: ptr(1000)})
		require.True(t, b.live())
	})

	t.Run("Hour_later_the_call_that_finds_none_begins_another_hour", func(t *testing.T) {
		t.Parallel()
		b := said(t, 1000, 0)
		b.now = b.now.Add(time.Hour)
		require.True(t, b.one(false, nil, ptr(0)))
		require.Equal(t, time.Hour, b.wait(false))
	})

	t.Run("Hour_later_an_answer_that_is_lost_or_says_nothing_does_not_open_the_day", func(t *testing.T) {
		t.Parallel()
		b := said(t, 1000, 0)
		b.now = b.now.Add(time.Hour)
		for range 3 { // each comes to a wall; only now and then one may try
			require.True(t, b.live())
			wait := b.wait(false)
			require.Positive(t, wait, "the day is open since one call went without an answer")
			b.now = b.now.Add(wait)
		}
	})

	t.Run("Calls_under_way_are_counted_when_an_answer_that_did_not_know_them_comes", func(t *testing.T) {
		t.Parallel()
		b := said(t, 1000, 2)
		one, _ := b.take(quota.Ask{Calls: 1})
		other, _ := b.take(quota.Ask{Calls: 1})
		b.call(one)
		b.call(other)
		b.settle(one, quota.Word{At: b.now, Day: ptr(1)}) // the other one has not reached the provider yet
		require.False(t, b.live(), "three calls where two were left")
	})

	t.Run("Answer_that_is_older_than_another_does_not_count", func(t *testing.T) {
		t.Parallel()
		b := said(t, 1000, 2)
		slow, _ := b.take(quota.Ask{Calls: 1})
		b.call(slow)
		heard := b.now
		b.now = b.now.Add(time.Second)
		require.True(t, b.one(false, nil, ptr(0)))
		b.settle(slow, quota.Word{At: heard, Day: ptr(1)})
		require.False(t, b.live(), "the word of a second ago opened the day")
	})

	t.Run("New_day_seen_by_a_call_that_was_under_way_lets_the_jobs_go_on", func(t *testing.T) {
		t.Parallel()
		b := said(t, 1000, 1)
		w, _ := b.take(quota.Ask{Calls: 1})
		b.call(w)
		require.False(t, b.live())                        // nothing is admitted for an hour
		b.settle(w, quota.Word{At: b.now, Day: ptr(999)}) // and midnight was just over
		require.Nil(t, b.usage().LiveFrom, "jobs wait though the day is new")
	})

	t.Run("What_answers_say_of_others_is_left_to_them", func(t *testing.T) {
		t.Parallel()
		b := open(quota.LimitsOf("xero", "accounting"))
		require.True(t, b.one(false, ptr(8), nil)) // others made 51
		n := 0
		for b.live() {
			n++
		}
		require.Equal(t, 8, n)
		require.Equal(t, 51, b.usage().Others)
		b.now = b.now.Add(window + time.Microsecond)
		require.Zero(t, b.usage().Others)
	})
}

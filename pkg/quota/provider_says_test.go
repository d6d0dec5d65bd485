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
		b := open(t, limits)
		require.True(t, b.live(t))
		b.done(t, 0, nil, &most)
		require.True(t, b.live(t))
		b.done(t, 1, nil, &left)
		return b
	}

	t.Run("Last_call_goes_and_the_next_waits_for_an_hour", func(t *testing.T) {
		t.Parallel()
		b := said(t, 1000, 1)
		require.True(t, b.live(t))
		b.done(t, 2, nil, nil)
		granted, wait := b.call(t, false, quota.Full)
		require.False(t, granted)
		require.Equal(t, time.Hour, wait)
	})

	t.Run("Backfill_leaves_a_tenth", func(t *testing.T) {
		t.Parallel()
		b := said(t, 100, 12)
		require.True(t, b.backfill(t))
		require.True(t, b.backfill(t))
		require.False(t, b.backfill(t))
		for range 3 {
			require.True(t, b.live(t))
		}
	})

	t.Run("Hour_later_one_call_finds_out_and_the_others_wait_for_its_answer", func(t *testing.T) {
		t.Parallel()
		b := said(t, 1000, 0)
		require.False(t, b.live(t))
		b.now = b.now.Add(time.Hour)
		require.True(t, b.live(t))
		require.False(t, b.live(t), "a second call goes before the first has found out")
		b.done(t, 2, nil, ptr(1000))
		require.True(t, b.live(t))
	})

	t.Run("Hour_later_the_call_that_finds_none_begins_another_hour", func(t *testing.T) {
		t.Parallel()
		b := said(t, 1000, 0)
		b.now = b.now.Add(time.Hour)
		require.True(t, b.live(t))
		b.done(t, 2, nil, ptr(0))
		granted, wait := b.call(t, false, quota.Full)
		require.False(t, granted)
		require.Equal(t, time.Hour, wait)
	})

	t.Run("Hour_later_an_answer_that_is_lost_or_says_nothing_does_not_open_the_day", func(t *testing.T) {
		t.Parallel()
		b := said(t, 1000, 0)
		b.now = b.now.Add(time.Hour)
		for n := range 3 { // each comes to a wall; only now and then one may try
			require.True(t, b.live(t))
			b.done(t, 2+n, nil, nil)
			granted, wait := b.call(t, false, quota.Full)
			require.False(t, granted, "the day is open since one call went without an answer")
			b.now = b.now.Add(wait)
		}
	})

	t.Run("Calls_under_way_are_counted_when_an_answer_that_did_not_know_them_comes", func(t *testing.T) {
		t.Parallel()
		b := said(t, 1000, 2)
		require.True(t, b.live(t))
		require.True(t, b.live(t))
		b.done(t, 2, nil, ptr(1)) // the other one has not reached the provider yet
		require.False(t, b.live(t), "three calls where two were left")
	})

	t.Run("New_day_seen_by_a_call_that_was_under_way_lets_the_jobs_go_on", func(t *testing.T) {
		t.Parallel()
		b := said(t, 1000, 1)
		require.True(t, b.live(t))
		require.False(t, b.live(t)) // nothing is admitted for an hour
		b.done(t, 2, nil, ptr(999)) // and midnight was just over
		var until *time.Time
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT live_from FROM call_budgets WHERE binding_id = $1", b.binding).Scan(&until))
		require.True(t, until == nil || until.Sub(b.now) < time.Minute, "jobs wait until %v though the day is new", until)
	})
}

package quota_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/quota"
)

func Test_Lease(t *testing.T) {
	t.Parallel()

	t.Run("Lost_one_is_under_way_for_its_life_only_and_its_calls_count", func(t *testing.T) {
		t.Parallel()
		b := open(quota.Limits{PerMinute: 10, AtOnce: 2})
		for range 2 {
			w, _ := b.take(quota.Ask{Calls: 4})
			require.NotNil(t, w)
		}
		b.now = b.now.Add(life - time.Microsecond)
		require.False(t, b.live())
		b.now = b.now.Add(time.Microsecond)
		require.Equal(t, 8, b.usage().Minute().Used, "they may have been made until they could not any more")
		require.True(t, b.live())
		b.now = b.now.Add(window)
		require.Zero(t, b.usage().Minute().Used)
	})

	t.Run("Dead_process_s_calls_are_over_and_count_as_made", func(t *testing.T) {
		t.Parallel()
		b := open(quota.Limits{PerMinute: 10, AtOnce: 2})
		for _, client := range []string{"dies", "lives"} {
			w, _ := b.take(quota.Ask{Calls: 4, Client: client})
			require.NotNil(t, w)
		}
		require.False(t, b.live())
		b.Budget = b.EndOf(b.now, "dies")
		require.Equal(t, 1, b.usage().UnderWay)
		require.Equal(t, 8, b.usage().Minute().Used)
		require.True(t, b.live())
	})

	t.Run("Settled_one_counts_what_it_called_when_it_called", func(t *testing.T) {
		t.Parallel()
		b := open(quota.Limits{PerMinute: 3, AtOnce: 5})
		w, _ := b.take(quota.Ask{Calls: 3})
		b.call(w)
		b.now = b.now.Add(20 * time.Second)
		b.call(w)
		b.now = b.now.Add(20 * time.Second)
		require.False(t, b.live())
		b.settle(w, quota.Word{})
		require.True(t, b.live(), "one was given back")
		require.False(t, b.live())
		b.now = noon.Add(window)
		require.True(t, b.live(), "the first is old by now")
		require.False(t, b.live())
	})

	t.Run("Room_that_was_given_back_is_not_closed_to_the_jobs_that_wait", func(t *testing.T) {
		t.Parallel()
		b := open(quota.Limits{PerMinute: 4, AtOnce: 5})
		w, _ := b.take(quota.Ask{Calls: 4})
		b.call(w)
		require.False(t, b.live()) // nothing is admitted for a minute
		b.settle(w, quota.Word{})
		require.Nil(t, b.usage().LiveFrom)
		for range 3 {
			require.True(t, b.live())
		}
		require.False(t, b.live())
	})

	t.Run("Calls_that_were_given_back_were_none_of_the_day_s", func(t *testing.T) {
		t.Parallel()
		b := open(quota.Limits{PerMinute: 30, AtOnce: 5})
		require.True(t, b.one(false, nil, ptr(10)))
		for range 20 {
			w, _ := b.take(quota.Ask{Calls: 2})
			require.Equal(t, 8, b.usage().Day.Left)
			b.settle(w, quota.Word{})
		}
		require.Equal(t, 10, b.usage().Day.Left)
	})

	t.Run("Old_one_that_is_settled_late_has_no_effect", func(t *testing.T) {
		t.Parallel()
		b := open(quota.Limits{PerMinute: 10, AtOnce: 5})
		w, _ := b.take(quota.Ask{Calls: 4})
		b.call(w)
		b.now = b.now.Add(life)
		b.settle(w, quota.Word{})
		require.Equal(t, 4, b.usage().Minute().Used)
		_, there := b.Renew(b.now, w.id)
		require.False(t, there)
	})

	t.Run("Work_that_goes_on_asks_for_more_under_its_own_place", func(t *testing.T) {
		t.Parallel()
		b := open(quota.Limits{PerMinute: 4, AtOnce: 1})
		w, _ := b.take(quota.Ask{Calls: 1})
		granted, _ := b.more(w, 2)
		require.Equal(t, 2, granted)
		granted, _ = b.more(w, 2)
		require.Zero(t, granted, "half of it only")
		granted, _ = b.more(w, 1)
		require.Equal(t, 1, granted)
		require.Equal(t, 1, b.usage().UnderWay)
	})

	t.Run("Too_many_at_once_keeps_others_from_being_admitted_until_one_is_over", func(t *testing.T) {
		t.Parallel()
		b := open(quota.Limits{PerMinute: 10, AtOnce: 1})
		w, _ := b.take(quota.Ask{Calls: 1})
		_, wait := b.take(quota.Ask{Calls: 1})
		require.Equal(t, 500*time.Millisecond, wait)
		require.Equal(t, b.now.Add(wait), *b.usage().LiveFrom)
		require.Equal(t, b.now.Add(wait), *b.usage().BackfillFrom)
		b.settle(w, quota.Word{})
		require.Nil(t, b.usage().LiveFrom)
		require.Nil(t, b.usage().BackfillFrom)
	})
}

// The database's clock may be set, and somebody may have written into the row.
func Test_Budget_that_is_odd_does_not_stop_anything(t *testing.T) {
	t.Parallel()
	limits := quota.LimitsOf("xero", "accounting")

	t.Run("Clock_that_was_set_back", func(t *testing.T) {
		t.Parallel()
		for _, limits := range []quota.Limits{limits, quota.LimitsOf("freeagent", "v2")} {
			b := open(limits)
			for range limits.PerMinute {
				require.True(t, b.one(false, ptr(30), ptr(2000)))
			}
			w, _ := b.take(quota.Ask{Calls: 1})
			require.Nil(t, w)
			b.now = b.now.Add(-3 * time.Hour)
			require.False(t, b.live(), "what was called counts")
			b.now = b.now.Add(2 * time.Minute)
			require.True(t, b.live())
		}
	})

	for name, stored := range map[string]string{
		"nothing": ``, "null": `null`, "a number": `7`, "another shape": `{"calls": 3}`,
		"negative calls":  `{"calls": {"minute": [[1, -9]]}, "leases": [{"id": 1, "left": -4, "at": 99999999999999999}]}`,
		"a window of old": `{"calls": {"week": [[1, 9]]}}`,
	} {
		t.Run("Stored_"+name, func(t *testing.T) {
			t.Parallel()
			b := open(limits)
			b.Budget = quota.Decode([]byte(stored))
			require.True(t, b.live())
			require.False(t, b.usage().Minute().Used > 2)
		})
	}
}

func Test_Budgets_of_one_organisation_are_joined_with_all_that_they_know(t *testing.T) {
	t.Parallel()
	limits := quota.LimitsOf("xero", "accounting")
	one, other := open(limits), open(limits)
	for range 20 {
		require.True(t, one.live())
		require.True(t, other.live())
	}
	require.True(t, one.one(false, nil, ptr(700)))
	other.now = other.now.Add(time.Second)
	require.True(t, other.one(false, nil, ptr(500)))
	w, _ := other.take(quota.Ask{Calls: 3})
	one.now, one.Budget = other.now, one.Join(other.Budget)
	require.Equal(t, 45, one.usage().Minute().Used)
	require.Equal(t, 497, one.usage().Day.Left)
	one.work = append(one.work, w)
	one.settle(w, quota.Word{})
	require.Equal(t, 42, one.usage().Minute().Used)
}

func Test_Stored_budget_is_small(t *testing.T) {
	t.Parallel()
	for _, limits := range []quota.Limits{quota.LimitsOf("xero", "accounting"), quota.LimitsOf("freeagent", "v2"), {PerMinute: 1_000_000, AtOnce: 5}} {
		b := open(limits)
		for n := 0; n < 3000; n++ {
			b.one(false, ptr(50), ptr(900))
			b.now = b.now.Add(17 * time.Millisecond)
		}
		stored, err := json.Marshal(b.Budget)
		require.NoError(t, err)
		require.Less(t, len(stored), 4000, "%+v", limits)
		require.Equal(t, b.usage(), quota.Decode(stored).Usage(b.now, limits))
	}
}

package gaps_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/gaps"
)

// monday is the first hour of a Monday.
var monday = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// shop has events in these hours of these days (0: Monday) of the weeks before monday, and
// in more hours from monday on; it is asked at now.
func shop(t *testing.T, weeks int, days, hours []int, more []int, now time.Time) gaps.Shop {
	t.Helper()
	b := setup(t)
	id := int64(0)
	add := func(at time.Time) {
		id++
		b.came(t, "invoice.created", 1, id, `{}`, "", at.Add(20*time.Minute))
	}
	for w := 1; w <= weeks; w++ {
		for _, day := range days {
			for _, hour := range hours {
				add(monday.AddDate(0, 0, day-7*w).Add(time.Duration(hour) * time.Hour))
			}
		}
	}
	for _, hour := range more {
		add(monday.Add(time.Duration(hour) * time.Hour))
	}
	shops, err := gaps.Shops(t.Context(), b.pool, now)
	require.NoError(t, err)
	require.Len(t, shops, 1)
	return shops[0]
}

func Test_A_shop_is_silent_by_its_own_rhythm(t *testing.T) {
	t.Parallel()
	office, workdays, busy := []int{9, 10, 11, 12, 13, 14, 15, 16}, []int{0, 1, 2, 3, 4}, []int{0, 1, 2, 3, 4, 5, 6}
	at := func(hours float64) time.Time { return monday.Add(time.Duration(hours * float64(time.Hour))) }
	for name, c := range map[string]struct {
		weeks              int
		days, hours, today []int
		now                time.Time
		silent             bool
	}{
		"A_night_and_a_weekend_are_no_silence":             {5, workdays, office, nil, at(9.5), false},
		"A_working_morning_without_an_order_is":            {5, workdays, office, nil, at(14.5), true},
		"So_is_an_afternoon":                               {5, workdays, office, []int{9, 10}, at(16.5), true},
		"One_quiet_hour_is_none":                           {5, workdays, office, []int{9, 10}, at(12.5), false},
		"A_new_shop_is_given_twice_its_longest_pause":      {1, busy, office, nil, at(20), false},
		"And_is_silent_after_it":                           {1, busy, office, nil, at(24.5 + 17), true},
		"Of_a_shop_with_an_order_a_week_nobody_knows":      {4, []int{2}, []int{12}, nil, at(48), false},
		"One_whose_last_event_is_older_than_all_is_silent": {4, workdays, office, nil, monday.AddDate(0, 0, 60), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := shop(t, c.weeks, c.days, c.hours, c.today, c.now)
			require.Equal(t, c.silent, s.Silent, "%+v", s)
			if s.Silent {
				require.False(t, s.SilentAt.After(c.now))
			}
		})
	}
}

func Test_A_shop_that_has_sent_nothing_is_not_silent(t *testing.T) {
	t.Parallel()
	s := shop(t, 0, nil, nil, nil, monday)
	require.Nil(t, s.LastAt)
	require.False(t, s.Silent)
}

func Test_Who_asks_often_waits_for_nothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var now atomic.Pointer[time.Time]
	at := monday
	now.Store(&at)
	w := gaps.WatchShops(b.pool, func() time.Time { return *now.Load() })
	_, known := w.Latest()
	require.False(t, known)
	latest := func(holds func(gaps.Shop) bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			shops, known := w.Latest()
			return known && holds(shops[0])
		}, time.Minute, time.Millisecond)
	}
	latest(func(s gaps.Shop) bool { return s.LastAt == nil })
	b.came(t, "invoice.created", 1, 1, `{}`, "", monday)
	shops, _ := w.Latest()
	require.Nil(t, shops[0].LastAt, "not five minutes later")
	later := at.Add(24 * time.Hour) // however long a look took here
	now.Store(&later)
	latest(func(s gaps.Shop) bool { return s.LastAt != nil })
	shops, _ = w.Latest()
	require.Zero(t, gaps.Silent(shops))
}

package budget_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/budget"
	"towpath/pkg/pgdb/pgtest"
)

func Test_Day(t *testing.T) {
	t.Parallel()
	limits := budget.Limits{PerMinute: 1000, AtOnce: 5}

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
		granted, wait := b.call(t, false, budget.Full)
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
		granted, wait := b.call(t, false, budget.Full)
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
			granted, wait := b.call(t, false, budget.Full)
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

// otherApps is a provider that counts calls in minutes that begin at a fixed time,
// as Xero does, ours and those of others.
type otherApps struct {
	*book
	epoch time.Time
	other []time.Time
}

// made counts the calls of the provider's minute that holds the book's time.
func (p *otherApps) made() (n int) {
	start := p.epoch.Add(p.now.Sub(p.epoch).Truncate(time.Minute))
	for _, g := range p.granted {
		if !g.at.Before(start) {
			n++
		}
	}
	for _, at := range p.other {
		if !at.Before(start) {
			n++
		}
	}
	return n
}

// hear makes a call, if there is leave, and hears what is left.
func (p *otherApps) hear(t testingT) {
	t.Helper()
	if !p.live(t) {
		return
	}
	require.LessOrEqual(t, p.made(), p.limits.PerMinute, "the provider refuses a call")
	p.done(t, len(p.granted)-1, ptr(p.limits.PerMinute-p.made()), nil)
}

// Test_Others_calls_of_which_the_provider_told_are_left_to_them lets other apps
// make calls at one moment; our next call hears of them, and of those after it
// the provider may refuse none. The provider's minute may begin anywhere, also
// between our calls.
func Test_Others_calls_of_which_the_provider_told_are_left_to_them(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	rapid.Check(t, func(t *rapid.T) {
		b := newBook(t, pool, budget.Limits{PerMinute: rapid.IntRange(4, 12).Draw(t, "per minute"), AtOnce: 5})
		p := &otherApps{book: b, epoch: b.now.Add(-time.Duration(rapid.IntRange(0, 59).Draw(t, "begins")) * time.Second)}
		later := func(label string, seconds int) {
			p.now = p.now.Add(time.Duration(rapid.IntRange(0, seconds).Draw(t, label)) * time.Second)
		}
		for range rapid.IntRange(1, 12).Draw(t, "before") {
			p.hear(t)
		}
		later("until others come", 59)
		for range rapid.IntRange(0, max(0, p.limits.PerMinute-p.made()-1)).Draw(t, "others") {
			p.other = append(p.other, p.now)
		}
		for range rapid.IntRange(1, 30).Draw(t, "after") {
			p.hear(t)
			later("until the next", 10)
		}
	})
}

func Test_Others_in_a_minute_that_began_after_our_calls_are_left_their_calls(t *testing.T) {
	t.Parallel()
	b := open(t, budget.Limits{PerMinute: 4, AtOnce: 5})
	p := &otherApps{book: b, epoch: b.now.Add(-17 * time.Second)}
	p.hear(t)
	for _, at := range []time.Duration{43, 46, 50, 55, 61} {
		b.now = p.epoch.Add((17 + at) * time.Second)
		if at == 43 { // a new minute of the provider's
			p.other = append(p.other, b.now)
		}
		p.hear(t)
	}
}

func Test_Others_in_the_same_minute_as_all_of_ours_are_left_their_calls(t *testing.T) {
	t.Parallel()
	b := open(t, budget.Limits{PerMinute: 10, AtOnce: 5})
	require.True(t, b.live(t))
	b.done(t, 0, ptr(3), nil) // six are others'
	for n := range 3 {
		require.True(t, b.live(t), "call %d", n)
		b.done(t, 1+n, nil, nil)
	}
	granted, wait := b.call(t, false, budget.Full)
	require.False(t, granted)
	b.now = b.now.Add(wait)
	require.True(t, b.live(t))
}

func Test_Backfill_leaves_the_reserve_beside_others_calls(t *testing.T) {
	t.Parallel()
	b := open(t, budget.Limits{PerMinute: 10, AtOnce: 5})
	require.True(t, b.live(t))
	b.done(t, 0, ptr(4), nil) // five are others'
	require.True(t, b.backfill(t))
	require.True(t, b.backfill(t))
	require.False(t, b.backfill(t), "two of ten are for what happens now")
	require.True(t, b.live(t))
	require.True(t, b.live(t))
	require.False(t, b.live(t))
}

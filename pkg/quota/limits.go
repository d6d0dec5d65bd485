package quota

import "time"

// Limits are what a provider allows one binding.
type Limits struct {
	PerMinute int
	AtOnce    int
}

// LimitsOf answers the limits of a binding's provider. Xero: 60 calls a minute and
// 5 at once for each organisation; the day's limit depends on the app's tier and is
// read from its answers. FreeAgent: 120 a minute and 3,600 an hour for each user, so
// 60 a minute keep both; how many at once it does not say. Both come to the same.
func LimitsOf(string) Limits { return Limits{PerMinute: 60, AtOnce: 5} }

// BackfillPerMinute is what is left to backfill of the calls of a minute: a fifth
// is kept for what happens now.
func (l Limits) BackfillPerMinute() int { return l.PerMinute - (l.PerMinute+4)/5 }

// window is the length in which no more than PerMinute calls begin: see
// provider_call_take.
const window = 61 * time.Second

// Day is what a provider says of the calls of a day.
type Day struct{ Left, Limit int32 }

// Estimate is how long so many documents take at most, posted as backfill at batch
// documents a call with as many calls for their contacts besides; zero for none.
// Reading the shop is not counted. What does not fit in the day waits for the next
// ones, of which backfill has nine tenths each; nil: no limit of the day is known.
func (l Limits) Estimate(documents int64, batch int, day *Day) time.Duration {
	if documents <= 0 {
		return 0
	}
	calls := 2 * divided(documents, int64(batch))
	took := time.Duration(divided(calls, int64(max(l.BackfillPerMinute(), 1)))) * window
	if day == nil {
		return took
	}
	if beyond := calls - int64(day.Left); beyond > 0 {
		days := divided(beyond, max(int64(day.Limit)*9/10, 1))
		took = max(took, time.Duration(days)*24*time.Hour)
	}
	return took
}

// divided is n / by, rounded up.
func divided(n, by int64) int64 { return (n + by - 1) / by }

package budget

import "time"

// Limits are what a provider allows one binding.
type Limits struct {
	PerMinute int
	AtOnce    int
}

// LimitsOf answers the limits of a binding's provider. Xero: 60 calls a minute and
// 5 at once for each organisation; the day's limit depends on the app's tier and is
// read from its answers. FreeAgent: 120 a minute and 3,600 an hour for each user, so
// 60 a minute keep both; how many at once it does not say.
func LimitsOf(provider string) Limits {
	_ = provider // both come to the same
	return Limits{PerMinute: 60, AtOnce: 5}
}

// BackfillPerMinute is what is left to backfill of the calls of a minute: a fifth
// is kept for what happens now.
func (l Limits) BackfillPerMinute() int { return l.PerMinute - (l.PerMinute+4)/5 }

// window is the length in which no more than PerMinute calls begin: see
// provider_call_take.
const window = 61 * time.Second

// Estimate is how long so many documents take at most, posted as backfill at batch
// documents a call with one call each for their contacts besides; zero for none.
// Reading the shop is not counted, and a day's limit is: what does not fit in
// dayLeft (nil: no limit known) waits for the next day.
func (l Limits) Estimate(documents int64, batch int, dayLeft *int32) time.Duration {
	if documents <= 0 {
		return 0
	}
	calls := 2 * ((documents + int64(batch) - 1) / int64(batch))
	if batch == 1 {
		calls = 2 * documents
	}
	minutes := (calls + int64(l.BackfillPerMinute()) - 1) / int64(l.BackfillPerMinute())
	took := time.Duration(minutes) * window
	if dayLeft != nil && calls > int64(*dayLeft) {
		took += 24 * time.Hour
	}
	return took
}

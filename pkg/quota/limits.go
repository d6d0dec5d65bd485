package quota

import (
	"time"

	"towpath/pkg/provider"
	"towpath/pkg/provider/specs"
)

// Limits are what a provider allows one organisation.
type Limits = provider.Limits

// LimitsOf answers the limits of a provider's wire.
func LimitsOf(name, wire string) Limits { return specs.Wire(name, wire).Limits }

// The numbers by which the limits are kept. Nothing else knows them.
const (
	// rolling is how long a call counts where the provider's minute may begin at any
	// time: any such span holds at most a minute's calls, so each of its minutes
	// does. The second more is for the way there, which is not always as long.
	rolling = 61 * time.Second
	// guard is how far the provider's clock may be from the database's, the way there
	// included: a call this near to a full minute counts in both.
	guard = 5 * time.Second
	// freshness is for how long the provider's word on the day is taken for true.
	freshness = time.Hour
	// life is when a lease that was not settled is over. A call may begin in the
	// first part of it: those under way are cut off after 45 seconds.
	life        = 2 * time.Minute
	beginWithin = life - 45*time.Second
	// crowdedWait is when to come again where too many calls are under way, and
	// shortestWait the least of all waits.
	crowdedWait  = 500 * time.Millisecond
	shortestWait = 100 * time.Millisecond
)

// Of the minute's calls backfill leaves a fifth to what happens now; of the hour's
// and the day's a tenth; of those at once one.
const (
	minutePart = 5
	hourPart   = 10
	dayPart    = 10
)

// BackfillPerMinute is what is left to backfill of the calls of a minute.
func BackfillPerMinute(l Limits) int { return l.PerMinute - roundedUp(l.PerMinute, minutePart) }

// backfillAtOnce is how many calls may be under way for one more of backfill.
func backfillAtOnce(l Limits) int { return max(1, l.AtOnce-1) }

// Allowance is what a provider says of the calls of a day.
type Allowance struct{ Left, Limit int }

// Estimate is how long so many documents take at most, posted as backfill at batch
// documents a call with as many calls for their contacts besides; zero for none.
// Reading the shop is not counted. What does not fit in the day waits for the next
// ones; nil: no limit of the day is known.
func Estimate(l Limits, documents int64, batch int, day *Allowance) time.Duration {
	if documents <= 0 {
		return 0
	}
	calls := 2 * roundedUp(documents, int64(batch))
	rest, took := calls, time.Duration(0)
	if anHour := int64(l.PerHour - roundedUp(l.PerHour, hourPart)); anHour > 0 {
		full := (calls - 1) / anHour
		rest, took = calls-full*anHour, time.Duration(full)*time.Hour
	}
	aMinute := time.Minute
	if !l.Clock {
		aMinute = rolling
	}
	took += time.Duration(roundedUp(rest, int64(max(BackfillPerMinute(l), 1)))) * aMinute
	if day == nil {
		return took
	}
	if beyond := calls - int64(day.Left); beyond > 0 {
		days := roundedUp(beyond, max(int64(day.Limit-day.Limit/dayPart), 1))
		took = max(took, time.Duration(days)*24*time.Hour)
	}
	return took
}

// roundedUp is n / by, rounded up.
func roundedUp[N int | int64](n, by N) N { return (n + by - 1) / by }

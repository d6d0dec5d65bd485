package quota

import "time"

// Usage is what of a budget is used at a moment.
type Usage struct {
	Limits   Limits
	Windows  []WindowUsage // the minute first
	Others   int           // calls of the last minute that others made, as far as is known
	UnderWay int           // pieces of work that are at their calls
	Day      *DayUsage     // nil: the provider has not said
	// Nothing at all, and nothing of backfill, begins before.
	LiveFrom, BackfillFrom *time.Time
}

// WindowUsage is what of a window is used: calls that were made, and those that
// work which has begun may still make.
type WindowUsage struct {
	Name        string // minute, hour
	Used, Limit int
}

// DayUsage is what is left of the provider's day, as it said at a time.
type DayUsage struct {
	Left, Limit int
	At          time.Time
}

// Usage answers what of the budget is used; under the limits given where it was not
// asked yet.
func (b Budget) Usage(at time.Time, otherwise Limits) Usage {
	now := momentOf(at)
	if b.Limits == (Limits{}) {
		b.Limits = otherwise
	}
	b = b.at(now)
	u := Usage{Limits: b.Limits, UnderWay: len(b.Leases), LiveFrom: orNull(b.Live.From), BackfillFrom: orNull(b.Backfill.From)}
	for _, w := range windowsOf(b.Limits) {
		u.Windows = append(u.Windows, WindowUsage{w.name, w.made(b.Calls[w.name], now) + b.open(), w.limit})
	}
	if b.Others != nil {
		u.Others = b.Others.N
	}
	if b.Day != nil {
		u.Day = &DayUsage{max(b.Day.Left, 0), b.Day.Limit, b.Day.At.time()}
	}
	return u
}

// Minute is the minute's window.
func (u Usage) Minute() WindowUsage { return u.Windows[0] }

// Kept reports whether no more of the day is left than it keeps from backfill, or
// from anything.
func (d DayUsage) Kept(backfill bool) bool {
	if backfill {
		return d.Left <= d.Limit/dayPart
	}
	return d.Left <= 0
}

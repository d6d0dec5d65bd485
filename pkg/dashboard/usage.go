package dashboard

import (
	"fmt"
	"time"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/quota"
)

// usage is how much of what a connection may call is used. All zero: it has not
// called yet.
type usage struct {
	PerMinute, Used, Others int64
	PerHour, HourUsed       int64 // zero: the provider has no limit of the hour
	AtOnce, UnderWay        int64
	DayLeft                 *int32 // nil: not known
	DayLimit, DayUsed       int64
	DaySaid                 moment // when the provider said so

	limits                 quota.Limits
	day                    *quota.DayUsage // as DayLeft
	liveFrom, backfillFrom *time.Time
}

// dayWord is how long the provider's word on the day's calls is worth showing.
const dayWord = 24 * time.Hour

func usageOf(now time.Time, row dbsqlc.DashboardConnectionListRow) usage {
	if row.Budget == nil {
		return usage{}
	}
	b := quota.Decode(row.Budget).Usage(row.DatabaseNow, quota.LimitsOf(row.Provider, row.Wire))
	u := usage{
		PerMinute: int64(b.Minute().Limit), Used: int64(b.Minute().Used), Others: int64(b.Others),
		AtOnce: int64(b.Limits.AtOnce), UnderWay: int64(b.UnderWay),
		limits: b.Limits, liveFrom: b.LiveFrom, backfillFrom: b.BackfillFrom,
	}
	for _, w := range b.Windows {
		if w.Name == "hour" {
			u.PerHour, u.HourUsed = int64(w.Limit), int64(w.Used)
		}
	}
	if b.Day == nil || now.Sub(b.Day.At) > dayWord {
		return u
	}
	left := int32(b.Day.Left)
	u.DayLeft, u.DayLimit, u.DaySaid, u.day = &left, int64(b.Day.Limit), momentOf(now, "as of", &b.Day.At), b.Day
	u.DayUsed = max(u.DayLimit-int64(left), 0)
	return u
}

// Left are the calls that are left of the day.
func (u usage) Left() int64 { return int64(*u.DayLeft) }

// MinuteLeft are those that are left of the minute.
func (u usage) MinuteLeft() int64 { return max(u.PerMinute-u.Used-u.Others, 0) }

// pause is what the provider said, and until when.
func (c connection) pause(now time.Time) moment {
	if !ahead(now, c.PausedUntil) {
		return moment{}
	}
	return momentOf(now, c.Ledger+" asked for a pause: it was called more often than it allows, by Towpath or by others. Everything waits and goes on by itself", c.PausedUntil)
}

// turn says why nothing, or not everything, is called now, and until when. The
// rules are pkg/quota's.
func (c connection) turn(now time.Time) moment {
	switch {
	case ahead(now, c.Calls.liveFrom) && c.dayIsUsed(false):
		return momentOf(now, "The day's calls are used up. Everything waits and goes on by itself; Towpath asks again", c.Calls.liveFrom)
	case ahead(now, c.Calls.liveFrom):
		return momentOf(now, "To stay within the minute's limit, everything waits for the next call", c.Calls.liveFrom)
	case ahead(now, c.Calls.backfillFrom) && c.dayIsUsed(true):
		return momentOf(now, "The last tenth of the day is kept for what happens now. Older documents wait and go on by themselves; Towpath asks again", c.Calls.backfillFrom)
	case ahead(now, c.Calls.backfillFrom):
		return momentOf(now, "What happens now goes first. Older documents wait for the next call", c.Calls.backfillFrom)
	}
	return moment{}
}

func ahead(now time.Time, t *time.Time) bool { return t != nil && t.After(now) }

// dayIsUsed reports whether none of the day's calls is left, or none to backfill.
func (c connection) dayIsUsed(backfill bool) bool {
	return c.Calls.day != nil && c.Calls.day.Kept(backfill)
}

// roughly is a length of time as people say it.
func roughly(d time.Duration) string {
	minutes := int((d + time.Minute/2) / time.Minute)
	hours := int((d + time.Hour/2) / time.Hour)
	switch {
	case minutes <= 1:
		return "a minute at most"
	case minutes <= 20:
		return fmt.Sprintf("about %d minutes", minutes)
	case minutes < 95:
		return fmt.Sprintf("about %d minutes", (minutes+2)/5*5)
	case hours < 48:
		return fmt.Sprintf("about %d hours", hours)
	}
	return fmt.Sprintf("about %d days", (hours+12)/24)
}

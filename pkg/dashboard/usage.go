package dashboard

import (
	"fmt"
	"time"

	"towpath/pkg/dbsqlc"
)

// usage is how much of what a connection may call is used. All zero: it has not
// called yet.
type usage struct {
	PerMinute, Used, Others int64
	AtOnce, UnderWay        int64
	DayLeft                 *int32 // nil: not known
	DayLimit, DayUsed       int64
	DaySaid                 moment // when the provider said so
}

// dayWord is how long the provider's word on the day's calls is worth showing.
const dayWord = 24 * time.Hour

func usageOf(now time.Time, row dbsqlc.DashboardConnectionListRow) usage {
	u := usage{
		PerMinute: int64(row.PerMinute), Used: int64(row.Used), Others: int64(row.Others),
		AtOnce: int64(row.AtOnce), UnderWay: int64(row.UnderWay),
	}
	if row.DayLeft == nil || row.DayLimit == nil || row.DayLeftAt == nil || now.Sub(*row.DayLeftAt) > dayWord {
		return u
	}
	left := max(*row.DayLeft, 0)
	u.DayLeft, u.DayLimit, u.DaySaid = &left, int64(*row.DayLimit), momentOf(now, "as of", row.DayLeftAt)
	u.DayUsed = max(u.DayLimit-int64(left), 0)
	return u
}

// Left are the calls that are left of the day.
func (u usage) Left() int64 { return int64(*u.DayLeft) }

// pause is what the provider said, and until when.
func (c connection) pause(now time.Time) moment {
	if !ahead(now, c.PausedUntil) {
		return moment{}
	}
	return momentOf(now, c.Ledger+" asked for a pause: it was called more often than it allows, by Towpath or by others. Everything waits and goes on by itself", c.PausedUntil)
}

// turn says why nothing, or not everything, is called now, and until when. The
// rules are provider_call_take's.
func (c connection) turn(now time.Time) moment {
	switch {
	case ahead(now, c.LiveFrom) && c.dayIsUsed(0):
		return momentOf(now, "The day's calls are used up. Everything waits and goes on by itself; Towpath asks again", c.LiveFrom)
	case ahead(now, c.LiveFrom):
		return momentOf(now, "To stay within the minute's limit, everything waits for the next call", c.LiveFrom)
	case ahead(now, c.BackfillFrom) && c.dayIsUsed(c.Calls.DayLimit/10):
		return momentOf(now, "The last tenth of the day is kept for what happens now. Older documents wait and go on by themselves; Towpath asks again", c.BackfillFrom)
	case ahead(now, c.BackfillFrom):
		return momentOf(now, "What happens now goes first. Older documents wait for the next call", c.BackfillFrom)
	}
	return moment{}
}

func ahead(now time.Time, t *time.Time) bool { return t != nil && t.After(now) }

// dayIsUsed reports whether no more than kept calls are left of the day.
func (c connection) dayIsUsed(kept int64) bool {
	return c.Calls.DayLeft != nil && c.Calls.Left() <= kept
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

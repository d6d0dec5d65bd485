package quota

import (
	"time"

	"github.com/google/uuid"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider/specs"
)

// Backlog is what waits for a live binding, what it may call, and how long the
// wait takes at most by the provider's limits.
type Backlog struct {
	ID          uuid.UUID  `json:"id"`
	Status      string     `json:"status"`
	ToFetch     int64      `json:"runs_to_fetch"`
	ToPost      int64      `json:"runs_to_post"`
	Held        int64      `json:"runs_held"`
	PausedUntil *time.Time `json:"paused_until"` // the provider said "not before"
	// Of the organisation, over all bindings that it has.
	CallsUsed      int  `json:"calls_used"` // of the minute, with what work that has begun may still call
	CallsPerMinute int  `json:"calls_per_minute"`
	HourUsed       *int `json:"calls_hour_used"` // null: the provider has no limit of the hour
	CallsPerHour   *int `json:"calls_per_hour"`
	CallsUnderWay  int  `json:"calls_under_way"`
	CallsAtOnce    int  `json:"calls_at_once"`
	DayLeft        *int `json:"calls_day_left"` // null: the provider has not said
	// Upper bound by the provider's limits, with what waits in the organisation's
	// other bindings; reading the shop is not counted. Zero: nothing waits here.
	Seconds float64 `json:"backlog_seconds"`

	limits   Limits
	dayLimit int
	batch    int   // documents in one call
	waiting  int64 // documents, in all bindings of the organisation
}

// Backlogs are those of the rows of CallBudgetList.
func Backlogs(rows []dbsqlc.CallBudgetListRow) []Backlog {
	waiting := map[string]int64{}
	for _, row := range rows {
		waiting[row.BudgetKey] += row.ToFetch + row.ToPost
	}
	all := []Backlog{}
	for _, row := range rows {
		b := backlogOf(row)
		b.waiting = waiting[row.BudgetKey]
		if row.ToFetch+row.ToPost > 0 {
			b.Seconds = b.TakesAtMost(0).Seconds()
		}
		all = append(all, b)
	}
	return all
}

func backlogOf(row dbsqlc.CallBudgetListRow) Backlog {
	wire := specs.Wire(row.Provider, row.Wire)
	used := Decode(row.Budget).Usage(row.Now, wire.Limits)
	b := Backlog{
		ID: row.BindingID, Status: row.Status, PausedUntil: row.PausedUntil,
		ToFetch: row.ToFetch, ToPost: row.ToPost, Held: row.Held,
		CallsUnderWay: used.UnderWay, CallsAtOnce: used.Limits.AtOnce, limits: used.Limits, batch: wire.Batch,
	}
	for _, w := range used.Windows {
		switch w.Name {
		case "minute":
			b.CallsUsed, b.CallsPerMinute = w.Used, w.Limit
		case "hour":
			b.HourUsed, b.CallsPerHour = &w.Used, &w.Limit
		}
	}
	if used.Day != nil {
		b.DayLeft, b.dayLimit = &used.Day.Left, used.Day.Limit
	}
	return b
}

// CallsPerDay is the provider's limit; 0 where it has not said.
func (b Backlog) CallsPerDay() int { return b.dayLimit }

// TakesAtMost is how long all that waits in the organisation takes at most, with so
// many documents more.
func (b Backlog) TakesAtMost(more int64) time.Duration {
	var day *Allowance
	if b.DayLeft != nil {
		day = &Allowance{Left: *b.DayLeft, Limit: b.dayLimit}
	}
	return Estimate(b.limits, b.waiting+more, b.batch, day)
}

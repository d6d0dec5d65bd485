package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
	"towpath/pkg/policy"
	"towpath/pkg/quota"
)

// backlogView is what waits for a live binding, what it may call, and how long the
// wait takes at most by the provider's limits.
type backlogView struct {
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
	// Settings that refer to what the provider does not have any more.
	SettingsFaults []policy.FieldError `json:"settings_faults"`
	// Other live bindings of its organisation, and what to do about the numbers.
	Neighbours []account.Neighbour `json:"neighbours"`
	Advice     string              `json:"advice"`

	limits   quota.Limits
	dayLimit int
}

// viewBacklogs puts the rows of CallBudgetList in words of the commands.
func viewBacklogs(rows []dbsqlc.CallBudgetListRow) []backlogView {
	documents := map[string]int64{}
	for _, row := range rows {
		documents[row.BudgetKey] += row.ToFetch + row.ToPost
	}
	views := []backlogView{}
	for _, row := range rows {
		view := viewBacklog(row)
		if row.ToFetch+row.ToPost > 0 {
			view.Seconds = takesAtMost(row, view, documents[row.BudgetKey]).Seconds()
		}
		views = append(views, view)
	}
	return views
}

func viewBacklog(row dbsqlc.CallBudgetListRow) backlogView {
	used := quota.Decode(row.Budget).Usage(row.Now, quota.LimitsOf(row.Provider, row.Wire))
	view := backlogView{
		ID: row.BindingID, Status: row.Status, PausedUntil: row.PausedUntil, SettingsFaults: []policy.FieldError{}, Neighbours: []account.Neighbour{},
		ToFetch: row.ToFetch, ToPost: row.ToPost, Held: row.Held,
		CallsUnderWay: used.UnderWay, CallsAtOnce: used.Limits.AtOnce, limits: used.Limits,
	}
	for _, w := range used.Windows {
		switch w.Name {
		case "minute":
			view.CallsUsed, view.CallsPerMinute = w.Used, w.Limit
		case "hour":
			view.HourUsed, view.CallsPerHour = &w.Used, &w.Limit
		}
	}
	if used.Day != nil {
		view.DayLeft, view.dayLimit = &used.Day.Left, used.Day.Limit
	}
	return view
}

// takesAtMost is about how long so many documents of an organisation take.
func takesAtMost(row dbsqlc.CallBudgetListRow, view backlogView, documents int64) time.Duration {
	batch := 1
	if row.Wire == wireAccounting {
		batch = 50
	}
	var day *quota.Allowance
	if view.DayLeft != nil {
		day = &quota.Allowance{Left: *view.DayLeft, Limit: view.dayLimit}
	}
	return quota.Estimate(view.limits, documents, batch, day)
}

type bindingStatus struct {
	database
	printed
}

// Run prints what waits for each live binding.
func (c bindingStatus) Run(ctx context.Context, io console) error {
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	views, err := readBacklogs(ctx, pool)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io.out, views)
	}
	rows := [][]string{}
	for _, v := range views {
		rows = append(rows, v.row())
		printFaults(io, v.SettingsFaults)
		printAdvice(io, v.ID, v.Advice)
	}
	return printTable(io.out, []string{"id", "status", "to fetch", "to post", "held", "takes at most", "calls/min", "at once", "day left", "faults"}, rows)
}

func readBacklogs(ctx context.Context, pool *pgxpool.Pool) ([]backlogView, error) {
	rows, err := dbsqlc.New().CallBudgetList(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("read budgets: %w", err)
	}
	views := viewBacklogs(rows)
	for i := range views {
		binding, err := dbsqlc.New().BindingGet(ctx, pool, views[i].ID)
		if err != nil {
			return nil, fmt.Errorf("read binding: %w", err)
		}
		faults, err := settingsFaults(ctx, pool, binding)
		if err != nil {
			return nil, err
		}
		views[i].SettingsFaults = append(views[i].SettingsFaults, faults...)
		neighbours, advice, err := adviceFor(ctx, pool, binding)
		if err != nil {
			return nil, err
		}
		views[i].Neighbours, views[i].Advice = append(views[i].Neighbours, neighbours...), advice
	}
	return views, nil
}

// row is the view for a table.
func (v backlogView) row() []string {
	takes, day, hour := "-", "-", ""
	if v.Seconds > 0 {
		takes = time.Duration(v.Seconds * float64(time.Second)).Round(time.Minute).String()
	}
	if v.DayLeft != nil {
		day = fmt.Sprint(*v.DayLeft)
	}
	if v.HourUsed != nil {
		hour = fmt.Sprintf(", %d of %d/hour", *v.HourUsed, *v.CallsPerHour)
	}
	return []string{v.ID.String(), v.Status, fmt.Sprint(v.ToFetch), fmt.Sprint(v.ToPost), fmt.Sprint(v.Held), takes,
		fmt.Sprintf("%d of %d%s", v.CallsUsed, v.CallsPerMinute, hour), fmt.Sprintf("%d of %d", v.CallsUnderWay, v.CallsAtOnce), day, fmt.Sprint(len(v.SettingsFaults))}
}

// budgetSnapshot is what the gauges show of the tightest binding.
func budgetSnapshot(rows []dbsqlc.CallBudgetListRow, into *metrics.Snapshot) {
	into.Budget = map[string]float64{}
	least := func(window string, left float64) {
		if now, known := into.Budget[window]; !known || left < now {
			into.Budget[window] = left
		}
	}
	for _, view := range viewBacklogs(rows) {
		least("minute", float64(view.CallsPerMinute-view.CallsUsed))
		if view.HourUsed != nil {
			least("hour", float64(*view.CallsPerHour-*view.HourUsed))
		}
		least("concurrent", float64(view.CallsAtOnce-view.CallsUnderWay))
		if view.DayLeft != nil {
			least("day", float64(*view.DayLeft))
		}
		into.Backlog = max(into.Backlog, time.Duration(view.Seconds*float64(time.Second)))
	}
}

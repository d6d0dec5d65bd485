package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
	"towpath/pkg/policy"
	"towpath/pkg/quota"
)

// backlogView is what waits for a live binding, what it may call, and how long the
// wait takes at most by the provider's limits.
type backlogView struct {
	ID             uuid.UUID  `json:"id"`
	Status         string     `json:"status"`
	ToFetch        int64      `json:"runs_to_fetch"`
	ToPost         int64      `json:"runs_to_post"`
	Held           int64      `json:"runs_held"`
	PausedUntil    *time.Time `json:"paused_until"` // the provider said "not before"
	CallsUsed      int32      `json:"calls_used"`   // of the last minute
	CallsPerMinute int        `json:"calls_per_minute"`
	CallsUnderWay  int32      `json:"calls_under_way"`
	CallsAtOnce    int        `json:"calls_at_once"`
	DayLeft        *int32     `json:"calls_day_left"` // null: the provider has not said
	// Upper bound by the provider's limits; reading the shop is not counted.
	Seconds float64 `json:"backlog_seconds"`
	// Settings that refer to what the provider does not have any more.
	SettingsFaults []policy.FieldError `json:"settings_faults"`
}

// viewBacklog puts a row of CallBudgetList in words of the commands.
func viewBacklog(row dbsqlc.CallBudgetListRow) backlogView {
	limits := quota.LimitsOf(row.Provider)
	return backlogView{
		ID: row.BindingID, Status: row.Status, PausedUntil: row.PausedUntil, SettingsFaults: []policy.FieldError{},
		ToFetch: row.ToFetch, ToPost: row.ToPost, Held: row.Held,
		CallsUsed: row.Used, CallsPerMinute: limits.PerMinute, CallsUnderWay: row.UnderWay, CallsAtOnce: limits.AtOnce,
		DayLeft: row.DayLeft, Seconds: backlogOf(row).Seconds(),
	}
}

// backlogOf is about how long what waits for a binding takes.
func backlogOf(row dbsqlc.CallBudgetListRow) time.Duration {
	batch := 1
	if row.Wire == wireAccounting {
		batch = 50
	}
	var day *quota.Day
	if row.DayLeft != nil && row.DayLimit != nil {
		day = &quota.Day{Left: *row.DayLeft, Limit: *row.DayLimit}
	}
	return quota.LimitsOf(row.Provider).Estimate(row.ToFetch+row.ToPost, batch, day)
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
	}
	return printTable(io.out, []string{"id", "status", "to fetch", "to post", "held", "takes at most", "calls/min", "at once", "day left", "faults"}, rows)
}

func readBacklogs(ctx context.Context, pool *pgxpool.Pool) ([]backlogView, error) {
	rows, err := dbsqlc.New().CallBudgetList(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("read budgets: %w", err)
	}
	views := []backlogView{}
	for _, row := range rows {
		view := viewBacklog(row)
		binding, err := dbsqlc.New().BindingGet(ctx, pool, row.BindingID)
		if err != nil {
			return nil, fmt.Errorf("read binding: %w", err)
		}
		faults, err := settingsFaults(ctx, pool, binding)
		if err != nil {
			return nil, err
		}
		view.SettingsFaults = append(view.SettingsFaults, faults...)
		views = append(views, view)
	}
	return views, nil
}

// row is the view for a table.
func (v backlogView) row() []string {
	takes, day := "-", "-"
	if v.Seconds > 0 {
		takes = time.Duration(v.Seconds * float64(time.Second)).Round(time.Minute).String()
	}
	if v.DayLeft != nil {
		day = fmt.Sprint(*v.DayLeft)
	}
	return []string{v.ID.String(), v.Status, fmt.Sprint(v.ToFetch), fmt.Sprint(v.ToPost), fmt.Sprint(v.Held), takes,
		fmt.Sprintf("%d of %d", v.CallsUsed, v.CallsPerMinute), fmt.Sprintf("%d of %d", v.CallsUnderWay, v.CallsAtOnce), day, fmt.Sprint(len(v.SettingsFaults))}
}

// budgetSnapshot is what the gauges show of the tightest binding.
func budgetSnapshot(rows []dbsqlc.CallBudgetListRow, into *metrics.Snapshot) {
	into.Budget = map[string]float64{}
	least := func(window string, left float64) {
		if now, known := into.Budget[window]; !known || left < now {
			into.Budget[window] = left
		}
	}
	for _, row := range rows {
		view := viewBacklog(row)
		least("minute", float64(view.CallsPerMinute)-float64(view.CallsUsed))
		least("concurrent", float64(view.CallsAtOnce)-float64(view.CallsUnderWay))
		if row.DayLeft != nil {
			least("day", float64(*row.DayLeft))
		}
		into.Backlog = max(into.Backlog, backlogOf(row))
	}
}

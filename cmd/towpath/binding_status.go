package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/quota"
	"towpath/pkg/refdata"
)

// statusView is what waits for a live binding, and what a person should see to.
type statusView struct {
	quota.Backlog
	Tenant string `json:"tenant"` // the shop's name
	// Settings that refer to what the provider does not have any more.
	SettingsFaults []policy.FieldError `json:"settings_faults"`
	// Other live bindings of its organisation, and what to do about the numbers.
	Neighbours []account.Neighbour `json:"neighbours"`
	Advice     string              `json:"advice"`
	// Servers that take its calls and do not answer: what waits for them is held.
	NoAnswer []noAnswer `json:"no_answer"`
}

// noAnswer is an open circuit.
type noAnswer struct {
	Reason  string    `json:"reason"` // the hold reason of the runs
	Message string    `json:"message"`
	Since   time.Time `json:"since"`
	Probes  int32     `json:"probes"`   // calls since, one at a time
	ProbeAt time.Time `json:"probe_at"` // the next goes no sooner
}

// readNoAnswer reads the open circuits of a binding: its shop's, its own.
func readNoAnswer(ctx context.Context, pool *pgxpool.Pool, binding dbsqlc.Binding) ([]noAnswer, error) {
	rows, err := dbsqlc.New().CircuitOpenList(ctx, pool, []string{binding.TenantID.String(), binding.ID.String()})
	if err != nil {
		return nil, fmt.Errorf("read circuits of binding %s: %w", binding.ID, err)
	}
	open := []noAnswer{}
	for _, r := range rows {
		open = append(open, noAnswer{r.Reason, r.Message, *r.OpenedAt, r.Probes, *r.ProbeAt})
	}
	return open, nil
}

func (n noAnswer) String() string {
	return fmt.Sprintf("%s since %s: %s; what waits for it is held, one call at a time finds out (%d so far, the next from %s on), and all goes on when it is answered",
		n.Reason, n.Since.UTC().Format(time.RFC3339), n.Message, n.Probes, n.ProbeAt.UTC().Format(time.RFC3339))
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
	views, err := readStatuses(ctx, pool)
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
		for _, n := range v.NoAnswer {
			printAdvice(io, v.ID, n.String())
		}
	}
	return printTable(io.out, []string{"id", "tenant", "status", "to fetch", "to post", "held", "takes at most", "calls/min", "at once", "day left", "faults"}, rows)
}

func readStatuses(ctx context.Context, pool *pgxpool.Pool) ([]statusView, error) {
	rows, err := dbsqlc.New().CallBudgetList(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("read budgets: %w", err)
	}
	shops, err := shopNames(ctx, pool)
	if err != nil {
		return nil, err
	}
	views := []statusView{}
	for _, backlog := range quota.Backlogs(rows) {
		binding, err := dbsqlc.New().BindingGet(ctx, pool, backlog.ID)
		if err != nil {
			return nil, fmt.Errorf("read binding: %w", err)
		}
		faults, err := refdata.Faults(ctx, pool, binding)
		if err != nil {
			return nil, err
		}
		neighbours, advice, err := account.Advice(ctx, pool, binding)
		if err != nil {
			return nil, err
		}
		silent, err := readNoAnswer(ctx, pool, binding)
		if err != nil {
			return nil, err
		}
		views = append(views, statusView{Backlog: backlog, Tenant: shops[binding.TenantID], NoAnswer: silent, SettingsFaults: append([]policy.FieldError{}, faults...),
			Neighbours: append([]account.Neighbour{}, neighbours...), Advice: advice})
	}
	return views, nil
}

// row is the view for a table.
func (v statusView) row() []string {
	takes, day, hour := "-", "-", ""
	if v.Seconds > 0 {
		takes = roughly(time.Duration(v.Seconds * float64(time.Second)))
	}
	if v.DayLeft != nil {
		day = fmt.Sprint(*v.DayLeft)
	}
	if v.HourUsed != nil {
		hour = fmt.Sprintf(", %d of %d/hour", *v.HourUsed, *v.CallsPerHour)
	}
	return []string{v.ID.String(), v.Tenant, v.Status, fmt.Sprint(v.ToFetch), fmt.Sprint(v.ToPost), fmt.Sprint(v.Held), takes,
		fmt.Sprintf("%d of %d%s", v.CallsUsed, v.CallsPerMinute, hour), fmt.Sprintf("%d of %d", v.CallsUnderWay, v.CallsAtOnce), day, fmt.Sprint(len(v.SettingsFaults))}
}

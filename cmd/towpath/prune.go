package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/retention"
)

type pruneCommand struct {
	database
	printed
	OlderThan string `name:"older-than" placeholder:"DAYS" help:"Runs that ended longer ago, e.g. 400d, at least 7d; without it $$TOWPATH_RETENTION (400d)."`
	DryRun    bool   `name:"dry-run" help:"Only say what would be blanked."`
	Yes       bool   `help:"Do it without asking."`
}

// Help says what is blanked and what stays.
func (pruneCommand) Help() string {
	return `Blanked are the bodies of the shop's events and documents, what was sent to the ledger and answered, texts of
errors, and buyer and words of the search. Runs, their history, numbers, sums and links stay. Runs that have not ended
stay whole, and so do those of the same document. The worker processes do the same by themselves, after TOWPATH_RETENTION.

Examples:
  towpath prune --dry-run
  towpath prune --older-than 200d --yes`
}

// pruneView is what prune prints with --json.
type pruneView struct {
	OlderThan string            `json:"older_than"`
	Before    time.Time         `json:"before"` // of the runs' ends
	DryRun    bool              `json:"dry_run"`
	Tables    []retention.Table `json:"tables"` // as found beforehand
	Blanked   retention.Blanked `json:"blanked"`
}

// Run says what goes, asks, and blanks it.
func (c pruneCommand) Run(ctx context.Context, io console) error {
	after, err := c.after(io)
	if err != nil {
		return err
	}
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	view := pruneView{OlderThan: fmt.Sprintf("%dd", after/(24*time.Hour)), Before: time.Now().Add(-after).UTC(), DryRun: c.DryRun}
	p := progress{io: io, quiet: true}
	view.Tables, err = retention.Measure(ctx, pool, view.Before, func(n int64) { p.step("measured %d runs", n) })
	p.end()
	if err != nil {
		return err
	}
	if !c.JSON {
		fmt.Fprintf(io.out, "ended before %s, and not blanked yet:\n", view.Before.Format("2006-01-02 15:04 UTC"))
		if err := printTables(io, view.Tables); err != nil {
			return err
		}
	}
	if !c.DryRun && view.Tables[0].Rows > 0 {
		if err := c.prune(ctx, io, pool, &view); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(io.out, view)
	}
	if !c.DryRun {
		fmt.Fprintf(io.out, "blanked %s\n", counted(int(view.Blanked.Runs), "run"))
	}
	return nil
}

// after is how old a run's end has to be.
func (c pruneCommand) after(io console) (time.Duration, error) {
	if c.OlderThan != "" {
		after, err := parseRetention(c.OlderThan)
		if err != nil {
			return 0, wrongUse("--older-than is %q; use days such as 400d, at least %s", c.OlderThan, leastRetention)
		}
		return after, nil
	}
	after, err := io.retention()
	if err == nil && after == 0 {
		err = wrongUse("TOWPATH_RETENTION is off: say how old, e.g. --older-than 400d")
	}
	return after, err
}

// prune asks and blanks. Broken off, what was blanked stays so, and the same command goes on.
func (c pruneCommand) prune(ctx context.Context, io console, pool *pgxpool.Pool, view *pruneView) error {
	total := view.Tables[0].Rows
	if !c.Yes {
		what := fmt.Sprintf("%s would be blanked for good, and cannot be explained or compared by what-if any more", counted(int(total), "run"))
		if err := io.confirm(what, "Blank them?", "nothing was blanked"); err != nil {
			return err
		}
	}
	p := progress{io: io, quiet: true}
	done, err := retention.Prune(ctx, pool, view.Before, io.who(), func(b retention.Blanked) { p.step("%s", bar(b.Runs, total)) })
	p.end()
	view.Blanked = done
	if err != nil {
		fmt.Fprintf(io.err, "towpath: stopped after %s\n", counted(int(done.Runs), "run"))
	}
	return err
}

func printTables(io console, tables []retention.Table) error {
	rows := [][]string{}
	for _, t := range tables {
		rows = append(rows, []string{t.Table, fmt.Sprint(t.Rows), fmt.Sprint(t.Bytes)})
	}
	return printTable(io.out, []string{"table", "rows", "bytes"}, rows)
}

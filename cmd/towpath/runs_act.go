package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/bulk"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

// chosen are the runs that an operator acts on: one, or those that the filters find.
type chosen struct {
	database
	printed
	runFilter
	ID     string `arg:"" optional:"" help:"The run's id, or its number where one run alone has it; or use the filters."`
	All    bool   `help:"All that the filters find; without it the newest --limit."`
	DryRun bool   `name:"dry-run" help:"Only count them, by event and status."`
}

type runsRetry struct{ chosen }

// Help is shown below the flags by --help.
func (runsRetry) Help() string {
	return `--all without a filter is all that failed or are held. Of runs that the filters found, one that ended
or went on by itself meanwhile is "unchanged", which is no failure. Exit code 1: one could not be
retried, or there is nothing to do for the one that was named.`
}

// Run retries one run, or all that the filters find.
func (c runsRetry) Run(ctx context.Context, io console) error {
	if c.ID == "" && c.All && c.empty() {
		c.Status = []string{syncrun.Failed, syncrun.Held}
	}
	return c.act(ctx, io, deed{Deed: bulk.Retry(), do: retryOf(io),
		choose: "name one run by its id or number, or filters such as --status failed; --all alone is all that failed or are held"})
}

// retryOf retries a run, and says of one that was blanked that it is read and stored anew.
func retryOf(io console) func(*riverjobs.Operator, context.Context, uuid.UUID) error {
	return func(op *riverjobs.Operator, ctx context.Context, id uuid.UUID) error {
		before, err := dbsqlc.New().SyncRunGet(ctx, op.Pool, id)
		if err != nil {
			return fmt.Errorf("read run %s: %w", id, err)
		}
		if err := op.Retry(ctx, id); err != nil {
			return err
		}
		if before.BlankedAt != nil && before.Status != syncrun.Succeeded {
			io.warn("run %s was blanked on %s by %s: it reads its document from the shop again, and what it reads is stored until it is blanked anew",
				id, before.BlankedAt.UTC().Format(time.DateOnly), text(before.BlankedBy))
		}
		return nil
	}
}

type runsCancel struct{ chosen }

// Run cancels one run, or all live ones that the filters find.
func (c runsCancel) Run(ctx context.Context, io console) error {
	return c.act(ctx, io, deed{Deed: bulk.Cancel(), do: (*riverjobs.Operator).Cancel,
		choose: "name one run by its id or number, or filters such as --status queued,held"})
}

// deed is what is done to runs.
type deed struct {
	bulk.Deed
	choose string // what to say where nothing was chosen
	do     func(*riverjobs.Operator, context.Context, uuid.UUID) error
}

// act does one thing to the chosen runs, one transaction each, and says what became
// of each as it goes; one that cannot be done does not stop the others.
func (c chosen) act(ctx context.Context, io console, d deed) error {
	switch {
	case c.ID == "" && c.empty():
		return wrongUse("%s", d.choose)
	case c.ID != "" && (c.All || !c.empty()):
		return wrongUse("one run and filters do not go together: leave out %q, or the filters", c.ID)
	}
	if _, err := c.params(time.Now()); err != nil {
		return err
	}
	op, err := c.operator(ctx, io)
	if err != nil {
		return err
	}
	defer op.Pool.Close()
	var runs []bulk.Run
	if c.ID == "" {
		runs, err = c.found(ctx, io, op.Pool, d.Deed)
	} else {
		runs, err = c.one(ctx, op.Pool)
	}
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.printCounts(io, runs, d.Done)
	}
	return c.each(ctx, io, runs, d.Done, func(ctx context.Context, id uuid.UUID) error { return d.do(op, ctx, id) })
}

// one is the run that is named. What is counted has to be there; what is done to it
// says so itself.
func (c chosen) one(ctx context.Context, pool *pgxpool.Pool) ([]bulk.Run, error) {
	id, err := findRun(ctx, pool, c.ID)
	if err != nil || !c.DryRun {
		return []bulk.Run{{ID: id}}, err
	}
	run, err := dbsqlc.New().SyncRunGet(ctx, pool, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("there is no run %s (see: towpath runs list)", id)
	}
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", id, err)
	}
	return []bulk.Run{{ID: run.ID, Event: run.Event, Status: run.Status}}, nil
}

// found are the newest runs that fit the filters and that the deed can be done to.
func (c chosen) found(ctx context.Context, io console, pool *pgxpool.Pool, d bulk.Deed) ([]bulk.Run, error) {
	params, err := c.params(time.Now())
	if err != nil {
		return nil, err
	}
	if err := c.find(ctx, pool, &params); err != nil {
		return nil, err
	}
	most := int(c.Limit)
	if c.All {
		most = math.MaxInt32
	}
	runs, more, err := bulk.Choose(ctx, pool, params, d, most)
	if more {
		fmt.Fprintf(io.err, "towpath: only the newest %d are taken; --limit takes more, --all takes all\n", c.Limit)
	}
	return runs, err
}

// printCounts prints what would be acted on, by event and status.
func (c chosen) printCounts(io console, runs []bulk.Run, done string) error {
	counts := bulk.CountOf(runs)
	if c.JSON {
		return printJSON(io.out, counts)
	}
	rows := [][]string{}
	for _, n := range counts {
		rows = append(rows, []string{n.Event, n.Status, fmt.Sprint(n.Runs)})
	}
	if err := printTable(io.out, []string{"event", "status", "runs"}, rows); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%s would be %s\n", counted(len(runs), "run"), done)
	return nil
}

// runDone is what became of one run under an operator's hand.
type runDone struct {
	ID      uuid.UUID `json:"id"`
	Outcome string    `json:"outcome"`
	Error   string    `json:"error,omitempty"`
}

func (d runDone) String() string {
	if d.Error != "" {
		return fmt.Sprintf("%s %s: %s", d.ID, d.Outcome, d.Error)
	}
	return fmt.Sprintf("%s %s", d.ID, d.Outcome)
}

// nothingToDo is the error without the run's id, which stands before it.
func nothingToDo(err error) string {
	text := err.Error()
	if at := strings.Index(text, riverjobs.ErrNothingToDo.Error()); at > 0 {
		return text[at:]
	}
	return text
}

// each does it to each run. Of runs that filters found, those with nothing to do any more
// are no failures; of a run that was named that is one.
func (c chosen) each(ctx context.Context, io console, runs []bulk.Run, outcome string, do func(context.Context, uuid.UUID) error) error {
	all := []runDone{}
	failed := false
	bulk.Each(ctx, runs, do, func(r bulk.Run, err error) {
		d := runDone{ID: r.ID, Outcome: outcome}
		switch {
		case err == nil:
		case errors.Is(err, riverjobs.ErrNothingToDo) && c.ID == "":
			// It ended or went on by itself since the filters found it.
			d.Outcome, d.Error = "unchanged", nothingToDo(err)
		case errors.Is(err, riverjobs.ErrNothingToDo):
			d.Outcome, d.Error, failed = "error", nothingToDo(err), true
		case errors.Is(err, pgx.ErrNoRows):
			d.Outcome, d.Error, failed = "error", "there is no such run (see: towpath runs list)", true
		default:
			d.Outcome, d.Error, failed = "error", err.Error(), true
		}
		if all = append(all, d); !c.JSON {
			fmt.Fprintln(io.out, d)
		}
	})
	if c.JSON {
		if err := printJSON(io.out, all); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(io.out, counted(len(all), "run"))
	}
	if failed || ctx.Err() != nil {
		return errSilent
	}
	return nil
}

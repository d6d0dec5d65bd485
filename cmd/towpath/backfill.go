package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/backfill"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
	"towpath/pkg/quota"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

type backfillCommand struct {
	database
	printed
	Binding    string `required:"" placeholder:"BINDING" help:"The binding, by its id or its shop's name, through which it is written."`
	Event      string `required:"" placeholder:"EVENT" help:"What the shop would have sent, e.g. invoice.created; the ids of invoice.paid are the invoices'."`
	IDs        string `name:"ids" placeholder:"IDS" help:"Ids of the shop's entities and ranges of them, e.g. 1-5000,7001."`
	File       string `placeholder:"FILE" help:"A file of such ids, on as many lines as you like; what follows a # is a comment."`
	OccurredAt string `name:"occurred-at" placeholder:"TIME" help:"When it happened: RFC 3339 or YYYY-MM-DD. Payments are dated by it (default: by their invoices)."`
	Store      int64  `placeholder:"ID" help:"The store of credit memos, whose form does not say: it chooses the number's prefix, and store_filter asks for it."`
	DryRun     bool   `name:"dry-run" help:"Only count what would be asked for, with the estimate."`
	Wait       bool   `help:"Follow the runs until all have ended; Ctrl-C ends the following, not the runs."`
}

// Help is shown below the flags by --help.
func (backfillCommand) Help() string {
	return `The entities become runs as if the shop had sent them, behind what happens now. Which ids
the shop has is for the shop to know: a run of one that it does not have ends as failed, not_found.
What came already, from the shop or by an earlier backfill, adds nothing: after Ctrl-C the same
command goes on. A run that failed is retried by "towpath runs retry".

Example:
  towpath backfill --binding 0198c1de-5b4f-7000-8000-000000000001 --event invoice.created --ids 1-5000,7001 --dry-run`
}

// backfillView is what backfill prints with --json.
type backfillView struct {
	BindingID uuid.UUID `json:"binding_id"`
	Event     string    `json:"event"`
	IDs       int64     `json:"ids"`
	DryRun    bool      `json:"dry_run"`
	Accepted  int64     `json:"accepted"` // with dry_run: would be
	Known     int64     `json:"known"`
	// Upper bound by the provider's limits, made before it began, with what waited in
	// the organisation already; reading the shop is not counted.
	EstimateSeconds float64          `json:"estimate_seconds"`
	Runs            map[string]int64 `json:"runs,omitempty"` // by status; only with --wait
}

// Run makes a run of each id that has none.
func (c backfillCommand) Run(ctx context.Context, io console) error {
	request, err := c.request(io)
	if err != nil {
		return err
	}
	return withBinding(ctx, io, c.database, c.Binding, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		if binding.Status == "revoked" {
			return fmt.Errorf("binding %s %w", binding.ID, backfill.ErrRevoked)
		}
		op, err := io.operator(pool)
		if err != nil {
			return err
		}
		request.Pool, request.BindingID, request.Enqueue, request.Who = pool, binding.ID, riverjobs.Enqueue, op.Who
		view := backfillView{BindingID: binding.ID, Event: c.Event, IDs: request.IDs.Len(), DryRun: c.DryRun}
		if err := c.work(ctx, io, request, &view); err != nil {
			return err
		}
		if c.JSON {
			if err := printJSON(io.out, view); err != nil {
				return err
			}
		}
		if view.Runs[syncrun.Failed] > 0 { // said by follow
			return errSilent
		}
		return nil
	})
}

// request is what the flags ask for.
func (c backfillCommand) request(io console) (backfill.Request, error) {
	r := backfill.Request{Event: c.Event, StoreID: c.Store}
	if !syncrun.KnownEvent(c.Event) {
		return r, wrongUse("--event is %q; use %s", c.Event, strings.Join(metrics.Events(), ", "))
	}
	if (c.IDs == "") == (c.File == "") {
		return r, wrongUse("give --ids or --file")
	}
	if c.OccurredAt != "" {
		at, err := parseMoment(c.OccurredAt)
		if err != nil {
			return r, wrongUse("--occurred-at is %q; use 2026-04-29T10:00:00Z or 2026-04-29", c.OccurredAt)
		}
		r.OccurredAt = at
	}
	flag, text := "--ids", c.IDs
	if c.File != "" {
		raw, err := io.readFile(c.File)
		if err != nil {
			return r, wrongUse("--file: %w", err)
		}
		flag, text = "--file", string(raw)
	}
	var err error
	if r.IDs, err = backfill.ParseIDs(text); err != nil {
		return r, wrongUse("%s: %w", flag, err)
	}
	return r, nil
}

// work says what is to come, does it, and says what was done.
func (c backfillCommand) work(ctx context.Context, io console, r backfill.Request, view *backfillView) error {
	would, err := r.Look(ctx)
	if err != nil {
		return err
	}
	view.Accepted, view.Known = would.Accepted, would.Known
	takes, err := takesWith(ctx, r.Pool, r.BindingID, would.Accepted)
	if err != nil {
		return err
	}
	view.EstimateSeconds = takes.Seconds()
	p := progress{io: io, quiet: c.JSON}
	p.line("%s of %s: %d known already, %d to ask for%s", counted(int(view.IDs), "id"), c.Event, would.Known, would.Accepted, atMost(takes))
	if c.DryRun {
		return nil
	}
	runs, done, err := r.Run(ctx, func(done backfill.Counts) {
		p.step("accepted %d, known already %d, of %d", done.Accepted, done.Known, view.IDs)
	})
	view.Accepted, view.Known = done.Accepted, done.Known
	if err != nil {
		p.end()
		fmt.Fprintf(io.err, "towpath: stopped: accepted %d, known already %d, of %d; the same command again goes on\n", done.Accepted, done.Known, view.IDs)
		return broken(ctx, err)
	}
	p.end()
	p.line("accepted %d, known already %d", done.Accepted, done.Known)
	if !c.Wait {
		return nil
	}
	return c.follow(ctx, p, r, runs, view)
}

// pollEvery is how often --wait looks.
const pollEvery = time.Second

// follow shows how the runs end.
func (c backfillCommand) follow(ctx context.Context, p progress, r backfill.Request, runs []uuid.UUID, view *backfillView) error {
	last := ""
	err := r.Follow(ctx, runs, pollEvery, func(now map[string]int64) {
		view.Runs = now
		if said := outcomes(now); said != last {
			p.step("%s %s", bar(endedBy(now, int64(len(runs))), int64(len(runs))), said)
			last = said
		}
	})
	p.end()
	if ctx.Err() != nil {
		fmt.Fprintln(p.io.err, "towpath: no longer followed; the runs go on")
	}
	if err != nil {
		return broken(ctx, err)
	}
	p.line("%s", outcomes(view.Runs))
	if n := view.Runs[syncrun.Held]; n > 0 {
		fmt.Fprintf(p.io.err, "towpath: %s; they go on when what they wait for has changed; which: towpath runs list --status held, and what to do: towpath runs show ID\n", counted(int(n), "held run"))
	}
	if n := view.Runs[syncrun.Failed]; n > 0 {
		fmt.Fprintf(p.io.err, "towpath: %s; which: towpath runs list --status failed --event %s, and why and what to do: towpath runs show ID\n", counted(int(n), "failed run"), c.Event)
	}
	return nil
}

// broken is err, unless a person broke the command off and has been told.
func broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errSilent
	}
	return err
}

// outcomes are counts by status, in the order in which runs pass them.
func outcomes(by map[string]int64) string {
	var parts []string
	for _, status := range syncrun.Statuses() {
		if by[status] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", status, by[status]))
		}
	}
	return strings.Join(parts, ", ")
}

// endedBy is how many of all have ended.
func endedBy(by map[string]int64, all int64) int64 {
	return all - by[syncrun.Queued] - by[syncrun.Running] - by[syncrun.Held]
}

// bar shows the part that is done.
func bar(done, of int64) string {
	const width = 30
	done = min(done, of)
	full := int(width * done / max(of, 1))
	return fmt.Sprintf("[%s%s] %d of %d", strings.Repeat("#", full), strings.Repeat(".", width-full), done, of)
}

// takesWith is how long what waits in a binding's organisation takes at most, with so
// many documents more.
func takesWith(ctx context.Context, pool *pgxpool.Pool, binding uuid.UUID, more int64) (time.Duration, error) {
	if more == 0 {
		return 0, nil
	}
	rows, err := dbsqlc.New().CallBudgetList(ctx, pool)
	if err != nil {
		return 0, fmt.Errorf("read budgets: %w", err)
	}
	for _, backlog := range quota.Backlogs(rows) {
		if backlog.ID == binding {
			return backlog.TakesAtMost(more), nil
		}
	}
	return 0, nil // revoked meanwhile
}

func atMost(takes time.Duration) string {
	if takes == 0 {
		return ""
	}
	return fmt.Sprintf("; with what waits already %s at most by the provider's limits, reading the shop not counted", roughly(takes))
}

// progress says how a long command goes on: to a terminal in one line that changes,
// else in lines, and with --json not among the output.
type progress struct {
	io    console
	quiet bool
}

func (p progress) line(format string, args ...any) {
	if !p.quiet {
		fmt.Fprintf(p.io.out, format+"\n", args...)
	}
}

func (p progress) step(format string, args ...any) {
	if p.io.terminal != nil {
		fmt.Fprintf(p.io.terminal, "\r\x1b[K"+format, args...)
		return
	}
	p.line(format, args...)
}

// end takes the line that changes away.
func (p progress) end() {
	if p.io.terminal != nil {
		fmt.Fprint(p.io.terminal, "\r\x1b[K")
	}
}

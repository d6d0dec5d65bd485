package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/advice"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/find"
	"towpath/pkg/foreign"
	"towpath/pkg/provider"
	"towpath/pkg/provider/specs"
	"towpath/pkg/syncrun"
)

// runDetail is everything of one run.
type runDetail struct {
	runView
	Advice        string          `json:"advice,omitempty"` // what a person can do for a run that failed or is held
	PolicyVersion int32           `json:"policy_version"`
	ErrorDetail   *string         `json:"error_detail"`
	Body          json.RawMessage `json:"body"`
	Canonical     json.RawMessage `json:"canonical"`
	Decision      json.RawMessage `json:"decision"`
	Document      json.RawMessage `json:"document"`
	Variance      json.RawMessage `json:"variance"`
	BlankedAt     *time.Time      `json:"blanked_at"` // its bodies are not here any more
	BlankedBy     *string         `json:"blanked_by"`
	Events        []eventView     `json:"events"`
	Calls         []callView      `json:"calls"` // to the provider, oldest first
}

// callView is one call to the provider, with what was sent and answered.
type callView struct {
	Attempt int32 `json:"attempt"`
	provider.Call
}

type eventView struct {
	At         time.Time `json:"at"`
	Step       string    `json:"step"`
	FromStatus *string   `json:"from_status"`
	ToStatus   string    `json:"to_status"`
	Attempt    int32     `json:"attempt"`
	Who        *string   `json:"who"`
	Why        string    `json:"why"`
	Calls      []string  `json:"calls"` // the provider's own ids; null: it told none
}

type runsShow struct {
	database
	printed
	ID string `arg:"" help:"The run's id, or a number: of invoice, credit memo or order, or the provider's. Several runs that it fits are listed."`
}

// Run prints one run and how it came there.
func (c runsShow) Run(ctx context.Context, io console) error {
	if strings.TrimSpace(c.ID) == "" {
		return wrongUse("give the id or a number of a run (see: towpath runs list)")
	}
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	id, err := uuid.Parse(c.ID)
	if err != nil {
		found, err := c.byNumber(ctx, pool)
		if err != nil {
			return err
		}
		if len(found) > 1 {
			return runsList{printed: c.printed, runFilter: runFilter{Limit: severalMost}}.print(io, found)
		}
		id = found[0].ID
	}
	detail, err := readRun(ctx, pool, id)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io.out, detail)
	}
	return printRun(io, detail)
}

// severalMost is how many runs of one number are listed.
const severalMost = 100

// byNumber are the runs that bear the number, newest first; one at least.
func (c runsShow) byNumber(ctx context.Context, pool *pgxpool.Pool) ([]dbsqlc.SyncRunListRow, error) {
	ids, err := find.Runs(ctx, pool, find.Request{Text: c.ID})
	if err != nil {
		return nil, err
	}
	list, err := dbsqlc.New().SyncRunList(ctx, pool, dbsqlc.SyncRunListParams{Found: ids, MaxRows: severalMost})
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no run has the id or number %q (see: towpath runs list)", c.ID)
	}
	return list, nil
}

func readRun(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID) (runDetail, error) {
	queries := dbsqlc.New()
	list, err := queries.SyncRunList(ctx, pool, dbsqlc.SyncRunListParams{Found: []uuid.UUID{id}, MaxRows: 1})
	if err != nil {
		return runDetail{}, fmt.Errorf("read run %s: %w", id, err)
	}
	if len(list) == 0 {
		return runDetail{}, fmt.Errorf("there is no run %s", id)
	}
	row, err := queries.SyncRunWork(ctx, pool, id)
	if err != nil {
		return runDetail{}, fmt.Errorf("read run %s: %w", id, err)
	}
	events, err := queries.SyncRunEventList(ctx, pool, id)
	if err != nil {
		return runDetail{}, fmt.Errorf("read history of run %s: %w", id, err)
	}
	r := row.SyncRun
	todo, err := adviceOn(ctx, pool, r, row.Binding)
	if err != nil {
		return runDetail{}, err
	}
	detail := runDetail{
		runView:       runView(list[0]),
		Advice:        todo,
		PolicyVersion: r.PolicyVersion, ErrorDetail: r.ErrorDetail, Body: r.Body, Canonical: r.Canonical,
		Decision: r.Decision, Document: r.Document, Variance: r.Variance, BlankedAt: r.BlankedAt, BlankedBy: r.BlankedBy,
	}
	for _, e := range events {
		detail.Events = append(detail.Events, eventView{At: e.At, Step: e.Step, FromStatus: e.FromStatus, ToStatus: e.ToStatus,
			Attempt: e.Attempt, Who: e.Who, Why: e.Why, Calls: e.Calls})
	}
	detail.Calls, err = readCalls(ctx, pool, id)
	return detail, err
}

func readCalls(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID) ([]callView, error) {
	attempts, err := dbsqlc.New().RunCallsList(ctx, pool, id)
	if err != nil {
		return nil, fmt.Errorf("read calls of run %s: %w", id, err)
	}
	all := []callView{}
	for _, a := range attempts {
		calls, err := provider.DecodeCalls(a.Calls)
		if err != nil {
			return nil, fmt.Errorf("read calls of run %s: %w", id, err)
		}
		for _, c := range calls {
			all = append(all, callView{a.Attempt, c})
		}
	}
	return all, nil
}

// blankedWords says of a run that was blanked when it was, by whom, and what a retry does.
func blankedWords(r dbsqlc.SyncRun) string {
	return fmt.Sprintf("bodies and personal data were blanked on %s by %s; a retry of it, where it did not succeed, reads the shop again",
		r.BlankedAt.UTC().Format("2006-01-02 15:04 UTC"), text(r.BlankedBy))
}

// adviceOn is what a person can do for a run that failed or is held, as its page says it;
// of a connection with the command, and of a server that does not answer how that stands.
func adviceOn(ctx context.Context, pool *pgxpool.Pool, r dbsqlc.SyncRun, binding dbsqlc.Binding) (string, error) {
	reason := text(r.HoldReason)
	switch {
	case r.Status == syncrun.Failed:
		return advice.FailedDo(text(r.ErrorCode), text(r.ErrorMessage), specs.Title(binding.Provider)) +
			" Then: towpath runs retry " + r.ID.String(), nil
	case r.Status != syncrun.Held:
		return "", nil
	case reason == "auth":
		return authAdvice(r, binding), nil
	case !strings.HasSuffix(reason, "_no_answer"):
		return advice.HeldDo(reason), nil
	}
	circuits, err := readNoAnswer(ctx, pool, binding)
	for _, n := range circuits {
		if n.Reason == reason {
			return n.String(), err
		}
	}
	return advice.HeldDo(reason), err // it has just been answered
}

// authAdvice is what lets a run go on that is held since the shop or the ledger
// refuses us.
func authAdvice(r dbsqlc.SyncRun, binding dbsqlc.Binding) string {
	if r.Stage == "fetch" {
		return fmt.Sprintf("pair the shop again: towpath tenant pair --tenant %s --provider %s --magento-url URL --code CODE", r.TenantID, binding.Provider)
	}
	return "mend the connection: " + reconnect(binding)
}

func printRun(io console, d runDetail) error {
	fmt.Fprintf(io.out, "run %s\n%s %d of %s, received %s\nstatus %s\n", d.ID, d.Event, d.MagentoEntityID, d.Tenant,
		d.ReceivedAt.Format(time.RFC3339Nano), d.Status)
	d.printWhy(io)
	if d.ProviderReference != nil {
		fmt.Fprintf(io.out, "%s document %s %s\n", d.Provider, foreign.Text(*d.ProviderReference, foreign.Kept), foreign.Text(text(d.ProviderUrl), foreign.Kept))
	}
	if d.BlankedAt != nil {
		fmt.Fprintln(io.out, blankedWords(dbsqlc.SyncRun{BlankedAt: d.BlankedAt, BlankedBy: d.BlankedBy}))
	}
	if d.NextAttemptAt != nil {
		fmt.Fprintf(io.out, "next attempt at %s\n", d.NextAttemptAt.Format(time.RFC3339))
	}
	fmt.Fprintln(io.out)
	return printTrace(io, d)
}

// printWhy says why the run stands where it does, a line each: in Towpath's words, in the
// other side's, and what to do.
func (d runDetail) printWhy(io console) {
	line := func(label, said string) {
		if said != "" {
			fmt.Fprintf(io.out, "%s: %s\n", label, foreign.Lines(said, 2*foreign.Kept))
		}
	}
	if reason := text(d.HoldReason); reason != "" {
		line("reason", reason+" ("+advice.Held(reason)+")")
	}
	if reason := text(d.SkipReason); reason != "" {
		line("reason", reason+" ("+advice.Skipped(reason)+")")
	}
	code, said := text(d.ErrorCode), text(d.ErrorMessage)
	if code != "" && d.Status == syncrun.Failed {
		line("error", code+" ("+advice.Failed(code, said)+")")
	} else {
		line("error", code)
	}
	line("says", said)
	line(d.whoseWords(), text(d.ErrorDetail))
	line("to do", d.Advice)
}

// whoseWords are those of the error's detail: the ledger's, the shop's, or of a fault
// Towpath's own.
func (d runDetail) whoseWords() string {
	if text(d.ErrorCode) == provider.CodeInternal {
		return "detail"
	}
	for _, e := range slices.Backward(d.Events) {
		switch {
		case e.Step == "fetch":
			return "the shop's words"
		case e.Step == "post":
			return specs.Title(d.Provider) + "'s words"
		}
	}
	return "detail"
}

// after is the time since the arrival: in milliseconds while those matter.
func after(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%+.1f ms", float64(d.Microseconds())/1000)
	}
	return "+" + d.Round(time.Second).String()
}

// printTrace prints the history with the time of each step since the arrival.
func printTrace(io console, d runDetail) error {
	rows := [][]string{}
	for _, e := range d.Events {
		rows = append(rows, []string{
			after(e.At.Sub(d.ReceivedAt)),
			e.Step, text(e.FromStatus), e.ToStatus, fmt.Sprint(e.Attempt), text(e.Who), e.Why,
		})
	}
	if err := printTable(io.out, []string{"after", "step", "from", "to", "attempt", "who", "why"}, rows); err != nil {
		return err
	}
	for _, e := range d.Events {
		if len(e.Calls) > 0 {
			fmt.Fprintf(io.out, "\n%s's ids of the calls of attempt %d, for its support:\n  %s\n", d.Provider, e.Attempt, foreign.Text(strings.Join(e.Calls, " "), 2*foreign.Kept))
		}
	}
	return nil
}

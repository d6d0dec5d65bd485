package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/provider/specs"
	"towpath/pkg/retention"
)

type forgetCommand struct {
	database
	printed
	Email  string `required:"" placeholder:"ADDRESS" help:"The person's e-mail, in whatever case."`
	DryRun bool   `name:"dry-run" help:"Only say what was found."`
	Yes    bool   `help:"Do it without asking."`
}

// Help says what is looked through, and what a person has to be told.
func (forgetCommand) Help() string {
	return `Every text that is stored of any run is looked through, so that it takes a while on a large database: an address is
found as a buyer's, in an address, and where a message quotes it. The other runs of the same documents go with them.
Who had another address before is looked for by that one too. Runs that have not ended are not blanked: exit code 1
names them. A retry of a blanked run, or a new event of the shop, brings back what the shop still has.

Example:
  towpath forget --email ada@example.org --dry-run`
}

// mentionView is a run that was found, fields named as the columns.
type mentionView struct {
	ID                uuid.UUID  `json:"id"`
	Tenant            string     `json:"tenant"`
	Event             string     `json:"event"`
	MagentoEntityID   int64      `json:"magento_entity_id"`
	Number            string     `json:"number"`
	Amount            string     `json:"amount"`
	Currency          string     `json:"currency"`
	Status            string     `json:"status"`
	ReceivedAt        time.Time  `json:"received_at"`
	FinishedAt        *time.Time `json:"finished_at"`
	ProviderReference *string    `json:"provider_reference"`
	Blanked           bool       `json:"blanked"`
}

// forgetView is what forget prints with --json. It does not repeat the address.
type forgetView struct {
	DryRun    bool              `json:"dry_run"`
	Runs      []mentionView     `json:"runs"`
	Tables    []retention.Table `json:"tables"`
	Blanked   int64             `json:"blanked"`
	Open      int               `json:"open"` // runs that have not ended, and so stay
	Stays     []string          `json:"stays"`
	Elsewhere []string          `json:"elsewhere"` // what is not Towpath's: whom to ask
}

// Run says what there is, asks, and blanks what has ended.
func (c forgetCommand) Run(ctx context.Context, io console) error {
	if !retention.IsEmail(c.Email) {
		return wrongUse("--email is %q; use a whole address such as ada@example.org", c.Email)
	}
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	found, err := c.find(ctx, io, pool)
	if err != nil {
		return err
	}
	view, err := forgetViewOf(ctx, pool, found)
	if err != nil {
		return err
	}
	if view.DryRun = c.DryRun; !c.JSON {
		if err := printFound(io, view); err != nil {
			return err
		}
	}
	if ids := endedOf(found); !c.DryRun && len(ids) > 0 {
		if err := c.forget(ctx, io, pool, ids, &view); err != nil {
			return err
		}
	}
	if c.JSON {
		err = printJSON(io.out, view)
	} else if !c.DryRun {
		fmt.Fprintf(io.out, "blanked %s\n", counted(int(view.Blanked), "run"))
	}
	if err == nil && !c.DryRun && view.Open > 0 {
		return fmt.Errorf("%s not ended: cancel each (towpath runs cancel ID) or let it end, then give the same command again", hasHave(view.Open))
	}
	return err
}

func hasHave(n int) string {
	if n == 1 {
		return "1 run has"
	}
	return fmt.Sprintf("%d runs have", n)
}

func (c forgetCommand) find(ctx context.Context, io console, pool *pgxpool.Pool) ([]retention.Mention, error) {
	about, err := retention.Estimate(ctx, pool)
	if err != nil {
		return nil, err
	}
	p := progress{io: io, quiet: true}
	defer p.end()
	return retention.Find(ctx, pool, c.Email, func(n int64) { p.step("%s runs looked through", bar(n, max(n, about))) })
}

func (c forgetCommand) forget(ctx context.Context, io console, pool *pgxpool.Pool, ids []uuid.UUID, view *forgetView) error {
	if !c.Yes {
		what := fmt.Sprintf("%s would be blanked for good", counted(len(ids), "run"))
		if err := io.confirm(what, "Blank them?", "nothing was blanked"); err != nil {
			return err
		}
	}
	done, err := retention.Forget(ctx, pool, ids, io.who())
	view.Blanked = done.Runs
	for i := range view.Runs {
		view.Runs[i].Blanked = err == nil && view.Runs[i].FinishedAt != nil
	}
	return err
}

func endedOf(found []retention.Mention) []uuid.UUID {
	ids := []uuid.UUID{}
	for _, m := range found {
		if m.FinishedAt != nil {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// forgetViewOf says what there is, what stays of it, and where else to ask.
func forgetViewOf(ctx context.Context, pool *pgxpool.Pool, found []retention.Mention) (forgetView, error) {
	view := forgetView{Runs: []mentionView{}, Stays: []string{}, Elsewhere: []string{}}
	elsewhere := map[string]bool{}
	var err error
	if view.Tables, err = retention.MeasureRuns(ctx, pool, endedOf(found)); err != nil {
		return view, err
	}
	for _, m := range found {
		view.Runs = append(view.Runs, mentionView{ID: m.ID, Tenant: m.Tenant, Event: m.Event, MagentoEntityID: m.MagentoEntityID, Number: m.Number,
			Amount: m.Amount, Currency: m.Currency, Status: m.Status, ReceivedAt: m.ReceivedAt, FinishedAt: m.FinishedAt, ProviderReference: m.ProviderReference})
		if m.FinishedAt == nil {
			view.Open++
		}
		if m.ProviderReference != nil {
			view.Stays = append(view.Stays, fmt.Sprintf("%s %s of %s %s, and its link to %s", m.Event, *m.ProviderReference, m.Amount, m.Currency, specs.Title(m.Provider)))
		}
		elsewhere[fmt.Sprintf("the shop %s (%s): its customers and orders", m.Tenant, m.MagentoUrl)] = true
		if m.ContactID != "" {
			elsewhere[fmt.Sprintf("%s: contact %s and its documents", specs.Title(m.Provider), m.ContactID)] = true
		}
	}
	view.Elsewhere = slices.Sorted(maps.Keys(elsewhere))
	return view, nil
}

func printFound(io console, v forgetView) error {
	if len(v.Runs) == 0 {
		fmt.Fprintln(io.out, "nothing that is stored names that address")
		return nil
	}
	rows := [][]string{}
	for _, m := range v.Runs {
		rows = append(rows, []string{m.ReceivedAt.UTC().Format("2006-01-02 15:04"), m.Tenant, m.Event, m.Number, strings.TrimSpace(m.Amount + " " + m.Currency), m.Status, m.ID.String()})
	}
	if err := printTable(io.out, []string{"received", "tenant", "event", "number", "amount", "status", "id"}, rows); err != nil {
		return err
	}
	fmt.Fprintln(io.out, "\nto be blanked, of those that have ended:")
	if err := printTables(io, v.Tables); err != nil {
		return err
	}
	open := []string{}
	for _, m := range v.Runs {
		if m.FinishedAt == nil {
			open = append(open, strings.TrimSpace(fmt.Sprintf("%s %s", m.Event, m.Number))+fmt.Sprintf(" (%s), run %s", m.Status, m.ID))
		}
	}
	for _, part := range []struct {
		title string
		lines []string
	}{
		{"not blanked before it has ended (cancel it by towpath runs cancel ID, or let it end, then give the same command again):", open},
		{"stays, since books have to be kept (number, sums, link and history):", v.Stays},
		{"not Towpath's, to be asked there:", append(v.Elsewhere, "your backups of the database, and logs of others")},
	} {
		if len(part.lines) == 0 {
			continue
		}
		fmt.Fprintln(io.out, "\n"+part.title)
		for _, line := range part.lines {
			fmt.Fprintln(io.out, "  "+line)
		}
	}
	fmt.Fprintln(io.out)
	return nil
}

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"towpath/pkg/gaps"
)

type gapsCommand struct {
	database
	printed
	Tenant string `placeholder:"TENANT" help:"Only this tenant's shop, by its id or name."`
	Since  string `placeholder:"TIME" help:"Only between events received since: RFC 3339, YYYY-MM-DD, or a duration such as 30d or 24h; without it since the binding's start."`
	Limit  int    `default:"1000" placeholder:"N" help:"At most so many gaps."`
}

// Help is shown below the flags by --help.
func (gapsCommand) Help() string {
	return `A gap is a range of increment ids of one store between the lowest and the highest that came. Magento
itself leaves numbers out where a save was rolled back, so the shop has the last word: to ask it for an
id that it does not have does no harm.

A shop is quiet when hours in which it usually sends events pass without one (docs/operating.md).`
}

// gapsView is what gaps prints with --json.
type gapsView struct {
	Gaps  []gaps.Gap  `json:"gaps"`
	Shops []gaps.Shop `json:"shops"`
}

// Run looks, and prints.
func (c gapsCommand) Run(ctx context.Context, io console) error {
	now := time.Now()
	request := gaps.Request{Most: c.Limit}
	if c.Limit < 1 || c.Limit > 100_000 {
		return wrongUse("--limit is %d; use 1 to 100000", c.Limit)
	}
	var err error
	if c.Since != "" {
		if request.Since, err = parseSince("--since", c.Since, now); err != nil {
			return err
		}
	}
	if request.Pool, err = c.open(ctx, io); err != nil {
		return err
	}
	defer request.Pool.Close()
	if c.Tenant != "" {
		tenant, err := findTenant(ctx, request.Pool, c.Tenant)
		if err != nil {
			return err
		}
		request.TenantID = &tenant.ID
	}
	view, err := c.look(ctx, request, now)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io.out, view)
	}
	return c.print(io, view, now)
}

func (c gapsCommand) look(ctx context.Context, request gaps.Request, now time.Time) (gapsView, error) {
	view := gapsView{Shops: []gaps.Shop{}}
	var err error
	if view.Gaps, err = gaps.List(ctx, request); err != nil {
		return view, err
	}
	shops, err := gaps.Shops(ctx, request.Pool, now)
	for _, s := range shops {
		if request.TenantID == nil || s.TenantID == *request.TenantID {
			view.Shops = append(view.Shops, s)
		}
	}
	return view, err
}

func (c gapsCommand) print(io console, view gapsView, now time.Time) error {
	for _, g := range view.Gaps {
		if err := printGap(io, g); err != nil {
			return err
		}
	}
	if len(view.Gaps) == 0 {
		fmt.Fprintln(io.out, "no number is missing between those that came")
	}
	if len(view.Gaps) == c.Limit {
		fmt.Fprintf(io.err, "towpath: only the first %s; --limit takes more\n", counted(c.Limit, "gap"))
	}
	var rows [][]string
	for _, s := range view.Shops {
		last, rhythm := "never", "too few events to tell"
		if s.LastAt != nil {
			last = roughly(now.Sub(*s.LastAt)) + " ago"
		}
		switch {
		case s.Silent:
			rhythm = "QUIETER THAN USUAL since " + s.SilentAt.UTC().Format(time.RFC3339)
		case s.SilentAt != nil:
			rhythm = "as usual; would be quiet at " + s.SilentAt.UTC().Format(time.RFC3339)
		}
		rows = append(rows, []string{s.Tenant, last, rhythm})
	}
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(io.out)
	return printTable(io.out, []string{"shop", "last event", "rhythm"}, rows)
}

// printGap prints a gap and what to do about it.
func printGap(io console, g gaps.Gap) error {
	numbers := g.First
	if g.Missing > 1 {
		numbers += " to " + g.Last
	}
	what := map[string]string{"invoice.created": "invoice", "creditmemo.created": "credit memo"}[g.Event]
	lines := []string{fmt.Sprintf("%s, store %d: %s missing, %s (noticed %s)", g.Tenant, g.StoreID, counted(int(g.Missing), what), numbers, g.NoticedAt.UTC().Format(time.RFC3339))}
	switch {
	case g.IDs == "":
		lines = append(lines, "their ids cannot be told from what came; the shop's database has them, then towpath backfill --ids:", g.Command)
	case g.Certain:
		lines = append(lines, "ask the shop for them:", g.Command)
	default:
		lines = append(lines, "their ids are among these, or the shop left the numbers out; ask for all, an id that is not there does no harm:", g.Command)
	}
	_, err := fmt.Fprintln(io.out, strings.Join(lines, "\n  "))
	return err
}

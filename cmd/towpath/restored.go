package main

import (
	"context"
	"fmt"
	"time"

	"towpath/pkg/restored"
)

type restoredCommand struct {
	Show        restoredShow        `cmd:"" help:"What was noticed and not acknowledged, and the commands that fetch what the shops have since."`
	Tell        restoredTell        `cmd:"" help:"Say that the database was restored, where Towpath has not noticed."`
	Acknowledge restoredAcknowledge `cmd:"" help:"End the telling: what was forgotten has been fetched."`
}

type restoredShow struct {
	database
	printed
}

// Help is shown below the flags by --help.
func (restoredShow) Help() string {
	return `Every shop is asked for the invoices and credit memos after the last that the database knew, and for
the state of invoices of the 60 days before whose payment it does not know. It reads only. Documents that
the shop has not sent yet are among them; to fetch those too does no harm.

Exit code: 0 there is nothing to fetch, 1 there is, or a shop could not be asked.`
}

// restoredView is what show prints with --json.
type restoredView struct {
	Restores []restored.Restore `json:"restores"`
	Missing  []restored.Missing `json:"missing"`
}

// Run lists, and asks the shops where there is something to ask.
func (c restoredShow) Run(ctx context.Context, io console) error {
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	view := restoredView{Missing: []restored.Missing{}}
	if view.Restores, err = restored.Open(ctx, pool); err != nil {
		return err
	}
	if len(view.Restores) > 0 {
		made, err := io.clients(pool)
		if err != nil {
			return err
		}
		if view.Missing, err = (restored.Search{Pool: pool, Clients: made}).Missing(ctx, earliest(view.Restores)); err != nil {
			return err
		}
	}
	if c.JSON {
		err = printJSON(io.out, view)
	} else {
		c.print(io, view)
	}
	if err == nil && len(view.Missing) > 0 {
		return errSilent
	}
	return err
}

// earliest is what all of them together went back to.
func earliest(restores []restored.Restore) time.Time {
	at := restores[0].BackTo
	for _, r := range restores {
		if r.BackTo.Before(at) {
			at = r.BackTo
		}
	}
	return at
}

func (restoredShow) print(io console, view restoredView) {
	if len(view.Restores) == 0 {
		fmt.Fprintln(io.out, "nothing was noticed that is not acknowledged")
		return
	}
	for _, r := range view.Restores {
		fmt.Fprintf(io.out, "the database went back to %s: %s (noticed %s)\n", r.BackTo.UTC().Format(time.RFC3339), r.Why(), r.At.UTC().Format(time.RFC3339))
	}
	for _, m := range view.Missing {
		if m.Error != "" {
			fmt.Fprintf(io.out, "%s: not known what it has since: %s\n", m.Tenant, m.Error)
			continue
		}
		fmt.Fprintf(io.out, "%s has %s that no event here names: %s\n  %s\n", m.Tenant, m.Event, m.IDs, m.Command)
	}
	if len(view.Missing) == 0 {
		fmt.Fprintln(io.out, "the shops have nothing since that is not known here; then: towpath restored acknowledge")
	}
}

type restoredTell struct {
	database
	printed
	At string `required:"" placeholder:"TIME" help:"When the backup was made: RFC 3339, YYYY-MM-DD, or a duration such as 3h."`
}

// Run notes it, and lists what is open.
func (c restoredTell) Run(ctx context.Context, io console) error {
	at, err := parseSince("--at", c.At, time.Now())
	if err != nil {
		return err
	}
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := restored.Tell(ctx, pool, at); err != nil {
		return err
	}
	if c.JSON {
		open, err := restored.Open(ctx, pool)
		if err != nil {
			return err
		}
		return printJSON(io.out, open)
	}
	fmt.Fprintln(io.out, "noted: what may have been written since is looked up first; what was forgotten: towpath restored show")
	return nil
}

type restoredAcknowledge struct {
	database
	printed
}

// Run ends the telling.
func (c restoredAcknowledge) Run(ctx context.Context, io console) error {
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	n, err := restored.Acknowledge(ctx, pool)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io.out, map[string]int{"acknowledged": n})
	}
	fmt.Fprintf(io.out, "acknowledged: %d\n", n)
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/actions"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/foreign"
	"towpath/pkg/whatif"
)

type whatIfCommand struct {
	database
	printed
	Binding string `required:"" placeholder:"BINDING" help:"The binding, by its id or its shop's name, whose documents are looked at."`
	File    string `required:"" placeholder:"FILE" help:"The settings to try, as for \"binding policy set\"; - reads standard input."`
	Since   string `default:"30d" placeholder:"TIME" help:"Only documents received since: RFC 3339, YYYY-MM-DD, or a duration such as 30d or 24h."`
	Limit   int    `placeholder:"N" help:"Look at the newest so many documents; without it at all."`
	Pinned  bool   `help:"Compare with the version of the settings that each run was written under, in place of the one in force."`
}

// Help is shown below the flags by --help.
func (whatIfCommand) Help() string {
	return `Each document that the shop has sent is built twice, under the settings in force and under those of
the file, with what the provider is known to have now; what was really booked is not asked.

Example:
  towpath binding policy get "$BINDING" > policy.json    # edit it, then
  towpath what-if --binding "$BINDING" --file policy.json --since 30d`
}

// Run checks the file as policy set does, and compares.
func (c whatIfCommand) Run(ctx context.Context, io console) error {
	since, err := parseSince("--since", c.Since, time.Now())
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return wrongUse("--limit is %d; use 1 or more", c.Limit)
	}
	_, tried, faults, err := readPolicy(io, c.File)
	if err != nil {
		return err
	}
	return withBinding(ctx, io, c.database, c.Binding, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		faults = checkReference(ctx, io, pool, binding, tried, faults)
		if len(faults) > 0 {
			printFaults(io, faults)
			fmt.Fprintln(io.err, "nothing was compared; mend the file, as \"binding policy set\" would take it")
			return errSilent
		}
		look, err := actions.Look(ctx, pool, binding.ID, tried, c.Pinned)
		if err != nil {
			return err
		}
		look.Since, look.Limit = since, c.Limit
		return c.compare(ctx, io, look)
	})
}

// compare prints each difference as it is found: there may be many.
func (c whatIfCommand) compare(ctx context.Context, io console, look whatif.Look) error {
	p := progress{io: io, quiet: true}
	found := 0
	sum, err := look.Run(ctx, func(d whatif.Difference) error {
		if io.terminal != nil {
			p.end()
		}
		found++
		if c.JSON {
			return printElement(io, found, d)
		}
		printDifference(io, d)
		return nil
	}, func(s whatif.Summary) {
		if io.terminal != nil {
			p.step("%d looked at, %d different", s.Looked, s.Different)
		}
	})
	p.end()
	to := io.out
	if c.JSON {
		if found == 0 {
			fmt.Fprint(io.out, "[")
		}
		fmt.Fprintln(io.out, "]")
		to = io.err // the array is all that is printed
	}
	if err != nil {
		fmt.Fprintf(io.err, "towpath: stopped after %s\n", counted(sum.Looked, "document"))
		return broken(ctx, err)
	}
	fmt.Fprint(to, c.summary(look, sum))
	return nil
}

// printElement prints one object of an array.
func printElement(io console, n int, v any) error {
	before := ",\n"
	if n == 1 {
		before = "[\n"
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	_, err = fmt.Fprintf(io.out, "%s%s", before, raw)
	return err
}

// summary is what was looked at, and what came of it.
func (c whatIfCommand) summary(look whatif.Look, sum whatif.Summary) string {
	against := fmt.Sprintf("policy version %d", look.Binding.PolicyVersion)
	if c.Pinned {
		against = "the policy version of its run"
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s received since %s, each under %s and under %s: %d the same, %d different\n",
		counted(sum.Looked, "document"), look.Since.UTC().Format("2006-01-02 15:04"), against, c.File, sum.Same(), sum.Different)
	for _, kind := range whatif.Kinds() {
		if n := sum.Kinds[kind]; n > 0 {
			fmt.Fprintf(&out, "  %-12s %d\n", kind, n)
		}
	}
	if sum.Blanked > 0 {
		fmt.Fprintf(&out, "not looked at: %s of that time, whose documents were blanked (see: towpath runs list --since)\n", counted(sum.Blanked, "run"))
	}
	if sum.Cut {
		fmt.Fprintf(&out, "only the newest %d were looked at; a higher --limit, or none, takes more\n", c.Limit)
	}
	return out.String()
}

// mostLines bounds what is printed of one document.
const mostLines = 12

// printDifference prints a run, and below it a line for each line of the document that
// differs.
func printDifference(io console, d whatif.Difference) {
	fmt.Fprintf(io.out, "run %s  %s %s  received %s\n", d.ID, d.Event, foreign.Text(d.Number, foreign.Kept), d.ReceivedAt.UTC().Format(time.RFC3339))
	lines := perLine(d.Changes)
	for i, line := range lines {
		if i == mostLines {
			fmt.Fprintf(io.out, "  and %s more (--json has all)\n", counted(len(lines)-i, "difference"))
			break
		}
		fmt.Fprintf(io.out, "  %s\n", foreign.Text(line, 2*foreign.Kept))
	}
	fmt.Fprintln(io.out)
}

// perLine are the changes in words, those of one line of the document together.
func perLine(changes []whatif.Change) []string {
	var all []string
	last := whatif.Change{}
	for _, c := range changes {
		if c.Line > 0 && c.Kind == last.Kind && c.Line == last.Line && c.Field != "" && last.Field != "" {
			all[len(all)-1] += "; " + inWords(c)
		} else {
			where := string(c.Kind)
			if c.Line > 0 {
				where = "line " + strconv.Itoa(c.Line)
			}
			all = append(all, where+": "+inWords(c))
		}
		last = c
	}
	return all
}

func inWords(c whatif.Change) string {
	switch {
	case c.Line > 0 && c.Field == "" && c.Before == "":
		return "added: " + c.After
	case c.Line > 0 && c.Field == "" && c.After == "":
		return "gone: " + c.Before
	}
	field := c.Field
	if field != "" {
		field += " "
	}
	return field + orNone(c.Before) + " -> " + orNone(c.After)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

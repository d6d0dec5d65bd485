package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"towpath/pkg/bench"
)

type benchCommand struct {
	printed
	Seconds  int    `default:"4" help:"How long each round of inserts or webhooks lasts."`
	Clients  []int  `default:"16,64" placeholder:"N,..." help:"How many insert, or send webhooks, at once: a measurement each."`
	Tenants  []int  `default:"1,20" placeholder:"N,..." help:"Of how many tenants the waiting runs are: a measurement each."`
	Samples  int    `default:"60" help:"Invoices sent one at a time for the idle time."`
	Backlog  int    `default:"1500" help:"Runs that wait when the workers start."`
	Ended    int    `placeholder:"N" help:"Also measure a database with so many ended runs, 1000000 for instance: the way of a run with few and with many, every page, and what commands ask. About 9 GB on the disk, and a quarter of an hour."`
	PGBin    string `name:"pg-bin" placeholder:"DIR" help:"The folder of initdb, postgres and pgbench ($$PGBIN; default: found or fetched)."`
	DataRoot string `name:"data-root" placeholder:"DIR" help:"Where the database's files are for as long as it runs (default: in memory if there is room, else the temporary folder)."`
}

// Run measures in a private database and leaves nothing behind.
func (c benchCommand) Run(ctx context.Context, io console) error {
	bin, err := io.settingOr(c.PGBin, "PGBIN", "")
	if err != nil {
		return err
	}
	cfg := bench.Config{
		Seconds: c.Seconds, Clients: c.Clients, Tenants: c.Tenants, Samples: c.Samples, Backlog: c.Backlog, Ended: c.Ended,
		BinDir: bin, DataRoot: c.DataRoot, Logger: textLog(io.err, &slog.HandlerOptions{Level: slog.LevelWarn}),
	}
	if err := cfg.Check(); err != nil {
		return usageError{err}
	}
	report, err := bench.Measure(ctx, cfg)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(io.out, report)
	} else {
		err = printReport(io.out, report)
	}
	if err != nil {
		return err
	}
	for _, d := range report.Drains {
		if d.Mismatches > 0 {
			return fmt.Errorf("run_queue_mismatch had %d rows, where it never has one", d.Mismatches)
		}
	}
	return nil
}

func printReport(out io.Writer, r bench.Report) error {
	fmt.Fprintf(out, "machine   %d cores, load %s before and %s after; %s; Postgres %s\n", r.Cores, shownLoad(r.LoadBefore), shownLoad(r.LoadAfter), r.GoVersion, r.PostgresVersion)
	fmt.Fprintf(out, "data in   %s; %.0f fdatasyncs of a page a second, median %.3f ms\n", r.DataRoot, r.Disk.PerSecond, r.Disk.MedianMS)
	if err := printTable(out, []string{"webhooks, per second", "round 1", "round 2", "mean", "p50 ms", "p99 ms"}, doorRows(r)); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nidle: from 202 to the shop's Synced, %d invoices one at a time: p50 %.1f ms, p99 %.1f ms\n", r.Idle.Samples, r.Idle.P50MS, r.Idle.P99MS)
	for _, step := range r.Idle.Steps {
		fmt.Fprintf(out, "  %6.1f ms  %s\n", step.MedianMS, step.Step)
	}
	for _, d := range r.Drains {
		fmt.Fprintf(out, "\nbacklog of %d runs of %d tenants: %.1f s, %.0f whole runs a second, plain River %.0f: %.2f times; run_queue_mismatch had %d rows in %d snapshots\n",
			d.Runs, d.Tenants, d.Seconds, d.PerSecond, d.Plain, d.Ratio, d.Mismatches, d.Snapshots)
	}
	if r.Large != nil {
		return printLarge(out, *r.Large)
	}
	return nil
}

// printLarge prints what a database with many ended runs costs.
func printLarge(out io.Writer, f bench.LargeFigure) error {
	fmt.Fprintf(out, "\nwith %d ended runs\n", f.Ended)
	hot := [][]string{}
	for _, row := range []struct {
		name      string
		few, many float64
	}{
		{"idle p50, ms", f.Few.P50MS, f.Many.P50MS}, {"idle p99, ms", f.Few.P99MS, f.Many.P99MS}, {"backlog, whole runs a second", f.Few.PerSecond, f.Many.PerSecond},
		{"rows read for a run", f.Few.Rows, f.Many.Rows}, {"blocks touched for a run", f.Few.Blocks, f.Many.Blocks},
	} {
		hot = append(hot, []string{row.name, fmt.Sprintf("%.1f", row.few), fmt.Sprintf("%.1f", row.many)})
	}
	if err := printTable(out, []string{"", "with few", "with many"}, hot); err != nil {
		return err
	}
	var tables, reads [][]string
	for _, t := range f.Tables {
		tables = append(tables, []string{t.Table, fmt.Sprint(t.Rows), fmt.Sprintf("%.1f", t.PerRun), rate(t.Bytes), rate(t.IndexBytes)})
	}
	if err := printTable(out, []string{"table", "rows", "rows a run", "bytes a run", "in indexes"}, tables); err != nil {
		return err
	}
	for _, r := range f.Reads {
		reads = append(reads, []string{r.What, fmt.Sprintf("%.1f", r.FirstMS), fmt.Sprintf("%.1f", r.ThenMS)})
	}
	return printTable(out, []string{"what is read", "first ms", "then ms"}, reads)
}

// doorRows are three rows and the ratios for each number of senders.
func doorRows(r bench.Report) [][]string {
	var rows [][]string
	for _, f := range r.Doors {
		with := fmt.Sprintf(", %d senders", f.Clients)
		rows = append(rows,
			[]string{"limit: the inserts by " + f.Limit.By + with, rate(f.Limit.Rounds[0]), rate(f.Limit.Rounds[1]), rate(f.Limit.PerSecond), "", ""},
			webhookRow("plain River"+with, f.Plain), webhookRow("Towpath"+with, f.Webhooks),
			[]string{"Towpath / plain River, / limit", times(f.Webhooks.Rounds[0] / f.Plain.Rounds[0]), times(f.Webhooks.Rounds[1] / f.Plain.Rounds[1]),
				times(f.ToPlain) + ", " + times(f.ToLimit), "", ""})
	}
	return rows
}

func webhookRow(name string, f bench.WebhookFigure) []string {
	if f.NotAccepted > 0 {
		name += fmt.Sprintf(" (%d were not accepted)", f.NotAccepted)
	}
	return []string{name, rate(f.Rounds[0]), rate(f.Rounds[1]), rate(f.PerSecond), fmt.Sprintf("%.1f", f.P50MS), fmt.Sprintf("%.1f", f.P99MS)}
}

func times(ratio float64) string { return fmt.Sprintf("%.2f", ratio) }

func rate(perSecond float64) string { return fmt.Sprintf("%.0f", perSecond) }

func shownLoad(load *float64) string {
	if load == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.1f", *load)
}

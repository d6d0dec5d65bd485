package main

import (
	"fmt"
	"io"
)

// benchReport is everything that was measured, and on what.
type benchReport struct {
	Cores           int           `json:"cores"`
	LoadBefore      *float64      `json:"load_before"` // of the last minute, before and at the end
	LoadAfter       *float64      `json:"load_after"`
	GoVersion       string        `json:"go_version"`
	PostgresVersion string        `json:"postgres_version"`
	DataRoot        string        `json:"data_root"`
	Disk            diskFigure    `json:"disk"`
	Seconds         int           `json:"seconds"`
	Doors           []doorFigure  `json:"webhooks"`
	Idle            idleFigure    `json:"idle"`
	Drains          []drainFigure `json:"backlogs"`
}

// doorFigure is the front door under so many senders, beside the same done plainly
// and the machine's limit.
type doorFigure struct {
	Clients  int           `json:"clients"`
	Limit    limitFigure   `json:"limit"`
	Plain    webhookFigure `json:"plain_river"`
	Webhooks webhookFigure `json:"towpath"`
	ToLimit  float64       `json:"ratio_to_limit"`
	ToPlain  float64       `json:"ratio_to_plain_river"`
}

// sum fills in the means and ratios.
func (f doorFigure) sum() doorFigure {
	f.Limit.PerSecond, f.Plain.PerSecond, f.Webhooks.PerSecond = mean(f.Limit.Rounds), mean(f.Plain.Rounds), mean(f.Webhooks.Rounds)
	f.ToLimit, f.ToPlain = f.Webhooks.PerSecond/f.Limit.PerSecond, f.Webhooks.PerSecond/f.Plain.PerSecond
	return f
}

func (r benchReport) print(out io.Writer) error {
	fmt.Fprintf(out, "machine   %d cores, load %s before and %s after; %s; Postgres %s\n", r.Cores, shownLoad(r.LoadBefore), shownLoad(r.LoadAfter), r.GoVersion, r.PostgresVersion)
	fmt.Fprintf(out, "data in   %s; %.0f fdatasyncs of a page a second, median %.3f ms\n", r.DataRoot, r.Disk.PerSecond, r.Disk.MedianMS)
	if err := printTable(out, []string{"webhooks, per second", "round 1", "round 2", "mean", "p50 ms", "p99 ms"}, r.doorRows()); err != nil {
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
	return nil
}

// doorRows are three rows and the ratios for each number of senders.
func (r benchReport) doorRows() [][]string {
	var rows [][]string
	for _, f := range r.Doors {
		with := fmt.Sprintf(", %d senders", f.Clients)
		rows = append(rows,
			[]string{"limit: the inserts by " + f.Limit.By + with, rate(f.Limit.Rounds[0]), rate(f.Limit.Rounds[1]), rate(f.Limit.PerSecond), "", ""},
			f.Plain.row("plain River"+with), f.Webhooks.row("Towpath"+with),
			[]string{"Towpath / plain River, / limit", times(f.Webhooks.Rounds[0] / f.Plain.Rounds[0]), times(f.Webhooks.Rounds[1] / f.Plain.Rounds[1]),
				times(f.ToPlain) + ", " + times(f.ToLimit), "", ""})
	}
	return rows
}

func (f webhookFigure) row(name string) []string {
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

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
	Clients         int           `json:"clients"`
	Limit           limitFigure   `json:"limit"`
	Webhooks        webhookFigure `json:"webhooks"`
	Ratio           float64       `json:"ratio"` // webhooks per second / transactions per second
	Idle            idleFigure    `json:"idle"`
	Drain           drainFigure   `json:"drain"`
}

func (r benchReport) print(out io.Writer) error {
	fmt.Fprintf(out, "machine   %d cores, load %s before and %s after; %s; Postgres %s\n", r.Cores, shownLoad(r.LoadBefore), shownLoad(r.LoadAfter), r.GoVersion, r.PostgresVersion)
	fmt.Fprintf(out, "data in   %s; %.0f fdatasyncs of a page a second, median %.3f ms\n", r.DataRoot, r.Disk.PerSecond, r.Disk.MedianMS)
	fmt.Fprintf(out, "rounds    %d s each, %d clients, limit and webhooks in turn\n\n", r.Seconds, r.Clients)
	rows := [][]string{
		{fmt.Sprintf("limit: the same inserts by %s, per second", r.Limit.By), rate(r.Limit.Rounds[0]), rate(r.Limit.Rounds[1]), rate(r.Limit.PerSecond)},
		{"webhooks accepted, per second", rate(r.Webhooks.Rounds[0]), rate(r.Webhooks.Rounds[1]), rate(r.Webhooks.PerSecond)},
		{"webhooks / limit", percent(r.Webhooks.Rounds[0] / r.Limit.Rounds[0]), percent(r.Webhooks.Rounds[1] / r.Limit.Rounds[1]), percent(r.Ratio)},
	}
	if err := printTable(out, []string{"", "round 1", "round 2", "mean"}, rows); err != nil {
		return err
	}
	fmt.Fprintf(out, "\na webhook's answer: p50 %.1f ms, p99 %.1f ms", r.Webhooks.P50MS, r.Webhooks.P99MS)
	if r.Webhooks.NotAccepted > 0 {
		fmt.Fprintf(out, "; %d were not accepted", r.Webhooks.NotAccepted)
	}
	fmt.Fprintf(out, "\n\nidle: from 202 to the shop's Synced, %d invoices one at a time: p50 %.1f ms, p99 %.1f ms\n", r.Idle.Samples, r.Idle.P50MS, r.Idle.P99MS)
	for _, step := range r.Idle.Steps {
		fmt.Fprintf(out, "  %6.1f ms  %s\n", step.MedianMS, step.Step)
	}
	fmt.Fprintf(out, "\nbacklog: %d runs in %.1f s, %.0f whole runs a second; run_queue_mismatch had %d rows in %d snapshots\n",
		r.Drain.Runs, r.Drain.Seconds, r.Drain.PerSecond, r.Drain.Mismatches, r.Drain.Snapshots)
	return nil
}

func rate(perSecond float64) string { return fmt.Sprintf("%.0f", perSecond) }

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

func shownLoad(load *float64) string {
	if load == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.1f", *load)
}

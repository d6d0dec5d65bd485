package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"towpath/pkg/mistake"
	"towpath/pkg/soak"
)

type soakCommand struct {
	printed
	Minutes float64       `default:"5" help:"How long traffic and faults last; what is under way then may end."`
	Seed    uint64        `default:"1" help:"Of what is raised and what goes wrong, and in which order."`
	Rate    float64       `default:"5" help:"Invoices a second, of all shops together."`
	Settle  time.Duration `default:"10m" help:"How long what was accepted may take to end after that."`
	PGBin   string        `name:"pg-bin" placeholder:"DIR" help:"The folder of initdb and postgres ($$PGBIN; default: found or fetched)."`
}

// Run soaks this very program in a private database and leaves nothing behind.
func (c soakCommand) Run(ctx context.Context, io console) error {
	bin, err := io.settingOr(c.PGBin, "PGBIN", "")
	if err != nil {
		return err
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	p := progress{io: io, quiet: c.JSON}
	cfg := soak.Config{
		For: time.Duration(c.Minutes * float64(time.Minute)), Settle: c.Settle, Seed: c.Seed, Rate: c.Rate, Binary: binary, BinDir: bin,
		Env: mistakeAsked(), Logger: textLog(io.err, &slog.HandlerOptions{Level: slog.LevelWarn}),
		Progress: func(at soak.Progress) { p.soaking(at) },
	}
	if err := cfg.Check(); err != nil {
		return usageError{err}
	}
	report, err := soak.Run(ctx, cfg)
	p.end()
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(io.out, report)
	} else {
		printSoak(io, report)
	}
	if err == nil && report.Broken() {
		return errSilent
	}
	return err
}

// mistakeAsked hands the mistake on that a build for tests of the checks is to make.
func mistakeAsked() []string {
	if mistake.Named() == "" {
		return nil
	}
	return []string{"TOWPATH_MISTAKE=" + mistake.Named()}
}

// soaking shows a bar where a person watches.
func (p progress) soaking(at soak.Progress) {
	if p.io.terminal == nil {
		return
	}
	const width = 24
	done := min(int(width*at.Elapsed/at.Of), width)
	bar := fmt.Sprintf("%-*s", width, "========================"[:done])
	what := fmt.Sprintf("%s of %s", at.Elapsed.Round(time.Second), at.Of)
	if at.Settling {
		what = "what is under way ends"
	}
	p.step("[%s] %s; %d events, %d still to be accepted; %d kills, %d crashes, %d faults", bar, what, at.Raised, at.Open, at.Kills, at.Crashes, at.Troubles)
}

func printSoak(io console, r soak.Report) {
	fmt.Fprintf(io.out, "seed %d: %.0f s of traffic, everything ended %.1f s after it\n", r.Seed, r.Seconds, r.SettledSeconds)
	fmt.Fprintf(io.out, "%d kills, %d crashes of the database, %d times half of its connections ended, %d faults of shops and ledger\n", r.Kills, r.Crashes, r.Terminations, r.Faults)
	fmt.Fprintf(io.out, "accepted %v, ended %v\n", r.Events, r.Runs)
	fmt.Fprintf(io.out, "longest stall %.1f s, slowest run %.1f s, %d snapshots\n\n", r.LongestStall, r.SlowestDocument, r.Snapshots)
	for _, f := range r.Findings {
		mark := "ok    "
		if f.Broken > 0 {
			mark = "BROKEN"
		}
		fmt.Fprintf(io.out, "%s  %-20s %6d  %s\n", mark, f.Name, f.Checked, f.Text)
		if f.Broken > 0 {
			fmt.Fprintf(io.out, "        %d found, for instance:\n", f.Broken)
		}
		for _, sample := range f.Samples {
			fmt.Fprintln(io.out, "        "+sample)
		}
	}
}

package main

import (
	"context"
	"fmt"
	"time"
)

// maxBenchClients keeps the private server's connections within reason.
const maxBenchClients = 500

type benchCommand struct {
	printed
	Seconds  int    `default:"6" help:"How long each of the four rounds of inserts and webhooks lasts."`
	Clients  int    `default:"16" help:"Connections that insert, or send webhooks, at once."`
	Samples  int    `default:"60" help:"Invoices sent one at a time for the idle time."`
	Backlog  int    `default:"500" help:"Runs that wait when the workers start."`
	PGBin    string `name:"pg-bin" placeholder:"DIR" help:"The folder of initdb, postgres and pgbench ($$PGBIN; default: found or fetched)."`
	DataRoot string `name:"data-root" placeholder:"DIR" help:"Where the database's files are for as long as it runs (default: in memory if there is room, else the temporary folder)."`
}

func (c benchCommand) check() error {
	for _, flag := range []struct {
		name      string
		value     int
		low, high int
	}{
		{"--seconds", c.Seconds, 1, 600}, {"--clients", c.Clients, 1, maxBenchClients},
		{"--samples", c.Samples, 1, 10_000}, {"--backlog", c.Backlog, 1, 10_000},
	} {
		if flag.value < flag.low || flag.value > flag.high {
			return wrongUse("%s is %d; use %d to %d", flag.name, flag.value, flag.low, flag.high)
		}
	}
	return nil
}

// limit bounds the whole measurement: the rounds, a second a sample, a tenth of
// one a run of the backlog, and two minutes for all that is started between.
func (c benchCommand) limit() time.Duration {
	return 4*time.Duration(c.Seconds)*time.Second + time.Duration(c.Samples)*time.Second +
		time.Duration(c.Backlog)*100*time.Millisecond + 2*time.Minute
}

// Run measures in a private database and leaves nothing behind.
func (c benchCommand) Run(ctx context.Context, io console) error {
	if err := c.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit())
	defer cancel()
	b := &bench{cmd: c, io: io}
	defer b.stop()
	if err := b.measure(ctx); err != nil {
		return err
	}
	if err := c.print(io, b.report); err != nil {
		return err
	}
	if b.report.Drain.Mismatches > 0 {
		return fmt.Errorf("run_queue_mismatch had %d rows, where it never has one", b.report.Drain.Mismatches)
	}
	return nil
}

func (c benchCommand) print(io console, report benchReport) error {
	if c.JSON {
		return printJSON(io.out, report)
	}
	return report.print(io.out)
}

// measure goes from the machine to whole runs. The limit and what is held
// against it take turns, so that a machine that slows down meanwhile slows both.
func (b *bench) measure(ctx context.Context) error {
	b.report.Seconds, b.report.Clients = b.cmd.Seconds, b.cmd.Clients
	if err := b.startCluster(ctx); err != nil {
		return err
	}
	b.report.LoadBefore = load()
	if err := b.describe(ctx); err != nil {
		return err
	}
	limit, err := b.newLimit(ctx)
	if err != nil {
		return err
	}
	accept, err := b.newSite(ctx, "webhooks", roles{Ingress: true})
	if err != nil {
		return err
	}
	for round := range 2 {
		if err := b.roundOfLimit(ctx, limit, round); err != nil {
			return err
		}
		if err := b.roundOfWebhooks(ctx, accept, round); err != nil {
			return err
		}
	}
	accept.stop()
	b.report.Limit.PerSecond = mean(b.report.Limit.Rounds)
	b.report.Webhooks.PerSecond = mean(b.report.Webhooks.Rounds)
	b.report.Ratio = b.report.Webhooks.PerSecond / b.report.Limit.PerSecond
	if err := b.runs(ctx); err != nil {
		return err
	}
	b.report.LoadAfter = load()
	return nil
}

// runs measures whole runs, first one at a time, then a backlog.
func (b *bench) runs(ctx context.Context) error {
	site, err := b.newSite(ctx, "runs", roles{Ingress: true, Worker: true})
	if err != nil {
		return err
	}
	defer site.stop()
	if b.report.Idle, err = b.idle(ctx, site); err != nil {
		return fmt.Errorf("measure idle runs: %w", err)
	}
	if b.report.Drain, err = b.drain(ctx, site); err != nil {
		return fmt.Errorf("measure a backlog: %w", err)
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"time"

	"towpath/pkg/server"
)

// maxBenchClients keeps the private server's connections within reason.
const maxBenchClients = 500

type benchCommand struct {
	printed
	Seconds  int    `default:"4" help:"How long each round of inserts or webhooks lasts."`
	Clients  []int  `default:"16,64" placeholder:"N,..." help:"How many insert, or send webhooks, at once: a measurement each."`
	Tenants  []int  `default:"1,20" placeholder:"N,..." help:"Of how many tenants the waiting runs are: a measurement each."`
	Samples  int    `default:"60" help:"Invoices sent one at a time for the idle time."`
	Backlog  int    `default:"1500" help:"Runs that wait when the workers start."`
	PGBin    string `name:"pg-bin" placeholder:"DIR" help:"The folder of initdb, postgres and pgbench ($$PGBIN; default: found or fetched)."`
	DataRoot string `name:"data-root" placeholder:"DIR" help:"Where the database's files are for as long as it runs (default: in memory if there is room, else the temporary folder)."`
}

func (c benchCommand) check() error {
	type flag struct {
		name      string
		value     int
		low, high int
	}
	flags := []flag{{"--seconds", c.Seconds, 1, 600}, {"--samples", c.Samples, 1, 10_000}, {"--backlog", c.Backlog, 1, 10_000}}
	for _, n := range c.Clients {
		flags = append(flags, flag{"--clients", n, 1, maxBenchClients})
	}
	for _, n := range c.Tenants {
		flags = append(flags, flag{"--tenants", n, 1, 100})
	}
	for _, f := range flags {
		if f.value < f.low || f.value > f.high {
			return wrongUse("%s is %d; use %d to %d", f.name, f.value, f.low, f.high)
		}
	}
	return nil
}

// limit bounds the whole measurement: the rounds, a second a sample, a tenth of
// one a run of the backlogs, and two minutes for all that is started between.
func (c benchCommand) limit() time.Duration {
	rounds := time.Duration(6*len(c.Clients)*c.Seconds) * time.Second
	runs := time.Duration(2*len(c.Tenants)*c.Backlog) * 100 * time.Millisecond
	return rounds + time.Duration(c.Samples)*time.Second + runs + 2*time.Minute
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
	for _, d := range b.report.Drains {
		if d.Mismatches > 0 {
			return fmt.Errorf("run_queue_mismatch had %d rows, where it never has one", d.Mismatches)
		}
	}
	return nil
}

func (c benchCommand) print(io console, report benchReport) error {
	if c.JSON {
		return printJSON(io.out, report)
	}
	return report.print(io.out)
}

// measure goes from the machine to whole runs. What is compared takes turns, so
// that a machine that slows down meanwhile slows all.
func (b *bench) measure(ctx context.Context) error {
	b.report.Seconds = b.cmd.Seconds
	if err := b.startCluster(ctx); err != nil {
		return err
	}
	b.report.LoadBefore = load()
	if err := b.describe(ctx); err != nil {
		return err
	}
	if err := b.webhooks(ctx); err != nil {
		return err
	}
	if err := b.idleRuns(ctx); err != nil {
		return err
	}
	for _, tenants := range b.cmd.Tenants {
		if err := b.backlog(ctx, tenants); err != nil {
			return fmt.Errorf("measure a backlog of %d tenants: %w", tenants, err)
		}
	}
	b.report.LoadAfter = load()
	return nil
}

// webhooks measures the front door beside the machine's limit and plain River's,
// with each number of senders.
func (b *bench) webhooks(ctx context.Context) error {
	limit, err := b.newLimit(ctx)
	if err != nil {
		return err
	}
	accept, err := b.newSite(ctx, "webhooks", 1, server.Roles{Ingress: true})
	if err != nil {
		return err
	}
	defer accept.stop()
	plain, err := b.newPlain(ctx, "webhooks_plain", 1)
	if err != nil {
		return err
	}
	defer plain.stop()
	base, err := plain.host(plain.handler())
	if err != nil {
		return err
	}
	round := 0
	for _, clients := range b.cmd.Clients {
		f := doorFigure{Clients: clients, Limit: limitFigure{By: limit.by()}}
		for range 2 {
			round++
			if err := b.roundOfLimit(ctx, limit, clients, round, &f.Limit); err != nil {
				return err
			}
			if err := b.roundOfWebhooks(ctx, plain.shops[0], base, clients, round, &f.Plain); err != nil {
				return fmt.Errorf("plain River: %w", err)
			}
			if err := b.roundOfWebhooks(ctx, accept.shops[0], accept.base, clients, round, &f.Webhooks); err != nil {
				return err
			}
		}
		b.report.Doors = append(b.report.Doors, f.sum())
	}
	return nil
}

// idleRuns measures whole runs one at a time.
func (b *bench) idleRuns(ctx context.Context) error {
	site, err := b.newSite(ctx, "idle", 1, server.Roles{Ingress: true, Worker: true})
	if err != nil {
		return err
	}
	defer site.stop()
	if b.report.Idle, err = b.idle(ctx, site); err != nil {
		return fmt.Errorf("measure idle runs: %w", err)
	}
	return nil
}

// backlog lets both work off as many runs of as many tenants.
func (b *bench) backlog(ctx context.Context, tenants int) error {
	plain, err := b.newPlain(ctx, fmt.Sprintf("backlog_plain_%d", tenants), tenants)
	if err != nil {
		return err
	}
	defer plain.stop()
	seconds, err := plain.drain(ctx, b.cmd.Backlog)
	if err != nil {
		return err
	}
	plain.stop()
	site, err := b.newSite(ctx, fmt.Sprintf("backlog_%d", tenants), tenants, server.Roles{Ingress: true})
	if err != nil {
		return err
	}
	defer site.stop()
	f, err := b.drain(ctx, site)
	if err != nil {
		return err
	}
	f.Plain = float64(b.cmd.Backlog) / seconds
	f.Ratio = f.PerSecond / f.Plain
	b.report.Drains = append(b.report.Drains, f)
	return nil
}

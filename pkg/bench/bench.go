// Package bench measures Towpath beside the same work done plainly by River, and
// beside the machine's own limit, in one run: see docs/performance.md.
package bench

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"towpath/pkg/server"
)

// maxClients keeps the private server's connections within reason.
const maxClients = 500

// Config is what is measured, and where.
type Config struct {
	Seconds  int    // of each round of inserts or webhooks
	Clients  []int  // how many insert, or send webhooks, at once: a measurement each
	Tenants  []int  // of how many the waiting runs are: a measurement each
	Samples  int    // invoices sent one at a time
	Backlog  int    // runs that wait when the workers start
	Ended    int    // runs that have ended, in a database of its own; 0: it is not measured
	BinDir   string // of initdb, postgres and pgbench; empty: found or fetched
	DataRoot string // where the database's files are; empty: in memory if there is room
	Logger   *slog.Logger
}

// Check refuses what cannot be measured, in the words of the flags.
func (c Config) Check() error {
	type setting struct {
		name      string
		value     int
		low, high int
	}
	settings := []setting{{"--seconds", c.Seconds, 1, 600}, {"--samples", c.Samples, 1, 10_000}, {"--backlog", c.Backlog, 1, 10_000}, {"--ended", c.Ended, 0, 10_000_000}}
	for _, n := range c.Clients {
		settings = append(settings, setting{"--clients", n, 1, maxClients})
	}
	for _, n := range c.Tenants {
		settings = append(settings, setting{"--tenants", n, 1, 100})
	}
	for _, s := range settings {
		if s.value < s.low || s.value > s.high {
			return fmt.Errorf("%s is %d; use %d to %d", s.name, s.value, s.low, s.high)
		}
	}
	return nil
}

// limit bounds the whole measurement: the rounds, a second a sample, a tenth of
// one a run of the backlogs, a hundredth a run that has ended, and two minutes for all
// that is started between.
func (c Config) limit() time.Duration {
	rounds := time.Duration(6*len(c.Clients)*c.Seconds) * time.Second
	runs := time.Duration(2*len(c.Tenants)*c.Backlog) * 100 * time.Millisecond
	large := time.Duration(2*c.Samples)*time.Second + time.Duration(2*c.Backlog)*100*time.Millisecond + time.Duration(c.Ended)*10*time.Millisecond
	return rounds + time.Duration(c.Samples)*time.Second + runs + large + 2*time.Minute
}

// Measure measures in a private database and leaves nothing behind.
func Measure(ctx context.Context, cfg Config) (Report, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.limit())
	defer cancel()
	b := &measurement{cfg: cfg}
	defer b.Stop()
	err := b.measure(ctx)
	return b.report, err
}

// measure goes from the machine to whole runs. What is compared takes turns, so
// that a machine that slows down meanwhile slows all.
func (b *measurement) measure(ctx context.Context) error {
	b.report.Seconds = b.cfg.Seconds
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
	for _, tenants := range b.cfg.Tenants {
		if err := b.backlog(ctx, tenants); err != nil {
			return fmt.Errorf("measure a backlog of %d tenants: %w", tenants, err)
		}
	}
	if b.cfg.Ended > 0 {
		if err := b.large(ctx); err != nil {
			return err
		}
	}
	b.report.LoadAfter = load()
	return nil
}

// webhooks measures the front door beside the machine's limit and plain River's,
// with each number of senders.
func (b *measurement) webhooks(ctx context.Context) error {
	limit, err := b.newLimit(ctx)
	if err != nil {
		return err
	}
	accept, err := b.newSite(ctx, "webhooks", 1, server.Roles{Ingress: true})
	if err != nil {
		return err
	}
	defer accept.Stop()
	plain, err := b.newPlain(ctx, "webhooks_plain", 1)
	if err != nil {
		return err
	}
	defer plain.Stop()
	base, err := plain.Host("127.0.0.1:0", plain.handler())
	if err != nil {
		return err
	}
	round := 0
	for _, clients := range b.cfg.Clients {
		f := DoorFigure{Clients: clients, Limit: LimitFigure{By: limit.by()}}
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
func (b *measurement) idleRuns(ctx context.Context) error {
	site, err := b.newSite(ctx, "idle", 1, server.Roles{Ingress: true, Worker: true})
	if err != nil {
		return err
	}
	defer site.Stop()
	if b.report.Idle, err = b.idle(ctx, site); err != nil {
		return fmt.Errorf("measure idle runs: %w", err)
	}
	return nil
}

// backlog lets both work off as many runs of as many tenants.
func (b *measurement) backlog(ctx context.Context, tenants int) error {
	plain, err := b.newPlain(ctx, fmt.Sprintf("backlog_plain_%d", tenants), tenants)
	if err != nil {
		return err
	}
	defer plain.Stop()
	seconds, err := plain.drain(ctx, b.cfg.Backlog)
	if err != nil {
		return err
	}
	plain.Stop()
	site, err := b.newSite(ctx, fmt.Sprintf("backlog_%d", tenants), tenants, server.Roles{Ingress: true})
	if err != nil {
		return err
	}
	defer site.Stop()
	f, err := b.drain(ctx, site)
	if err != nil {
		return err
	}
	f.Plain = float64(b.cfg.Backlog) / seconds
	f.Ratio = f.PerSecond / f.Plain
	b.report.Drains = append(b.report.Drains, f)
	return nil
}

// Package soak lets simulated shops and a simulated Xero work with real serve
// processes for a while, through kills of processes, crashes of the database and
// faults of everybody, and then compares the histories of all three: the shop's
// outbox and what it was told, Towpath's runs, and the ledger's documents.
package soak

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Config is what is done.
type Config struct {
	For      time.Duration // traffic and faults; what is under way then may end
	Settle   time.Duration // at most until everything has ended; 0 = 10 min
	Seed     uint64        // of what is raised and of what goes wrong, and in which order
	Rate     float64       // invoices a second, of all shops; 0 = 5
	Binary   string        // the program whose serve is run
	Env      []string      // of the serve processes, beside what they need
	BinDir   string        // of initdb and postgres; empty: found or fetched
	Logger   *slog.Logger
	Progress func(Progress) // told once a second; nil: nobody watches
}

func (c Config) withDefaults() Config {
	if c.Settle == 0 {
		c.Settle = 10 * time.Minute
	}
	if c.Rate == 0 {
		c.Rate = 5
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	return c
}

// Check is what of the settings is wrong.
func (c Config) Check() error {
	switch {
	case c.For <= 0:
		return errors.New("how long must be above zero")
	case c.Rate < 0 || c.Rate > 1000:
		return errors.New("the rate must be 0 to 1,000 invoices a second")
	}
	return nil
}

// Progress is how far it is.
type Progress struct {
	Elapsed, Of              time.Duration
	Settling                 bool
	Raised, Accepted, Open   int
	Kills, Crashes, Troubles int
}

// Report is what was done and what the checker found.
type Report struct {
	Seed            uint64         `json:"seed"`
	Seconds         float64        `json:"seconds"`         // of traffic
	SettledSeconds  float64        `json:"settled_seconds"` // until everything had ended after that
	Events          map[string]int `json:"events"`          // that were accepted
	Runs            map[string]int `json:"runs"`            // by how they ended
	Kills           int            `json:"kills"`           // of serve processes, by SIGKILL
	Crashes         int            `json:"crashes"`         // of the database
	Terminations    int            `json:"terminations"`    // of the database's connections, each of half of them
	Faults          int            `json:"faults"`          // of shops and ledger
	Snapshots       int            `json:"snapshots"`       // in which the promises were checked on the way
	Probes          int            `json:"probes"`          // tokens that were used a second time
	LongestStall    float64        `json:"longest_stall_s"` // longest time without a webhook accepted while some were due
	SlowestDocument float64        `json:"slowest_run_s"`   // from accepted to told
	Findings        []Finding      `json:"findings"`
}

// Broken reports whether the checker found anything.
func (r Report) Broken() bool {
	for _, f := range r.Findings {
		if f.Broken > 0 {
			return true
		}
	}
	return false
}

// Run does it all and leaves nothing behind. An error is why it could not be done; what
// is broken is in the report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Check(); err != nil {
		return Report{}, fmt.Errorf("soak: %w", err)
	}
	w, err := newWorld(ctx, cfg)
	if err != nil {
		return Report{}, fmt.Errorf("soak: %w", err)
	}
	defer w.Stop()
	report, err := w.soak(ctx)
	if err != nil {
		return report, fmt.Errorf("soak: %w", err)
	}
	return report, nil
}

func (w *world) soak(ctx context.Context) (Report, error) {
	began := time.Now()
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	watched := w.watch(watching, began)
	busy, stopTraffic := context.WithTimeout(ctx, w.cfg.For)
	defer stopTraffic()
	senders := w.send(ctx)
	troubled := make(chan struct{})
	go func() {
		defer close(troubled)
		w.trouble(busy)
	}()
	w.traffic(busy)
	<-troubled
	if ctx.Err() != nil {
		return Report{}, ctx.Err()
	}
	if err := w.mend(ctx); err != nil {
		return Report{}, err
	}
	w.settling.Store(true)
	seconds, settling := time.Since(began).Seconds(), time.Now()
	settled := w.settle(ctx)
	report := Report{Seed: w.cfg.Seed, Seconds: seconds, SettledSeconds: time.Since(settling).Seconds()}
	senders()
	stopWatching()
	<-watched
	if ctx.Err() != nil {
		return report, ctx.Err()
	}
	history, err := w.history(ctx)
	if err != nil {
		return report, err
	}
	w.count(&report, history)
	report.Findings = append([]Finding{settled}, history.Check()...)
	report.Findings = append(report.Findings, w.seen.findings(w)...)
	return report, nil
}

// random is one of the world's sources: each of its own, so that what one does does
// not change the others' draws.
func (w *world) random(of uint64) *rand.Rand { return rand.New(rand.NewPCG(w.cfg.Seed, of)) }

package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
)

// idleFigure is the time from the shop's 202 to its chip, one invoice at a time.
type idleFigure struct {
	Samples int          `json:"samples"`
	P50MS   float64      `json:"p50_ms"`
	P99MS   float64      `json:"p99_ms"`
	Steps   []stepFigure `json:"steps"`
}

// stepFigure is the time from the step before to this one, out of the history
// of the runs.
type stepFigure struct {
	Step     string  `json:"step"`
	MedianMS float64 `json:"median_ms"`
}

// drainFigure is a backlog worked off.
type drainFigure struct {
	Runs       int     `json:"runs"`
	Seconds    float64 `json:"seconds"`
	PerSecond  float64 `json:"runs_per_second"`
	Snapshots  int64   `json:"mismatch_snapshots"` // of run_queue_mismatch, taken meanwhile
	Mismatches int64   `json:"mismatches"`         // rows in them: always 0
}

// firstRuns do not count: the first reads the reference data and makes the contact.
const firstRuns = 3

func (b *bench) idle(ctx context.Context, s *site) (idleFigure, error) {
	var took []time.Duration
	var runs []uuid.UUID
	for n := range firstRuns + b.cmd.Samples {
		d, id, err := s.one(ctx)
		if err != nil {
			return idleFigure{}, err
		}
		if n >= firstRuns {
			took, runs = append(took, d), append(runs, id)
		}
	}
	steps, err := s.steps(ctx, runs)
	return idleFigure{Samples: len(took), P50MS: quantile(took, 0.5), P99MS: quantile(took, 0.99), Steps: steps}, err
}

// one raises an invoice, lets the shop send its event, and waits until run and
// shop agree that it is synced.
func (s *site) one(ctx context.Context) (time.Duration, uuid.UUID, error) {
	inv := s.shop.RaiseInvoice(demoCart())
	if _, err := s.shop.Drain(ctx); err != nil {
		return 0, uuid.Nil, err
	}
	chip, err := s.shop.WaitChip(ctx, inv.ID)
	if err != nil {
		return 0, uuid.Nil, err
	}
	if chip.Status != "synced" {
		return 0, uuid.Nil, fmt.Errorf("invoice %s ended as %s %s", inv.IncrementID, chip.Status, chip.ErrorCode)
	}
	if err := s.allTold(ctx); err != nil {
		return 0, uuid.Nil, err
	}
	inv, _ = s.shop.Invoice(inv.ID)
	id, err := uuid.Parse(inv.Outbox[0].SyncRunID)
	if err != nil {
		return 0, uuid.Nil, fmt.Errorf("find the run of invoice %s: %w", inv.IncrementID, err)
	}
	return chip.ChangedAt.Sub(inv.Outbox[0].DoneAt), id, nil
}

// allTold waits until no run is on its way.
func (s *site) allTold(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var open int
		err := s.pool.QueryRow(ctx, "SELECT count(*) FROM sync_runs WHERE stage <> 'done'").Scan(&open)
		if err != nil {
			return fmt.Errorf("count open runs: %w", err)
		}
		if open == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %d runs: %w", open, ctx.Err())
		case <-tick.C:
		}
	}
}

// steps are the medians over the runs, in the order of their history.
func (s *site) steps(ctx context.Context, runs []uuid.UUID) ([]stepFigure, error) {
	gaps := map[string][]time.Duration{}
	var order []string
	for _, id := range runs {
		events, err := dbsqlc.New().SyncRunEventList(ctx, s.pool, id)
		if err != nil {
			return nil, fmt.Errorf("read history of run %s: %w", id, err)
		}
		for i, e := range events[1:] {
			name := stepName(e)
			if _, known := gaps[name]; !known {
				order = append(order, name)
			}
			gaps[name] = append(gaps[name], e.At.Sub(events[i].At))
		}
	}
	figures := []stepFigure{}
	for _, name := range order {
		figures = append(figures, stepFigure{Step: name, MedianMS: quantile(gaps[name], 0.5)})
	}
	return figures, nil
}

func stepName(e dbsqlc.SyncRunEvent) string {
	switch {
	case e.Step == "intend":
		return "intent written"
	case e.FromStatus != nil && *e.FromStatus == "queued":
		return e.Step + " job taken"
	}
	return e.Step + " done"
}

// drain lets events pile up while nobody works, then starts the workers. The
// time is that of the history: from the first job taken to the last shop told.
func (b *bench) drain(ctx context.Context, s *site) (drainFigure, error) {
	if err := s.serve(ctx, roles{Ingress: true}); err != nil {
		return drainFigure{}, err
	}
	began := time.Now()
	for range b.cmd.Backlog {
		s.shop.RaiseInvoice(demoCart())
	}
	if err := s.drainOutbox(ctx); err != nil {
		return drainFigure{}, err
	}
	if err := b.settle(ctx); err != nil {
		return drainFigure{}, err
	}
	stopSampling := s.sampleMismatches(ctx)
	err := s.serve(ctx, roles{Worker: true})
	if err == nil {
		err = s.allTold(ctx)
	}
	snapshots, mismatches, sampleErr := stopSampling()
	if err == nil {
		err = sampleErr
	}
	if err != nil {
		return drainFigure{}, err
	}
	f := drainFigure{Runs: b.cmd.Backlog, Snapshots: snapshots, Mismatches: mismatches}
	var synced int
	err = s.pool.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE status = 'succeeded' AND shop_told = 'told'),
			extract(epoch FROM max(told_at) - (SELECT min(at) FROM sync_run_events WHERE to_status = 'running' AND at >= $1))
		FROM sync_runs
		WHERE received_at >= $1`, began).Scan(&synced, &f.Seconds)
	if err != nil {
		return f, fmt.Errorf("read the runs: %w", err)
	}
	if synced != b.cmd.Backlog {
		return f, fmt.Errorf("%d of %d runs ended synced", synced, b.cmd.Backlog)
	}
	f.PerSecond = float64(f.Runs) / f.Seconds
	return f, nil
}

// drainOutbox runs the shop's cron until nothing is left to send.
func (s *site) drainOutbox(ctx context.Context) error {
	for {
		drained, err := s.shop.Drain(ctx)
		if err != nil {
			return err
		}
		if drained.Retried+drained.Dead > 0 {
			return fmt.Errorf("%d webhooks were not accepted", drained.Retried+drained.Dead)
		}
		if drained.Succeeded == 0 {
			return nil
		}
	}
}

// betweenSamples leaves the machine to what is measured.
const betweenSamples = 20 * time.Millisecond

// sampleMismatches looks at run_queue_mismatch in one snapshot after another
// until it is stopped.
func (s *site) sampleMismatches(ctx context.Context) (stop func() (snapshots, rows int64, err error)) {
	ctx, cancel := context.WithCancel(ctx)
	var taken, found atomic.Int64
	var failed error
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(betweenSamples)
		defer tick.Stop()
		options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
		for {
			var rows int64
			err := pgx.BeginTxFunc(ctx, s.pool, options, func(tx pgx.Tx) error {
				return tx.QueryRow(ctx, "SELECT count(*) FROM run_queue_mismatch").Scan(&rows)
			})
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				failed = fmt.Errorf("look for mismatches: %w", err)
				return
			}
			taken.Add(1)
			found.Add(rows)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return func() (int64, int64, error) {
		cancel()
		done.Wait()
		return taken.Load(), found.Load(), failed
	}
}

package bench

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/server"
)

// IdleFigure is the time from the shop's 202 to its chip, one invoice at a time.
type IdleFigure struct {
	Samples int          `json:"samples"`
	P50MS   float64      `json:"p50_ms"`
	P99MS   float64      `json:"p99_ms"`
	Steps   []StepFigure `json:"steps"`
}

// StepFigure is the time from the step before to this one, out of the history
// of the runs.
type StepFigure struct {
	Step     string  `json:"step"`
	MedianMS float64 `json:"median_ms"`
}

// DrainFigure is a backlog worked off.
type DrainFigure struct {
	Tenants    int     `json:"tenants"`
	Runs       int     `json:"runs"`
	Seconds    float64 `json:"seconds"`
	PerSecond  float64 `json:"runs_per_second"`
	Plain      float64 `json:"plain_river_runs_per_second"`
	Ratio      float64 `json:"ratio"`              // to plain River's
	Snapshots  int64   `json:"mismatch_snapshots"` // of run_queue_mismatch, taken meanwhile
	Mismatches int64   `json:"mismatches"`         // rows in them: always 0
}

// firstRuns do not count: the first reads the reference data and makes the contact.
const firstRuns = 3

func (b *measurement) idle(ctx context.Context, s *site) (IdleFigure, error) {
	var took []time.Duration
	var runs []uuid.UUID
	for n := range firstRuns + b.cfg.Samples {
		d, id, err := s.one(ctx)
		if err != nil {
			return IdleFigure{}, err
		}
		if n >= firstRuns {
			took, runs = append(took, d), append(runs, id)
		}
	}
	steps, err := s.steps(ctx, runs)
	return IdleFigure{Samples: len(took), P50MS: quantile(took, 0.5), P99MS: quantile(took, 0.99), Steps: steps}, err
}

// one raises an invoice, lets the shop send its event, and waits until run and
// shop agree that it is synced.
func (s *site) one(ctx context.Context) (time.Duration, uuid.UUID, error) {
	shop := s.shops[0].shop
	inv := shop.RaiseInvoice(demo.Cart())
	if _, err := shop.Drain(ctx); err != nil {
		return 0, uuid.Nil, err
	}
	chip, err := s.synced(ctx, shop, inv)
	if err != nil {
		return 0, uuid.Nil, err
	}
	inv, _ = shop.Invoice(inv.ID)
	id, err := uuid.Parse(inv.Outbox[0].SyncRunID)
	if err != nil {
		return 0, uuid.Nil, fmt.Errorf("find the run of invoice %s: %w", inv.IncrementID, err)
	}
	return chip.ChangedAt.Sub(inv.Outbox[0].DoneAt), id, s.told(ctx, id)
}

// synced waits until the shop shows the invoice as synced.
func (s *site) synced(ctx context.Context, shop *magentosim.Shop, inv magentosim.Invoice) (magentosim.Chip, error) {
	chip, err := shop.WaitChip(ctx, inv.ID)
	if err == nil && chip.Status != "synced" {
		err = fmt.Errorf("invoice %s ended as %s %s", inv.IncrementID, chip.Status, chip.ErrorCode)
	}
	return chip, err
}

// told waits until the run says that the shop was told, a moment after the shop
// itself knows. It reads one row by its key.
func (s *site) told(ctx context.Context, id uuid.UUID) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		run, err := dbsqlc.New().SyncRunGet(ctx, s.pool, id)
		if err != nil {
			return fmt.Errorf("read run %s: %w", id, err)
		}
		if run.Stage == "done" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for run %s: %w", id, ctx.Err())
		case <-tick.C:
		}
	}
}

// steps are the medians over the runs, in the order of their history.
func (s *site) steps(ctx context.Context, runs []uuid.UUID) ([]StepFigure, error) {
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
	figures := []StepFigure{}
	for _, name := range order {
		figures = append(figures, StepFigure{Step: name, MedianMS: quantile(gaps[name], 0.5)})
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

// drain lets events of all tenants pile up while nobody works, then starts the
// workers. The time is that of the history: from the first job taken to the last
// shop told. Nothing else is asked of the database meanwhile. That run_queue_mismatch
// is empty is looked at while a smaller backlog is worked off after it.
func (b *measurement) drain(ctx context.Context, s *site) (DrainFigure, error) {
	f := DrainFigure{Tenants: len(s.shops), Runs: b.cfg.Backlog}
	began, err := b.workOff(ctx, s, f.Runs)
	if err != nil {
		return f, err
	}
	err = s.pool.QueryRow(ctx, `
		SELECT extract(epoch FROM max(told_at) - (SELECT min(at) FROM sync_run_events WHERE to_status = 'running' AND at >= $1))
		FROM sync_runs
		WHERE received_at >= $1`, began).Scan(&f.Seconds)
	if err != nil {
		return f, fmt.Errorf("read the runs: %w", err)
	}
	f.PerSecond = float64(f.Runs) / f.Seconds
	stopSampling := s.sampleMismatches(ctx)
	_, err = b.workOff(ctx, s, min(f.Runs, mostWatched))
	var sampleErr error
	f.Snapshots, f.Mismatches, sampleErr = stopSampling()
	return f, cmp.Or(err, sampleErr)
}

// mostWatched are the runs that are worked off while mismatches are looked for.
const mostWatched = 300

// workOff raises so many invoices, lets the shops send their events, and works them
// off. It answers when it began.
func (b *measurement) workOff(ctx context.Context, s *site, runs int) (began time.Time, err error) {
	if err := s.serve(ctx, server.Roles{Ingress: true}); err != nil {
		return began, err
	}
	began = time.Now()
	invoices := make([]magentosim.Invoice, runs)
	for i := range invoices {
		invoices[i] = s.shops[i%len(s.shops)].shop.RaiseInvoice(demo.Cart())
	}
	if err := s.drainOutboxes(ctx); err != nil {
		return began, err
	}
	if err := b.settle(ctx); err != nil {
		return began, err
	}
	if err := s.serve(ctx, server.Roles{Worker: true}); err != nil {
		return began, err
	}
	return began, s.allSynced(ctx, invoices)
}

// allSynced waits for the shops' own word, then for the runs'.
func (s *site) allSynced(ctx context.Context, invoices []magentosim.Invoice) error {
	for i, inv := range invoices {
		if _, err := s.synced(ctx, s.shops[i%len(s.shops)].shop, inv); err != nil {
			return err
		}
	}
	for i, inv := range invoices {
		inv, _ = s.shops[i%len(s.shops)].shop.Invoice(inv.ID)
		id, err := uuid.Parse(inv.Outbox[0].SyncRunID)
		if err != nil {
			return fmt.Errorf("find the run of invoice %s: %w", inv.IncrementID, err)
		}
		if err := s.told(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// drainOutboxes runs the shops' crons until nothing is left to send.
func (s *site) drainOutboxes(ctx context.Context) error {
	crons, ctx := errgroup.WithContext(ctx)
	for _, p := range s.shops {
		crons.Go(func() error {
			for {
				drained, err := p.shop.Drain(ctx)
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
		})
	}
	return crons.Wait()
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

package riverjobs

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
)

// A server that accepts calls and never answers would keep each of its partition's jobs
// at a call for as long as a call may take, and count an attempt of each. So a partition
// has a circuit breaker, a row of circuits, which all processes share:
//
//   - closed: no row, or one that counts calls that timed out, in a row. Each such
//     attempt is an ordinary temporary failure.
//   - open, from provider.CircuitOpens on: the partition is blocked. Its runs are held
//     for the reason, and no attempt is counted; the heartbeat lets in one at a time,
//     alone, at growing intervals (towpath_probe), or an operator does.
//   - the first answer, of a probe or of a call that was under way, closes it: the row
//     goes, and the heartbeat releases the runs within a second.
//
// What refuses a connection, or answers with an error, costs no time: that is left to
// each run's own backoff. The writes here stand on their own. If one is lost, the next
// call says the same again; if a process dies at a probe, its job is given back like any
// other, waits in line, and the next probe goes at its time.

// blockedFor is longer than River keeps a job itself: it is "scheduled" for as long as
// the trigger needs to put it back in line.
const blockedFor = time.Minute

// partition is whose limits an attempt shares.
func (w work) partition() uuid.UUID {
	return partitionOf(w.stage, w.SyncRun.TenantID, w.SyncRun.BindingID)
}

// noAnswer counts a call that timed out. One call of many documents is one.
func (p *pipeline) noAnswer(ctx context.Context, w work, f *provider.Failure) {
	key := w.partition().String()
	p.silent.Store(key, nil)
	row, err := p.queries.CircuitFail(context.WithoutCancel(ctx), p.Pool, dbsqlc.CircuitFailParams{
		Key: key, Reason: f.NoAnswer, Message: storable(f.Message), OpensAt: provider.CircuitOpens,
	})
	switch {
	case err != nil:
		p.Logger.WarnContext(ctx, "call without an answer not counted", "run_id", w.SyncRun.ID, "error", err)
	case row.IsOpen && row.Failures == provider.CircuitOpens:
		p.Logger.WarnContext(ctx, "no answer three times in a row: the partition waits for a probe",
			"reason", f.NoAnswer, "partition", key, "tenant", w.Tenant.ID, "run_id", w.SyncRun.ID)
	}
}

// reached closes the circuit. That there is one was read with the run, or was said by
// this process meanwhile: else it costs nothing.
func (p *pipeline) reached(ctx context.Context, w work) {
	key := w.partition().String()
	if _, silent := p.silent.LoadAndDelete(key); !silent && !w.Unanswered {
		return
	}
	closed, err := p.queries.CircuitClose(context.WithoutCancel(ctx), p.Pool, key)
	switch {
	case err != nil:
		p.silent.Store(key, nil) // the next answer does it
		p.Logger.WarnContext(ctx, "answer not noted", "run_id", w.SyncRun.ID, "error", err)
	case closed > 0:
		p.Logger.InfoContext(ctx, "it answers again", "partition", key, "tenant", w.Tenant.ID)
	}
}

// blocked reports whether the partition of a run whose call timed out is open: then the
// run waits with the others. If that cannot be read, it is retried like after any
// temporary failure.
func (p *pipeline) blocked(ctx context.Context, w work) bool {
	circuit, err := p.queries.CircuitGet(context.WithoutCancel(ctx), p.Pool, w.partition().String())
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		p.Logger.WarnContext(ctx, "circuit not read", "run_id", w.SyncRun.ID, "error", err)
	}
	return err == nil && circuit.IsOpen
}

// waitForAnswer is the verdict on such a run: it waits in line, for a probe to be
// answered or to be one itself, and no attempt is counted.
func waitForAnswer(f *provider.Failure, say report) verdict {
	say.Outcome, say.Reason, say.Code, say.Message, say.Detail = outcomeHeld, f.NoAnswer, f.Code, storable(f.Message), detail(f)
	return verdict{snooze: blockedFor, report: say}
}

// probeAgain leaves the place of a probe that made no call (it waits for another run,
// for the call budget, or its process stops) to the next at once.
func (p *pipeline) probeAgain(ctx context.Context, w work) {
	if !w.Unanswered {
		return
	}
	if err := p.queries.CircuitProbeAgain(context.WithoutCancel(ctx), p.Pool, w.partition().String()); err != nil {
		p.Logger.WarnContext(ctx, "next probe goes at its time", "run_id", w.SyncRun.ID, "error", err)
	}
}

package riverjobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// attempt runs one attempt of a job: it reads the run, lets do act, and turns a
// failure into what River must be told. One log line an attempt.
func attempt[A river.JobArgs](ctx context.Context, p *pipeline, job *river.Job[A], stage string, runID uuid.UUID, do func(ctx context.Context, h hand) error) error {
	row, err := p.queries.SyncRunWork(ctx, p.Pool, runID)
	if errors.Is(err, pgx.ErrNoRows) {
		return river.JobCancel(fmt.Errorf("run %s does not exist", runID))
	}
	if err != nil {
		return fmt.Errorf("read run %s: %w", runID, err)
	}
	if row.SyncRun.RiverJobID == nil || *row.SyncRun.RiverJobID != job.ID {
		// The run went on without this job; there is nothing to do for it.
		p.Logger.InfoContext(ctx, "job is of no run", "job_id", job.ID, "run_id", runID)
		return nil
	}
	h := hand{work: work{SyncRunWorkRow: row, stage: stage}, job: riverJob[A]{job}}
	started := p.Now()
	if err = h.connected(); err == nil {
		err = recovering(func() error { return do(ctx, h) })
	}
	return p.concluded(ctx, h, started, err)
}

// concluded ends an attempt that began at started: it settles a failure, and
// counts and logs the attempt.
func (p *pipeline) concluded(ctx context.Context, h hand, started time.Time, cause error) error {
	p.Metrics.Stage(h.stage, p.Now().Sub(started))
	err := cause
	if err != nil {
		err = p.settle(ctx, h, err)
	}
	p.logAttempt(ctx, h, p.Now().Sub(started), cause, err)
	return err
}

// recovering turns a panic into a bug's failure, so that it ends the run after
// bugAttempts like any other bug; River alone would try for a week.
func recovering(do func() error) (err error) {
	defer func() {
		if said := recover(); said != nil {
			err = &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "internal error",
				Detail: fmt.Sprintf("panic: %v\n%s", said, debug.Stack())}
		}
	}()
	return do()
}

// connected holds the runs of a binding that was revoked: nothing is written
// there any more. What ended before is still told to the shop.
func (w work) connected() error {
	if w.stage == stagePush || w.Binding.Status != "revoked" {
		return nil
	}
	return &provider.Failure{
		Kind: provider.Held, Code: provider.CodeAuth, Reason: "binding_revoked", RetryAfter: time.Hour,
		Message: fmt.Sprintf("the binding was revoked; cancel the run, and raise it under the shop's new binding: towpath backfill --binding ID --event %s --ids %d",
			w.SyncRun.Event, w.SyncRun.MagentoEntityID),
	}
}

// settle decides what becomes of a failed attempt; see the table in outcome.go.
func (p *pipeline) settle(ctx context.Context, h hand, err error) error {
	if errors.Is(err, errTakenOver) || errors.Is(err, syncrun.ErrNotMine) {
		// Returned as an error, never as nil: River writes by job id alone, and
		// nil would complete the attempt that has taken over.
		return err
	}
	p.keepCalls(ctx, h, callsOf(err))
	say := report{Attempt: h.job.attempt(), Outcome: outcomeWait, HeldFor: heldFor(h.job.metadata()), Calls: provider.CallIDs(callsOf(err))}
	if errors.Is(ctx.Err(), context.Canceled) {
		p.probeAgain(ctx, h.work)
		return p.giveBack(ctx, h, say)
	}
	if errors.Is(err, syncrun.ErrBusy) {
		p.probeAgain(ctx, h.work)
		say.Message = "waits for another run that writes the same"
		return h.job.putBack(ctx, verdict{snooze: busy(h.job.metadata()), report: say}, err)
	}
	if errors.Is(err, syncrun.ErrOutdated) {
		say.Message = "is told again, since it stands otherwise by now"
		return h.job.putBack(ctx, verdict{snooze: time.Millisecond, report: say}, err)
	}
	if ahead := (*syncrun.Ahead)(nil); errors.As(err, &ahead) {
		p.probeAgain(ctx, h.work)
		return h.job.putBack(ctx, park(say, ahead), err)
	}
	f := failureOf(err)
	if f.NoAnswer != "" && p.blocked(ctx, h.work) {
		return h.job.putBack(ctx, waitForAnswer(f, say), err)
	}
	p.remember(ctx, h.work, f)
	v := judge(f, h.job.attempt())
	v.report.HeldFor, v.report.Calls = say.HeldFor, say.Calls
	if h.stage == stagePush {
		// The run has ended already; telling the shop goes on for as long as
		// River retries, whatever the shop answers.
		v.end = false
	}
	if v.end {
		return p.fail(ctx, h, v.report)
	}
	if v.report.Outcome == outcomeHeld {
		v.snooze = p.nextLook(ctx, h, v)
	}
	return h.job.putBack(ctx, v, err)
}

// keepCalls stores what an attempt that did not succeed called, for the run's page. It
// stands on its own: if it fails, or the process stops before it, these calls are missing
// there and nothing else is.
func (p *pipeline) keepCalls(ctx context.Context, h hand, calls []provider.Call) {
	log, err := provider.EncodeCalls(calls)
	if err == nil && log != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepCallsTimeout)
		defer cancel()
		err = p.queries.RunCallsInsert(ctx, p.Pool, dbsqlc.RunCallsInsertParams{RunID: h.SyncRun.ID, Attempt: int32(h.job.attempt()), Calls: log})
	}
	if err != nil {
		p.Logger.WarnContext(ctx, "calls not kept", "run_id", h.SyncRun.ID, "error", err)
	}
}

// keepCallsTimeout is short: what becomes of the attempt waits for it.
const keepCallsTimeout = 3 * time.Second

// giveBack ends an attempt that was cut off: stopping, or cancelled by an
// operator. River knows which, and takes its job back without counting the attempt
// in the first case. What failed meanwhile says nothing about the run.
func (p *pipeline) giveBack(ctx context.Context, h hand, say report) error {
	cut := fmt.Errorf("give back: %w", context.Canceled)
	if taken, ok := h.job.(takenJob); ok {
		say.Message = "given back"
		return taken.putBack(ctx, verdict{snooze: time.Millisecond, report: say}, cut)
	}
	return cut
}

// fail ends the run and inserts the job that tells the shop, in the transaction
// that completes this job.
func (p *pipeline) fail(ctx context.Context, h hand, why report) error {
	err := p.end(ctx, h, change{next: tellNext(h.SyncRun), failed: &syncrun.Ended{
		Step: syncrun.Step{RunID: h.SyncRun.ID}, Stage: h.stage, Code: why.Code, Message: why.Message, Detail: why.Detail, Calls: why.Calls,
	}})
	if err != nil {
		return err
	}
	p.Metrics.Failure(why.Code)
	p.ended(h.work, syncrun.Failed)
	return nil
}

// ended counts a run's end.
func (p *pipeline) ended(w work, outcome string) {
	p.Metrics.Run(w.Binding.Provider, w.SyncRun.Event, outcome, p.Now().Sub(w.SyncRun.ReceivedAt), w.SyncRun.ID.String())
	p.Metrics.TenantRun(w.Tenant.ID.String(), outcome)
}

// remember keeps what a failure says of more than its own run: a connection
// that is refused, a provider that asked for a pause. These writes stand on
// their own; if one is lost, the next failure says the same again.
func (p *pipeline) remember(ctx context.Context, w work, f *provider.Failure) {
	var err error
	if f.Kind != provider.Temporary { // then the next probe goes at its time
		p.probeAgain(ctx, w)
	}
	switch {
	case f.Kind == provider.Auth && w.stage == stagePost:
		_, err = p.queries.BindingSetStatus(ctx, p.Pool, dbsqlc.BindingSetStatusParams{ID: w.Binding.ID, Status: "needs_consent"})
	case f.Kind == provider.Auth:
		_, err = p.queries.TenantSetConnection(ctx, p.Pool, dbsqlc.TenantSetConnectionParams{ID: w.Tenant.ID, ConnectionStatus: "token_revoked"})
	case f.Kind == provider.RateLimited && w.stage == stagePost && f.Reason != reasonPaused && f.Reason != provider.ReasonBudget:
		until := p.Now().Add(orDefault(f.RetryAfter, rateLimitWait))
		err = p.queries.BindingPauseUntil(ctx, p.Pool, dbsqlc.BindingPauseUntilParams{ID: w.Binding.ID, Until: until})
	}
	if err != nil {
		p.Logger.WarnContext(ctx, "connection state not noted", "run_id", w.SyncRun.ID, "error", err)
	}
}

// recovered notes that a connection works which was marked as refused, or that a server
// answers which did not.
func (p *pipeline) recovered(ctx context.Context, w work) error {
	p.reached(ctx, w)
	if w.stage == stagePost && w.Binding.Status == "needs_consent" {
		_, err := p.queries.BindingSetStatus(ctx, p.Pool, dbsqlc.BindingSetStatusParams{ID: w.Binding.ID, Status: "active"})
		return err
	}
	if w.stage != stagePost && w.Tenant.ConnectionStatus != "active" {
		_, err := p.queries.TenantSetConnection(ctx, p.Pool, dbsqlc.TenantSetConnectionParams{ID: w.Tenant.ID, ConnectionStatus: "active"})
		return err
	}
	return nil
}

// logAttempt says what became of an attempt, and of a failed one why.
func (p *pipeline) logAttempt(ctx context.Context, h hand, took time.Duration, cause, err error) {
	level, outcome := slog.LevelInfo, "done"
	var snooze *river.JobSnoozeError
	switch {
	case errors.As(err, &snooze):
		outcome = "waits " + snooze.Duration.String() + ": " + storable(cause.Error())
		if f := failureOf(cause); f.Kind == provider.Held || f.Kind == provider.Auth {
			level = slog.LevelWarn
		}
	case cause != nil:
		level, outcome = slog.LevelWarn, storable(cause.Error())
	}
	p.Logger.LogAttrs(ctx, level, "job", slog.String("stage", h.stage), slog.String("run_id", h.SyncRun.ID.String()),
		slog.String("tenant", h.Tenant.ID.String()), slog.String("event", h.SyncRun.Event),
		slog.Int("attempt", h.job.attempt()), slog.Duration("took", took), slog.String("outcome", outcome))
}

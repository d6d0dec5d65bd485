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

// work is one attempt's view of its run.
type work struct {
	dbsqlc.SyncRunWorkRow
	stage string
}

// attempt runs one attempt of a job: it reads the run, lets do act, and turns a
// failure into what River must be told. One log line an attempt.
func attempt[A river.JobArgs](ctx context.Context, p *pipeline, job *river.Job[A], stage string, runID uuid.UUID, do func(ctx context.Context, w work) error) error {
	started := p.Now()
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
	w := work{SyncRunWorkRow: row, stage: stage}
	if err = w.connected(); err == nil {
		err = recovering(ctx, w, do)
	}
	p.Metrics.Stage(stage, p.Now().Sub(started))
	cause := err
	if err != nil {
		err = settle(ctx, p, job, w, err)
	}
	p.logAttempt(ctx, w, job.Attempt, p.Now().Sub(started), cause, err)
	return err
}

// recovering turns a panic into a bug's failure, so that it ends the run after
// bugAttempts like any other bug; River alone would try for a week.
func recovering(ctx context.Context, w work, do func(ctx context.Context, w work) error) (err error) {
	defer func() {
		if said := recover(); said != nil {
			err = &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "internal error",
				Detail: fmt.Sprintf("panic: %v\n%s", said, debug.Stack())}
		}
	}()
	return do(ctx, w)
}

// connected holds the runs of a binding that was revoked: nothing is written
// there any more. What ended before is still told to the shop.
func (w work) connected() error {
	if w.stage == stagePush || w.Binding.Status != "revoked" {
		return nil
	}
	return &provider.Failure{
		Kind: provider.Held, Code: provider.CodeAuth, Reason: "binding_revoked", RetryAfter: time.Hour,
		Message: "the binding was revoked; cancel the run, or raise the invoice under the shop's new binding",
	}
}

// settle decides what becomes of a failed attempt; see the table in outcome.go.
func settle[A river.JobArgs](ctx context.Context, p *pipeline, job *river.Job[A], w work, err error) error {
	if errors.Is(err, errTakenOver) || errors.Is(err, syncrun.ErrNotMine) {
		// Returned as an error, never as nil: River writes by job id alone, and
		// nil would complete the attempt that has taken over.
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		// Stopping, or cancelled by an operator: River knows which, and takes
		// the job back without counting the attempt in the first case. What
		// failed meanwhile says nothing about the run.
		return fmt.Errorf("give back: %w", context.Canceled)
	}
	if errors.Is(err, syncrun.ErrBusy) {
		return waiting(ctx, verdict{snooze: busy(job.Metadata), report: report{
			Attempt: job.Attempt, Outcome: "wait", Message: "waits for another run of the same document",
		}}, err)
	}
	f := failureOf(err)
	p.remember(ctx, w, f)
	v := judge(f, job.Attempt)
	if w.stage == stagePush {
		// The run has ended already; telling the shop goes on for as long as
		// River retries, whatever the shop answers.
		v.end = false
	}
	if !v.end {
		return waiting(ctx, v, err)
	}
	return p.end(ctx, w, func(change func(context.Context, pgx.Tx) error) error {
		return inCompletion(ctx, p, job, change)
	}, job.ID, v.report)
}

// end fails the run and inserts the job that tells the shop, in the transaction
// that completes this job.
func (p *pipeline) end(ctx context.Context, w work, complete func(func(context.Context, pgx.Tx) error) error, jobID int64, why report) error {
	err := complete(func(ctx context.Context, tx pgx.Tx) error {
		next, err := insertNext(ctx, tx, PushSyncStateArgs{RunID: w.SyncRun.ID})
		if err != nil {
			return err
		}
		return syncrun.Fail(ctx, tx, p.who, syncrun.Ended{
			Step:  syncrun.Step{RunID: w.SyncRun.ID, JobID: jobID, NextJobID: next},
			Stage: w.stage, Code: why.Code, Message: why.Message, Detail: why.Detail,
		})
	})
	if err != nil {
		return err
	}
	p.Metrics.Failure(why.Code)
	p.ended(w, syncrun.Failed)
	return nil
}

// ended counts a run's end.
func (p *pipeline) ended(w work, outcome string) {
	p.Metrics.Run(w.Binding.Provider, w.SyncRun.Event, outcome, p.Now().Sub(w.SyncRun.ReceivedAt))
	p.Metrics.TenantRun(w.Tenant.ID.String(), outcome)
}

// remember keeps what a failure says of more than its own run: a connection
// that is refused, a provider that asked for a pause. These writes stand on
// their own; if one is lost, the next failure says the same again.
func (p *pipeline) remember(ctx context.Context, w work, f *provider.Failure) {
	var err error
	switch {
	case f.Kind == provider.Auth && w.stage == stagePost:
		_, err = p.queries.BindingSetStatus(ctx, p.Pool, dbsqlc.BindingSetStatusParams{ID: w.Binding.ID, Status: "needs_consent"})
	case f.Kind == provider.Auth:
		_, err = p.queries.TenantSetConnection(ctx, p.Pool, dbsqlc.TenantSetConnectionParams{ID: w.Tenant.ID, ConnectionStatus: "token_revoked"})
	case f.Kind == provider.RateLimited && w.stage == stagePost && f.Reason != reasonPaused:
		until := p.Now().Add(orDefault(f.RetryAfter, rateLimitWait))
		err = p.queries.BindingPauseUntil(ctx, p.Pool, dbsqlc.BindingPauseUntilParams{ID: w.Binding.ID, Until: until})
	}
	if err != nil {
		p.Logger.WarnContext(ctx, "connection state not noted", "run_id", w.SyncRun.ID, "error", err)
	}
}

// recovered notes that a connection works which was marked as refused.
func (p *pipeline) recovered(ctx context.Context, w work) error {
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
func (p *pipeline) logAttempt(ctx context.Context, w work, attempt int, took time.Duration, cause, err error) {
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
	p.Logger.LogAttrs(ctx, level, "job", slog.String("stage", w.stage), slog.String("run_id", w.SyncRun.ID.String()),
		slog.String("tenant", w.Tenant.ID.String()), slog.String("event", w.SyncRun.Event),
		slog.Int("attempt", attempt), slog.Duration("took", took), slog.String("outcome", outcome))
}

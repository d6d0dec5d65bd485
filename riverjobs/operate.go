package riverjobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/rivertype"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb"
	"towpath/pkg/syncrun"
)

// Operator is an operator's hand on runs: each word is one transaction that
// changes the job and, through the trigger or beside it, the run.
type Operator struct {
	Pool   *pgxpool.Pool
	Client *Client
	Who    string // for the run's history
	// Backfill lets what happens now go before the runs that are started over.
	Backfill bool
}

// ErrNothingToDo means that the run's state leaves nothing to retry or cancel.
var ErrNothingToDo = errors.New("nothing to do")

// Retry starts an ended run over (failed, cancelled, skipped), lets a waiting
// one go on now, or tells the shop again where that was given up. The run keeps
// its id and history, and takes the settings as they are now. A run whose job is
// lost (deleted with the triggers off, say) starts over too.
func (o *Operator) Retry(ctx context.Context, runID uuid.UUID) error {
	return o.withJob(ctx, runID, audit.RunRetried, func(tx pgx.Tx, run dbsqlc.SyncRun, job *dbsqlc.SyncRunLockJobRow) error {
		lost := run.RiverJobID != nil && (job == nil || finished(job.State))
		switch run.Status {
		case syncrun.Queued, syncrun.Held, syncrun.Running:
			if lost {
				return o.startOver(ctx, tx, run, nil, lost)
			}
			if run.Status != syncrun.Running {
				return o.goOn(ctx, tx, run, job.ID)
			}
		case syncrun.Failed, syncrun.Cancelled, syncrun.Skipped:
			if err := o.startOver(ctx, tx, run, job, lost); err != nil {
				return err
			}
			return o.takeAlong(ctx, tx, run)
		case syncrun.Succeeded:
			return o.tellAgain(ctx, tx, run, lost)
		}
		return fmt.Errorf("retry run %s: %w: it is %s", runID, ErrNothingToDo, run.Status)
	})
}

func finished(state string) bool {
	switch rivertype.JobState(state) {
	case rivertype.JobStateCancelled, rivertype.JobStateCompleted, rivertype.JobStateDiscarded:
		return true
	}
	return false
}

// tellAgain gives a run that succeeded a new job to tell the shop.
func (o *Operator) tellAgain(ctx context.Context, tx pgx.Tx, run dbsqlc.SyncRun, lost bool) error {
	inserted, err := o.Client.InsertTx(ctx, tx, PushSyncStateArgs{RunArgs{RunID: run.ID, Share: run.TenantID}}, options(run.Backfill))
	if err != nil {
		return fmt.Errorf("insert job: %w", err)
	}
	_, err = dbsqlc.New().SyncRunTellAgain(ctx, tx, dbsqlc.SyncRunTellAgainParams{ID: run.ID, NextJobID: inserted.Job.ID, JobLost: lost, Who: o.Who})
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("retry run %s: %w: it succeeded", run.ID, ErrNothingToDo)
	}
	if err != nil {
		return fmt.Errorf("tell the shop of run %s again: %w", run.ID, err)
	}
	return nil
}

// goOn makes a waiting job due now, before whatever else waits in its share.
func (o *Operator) goOn(ctx context.Context, tx pgx.Tx, run dbsqlc.SyncRun, job int64) error {
	binding, err := dbsqlc.New().BindingGet(ctx, tx, run.BindingID)
	if err != nil {
		return fmt.Errorf("read binding: %w", err)
	}
	if err := dbsqlc.New().BindingClearPause(ctx, tx, binding.ID); err != nil {
		return fmt.Errorf("lift the pause: %w", err)
	}
	if err := release(ctx, tx, binding, []int64{job}, o.Who); err != nil {
		return err
	}
	if _, err := o.Client.JobRetryTx(ctx, tx, job); err != nil {
		return fmt.Errorf("retry job %d: %w", job, err)
	}
	return nil
}

// startOver gives a run a new first job. A job that still had to tell
// the shop of the old end goes; if it is at it right now, it will find that the
// run no longer waits for it.
func (o *Operator) startOver(ctx context.Context, tx pgx.Tx, run dbsqlc.SyncRun, old *dbsqlc.SyncRunLockJobRow, lost bool) error {
	inserted, err := o.Client.InsertTx(ctx, tx, FetchCanonicalArgs{RunArgs{RunID: run.ID, Share: run.TenantID}}, options(o.Backfill))
	if err != nil {
		return fmt.Errorf("insert job: %w", err)
	}
	_, err = dbsqlc.New().SyncRunRequeue(ctx, tx, dbsqlc.SyncRunRequeueParams{ID: run.ID, NextJobID: inserted.Job.ID, JobLost: lost, Backfill: o.Backfill, Who: o.Who, Why: "retried by an operator"})
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("retry run %s: %w: it was just retried", run.ID, ErrNothingToDo)
	}
	if err != nil {
		return fmt.Errorf("requeue run %s: %w", run.ID, err)
	}
	if old == nil || lost || old.State == string(rivertype.JobStateRunning) {
		return nil
	}
	if _, err := o.Client.JobDeleteTx(ctx, tx, old.ID); err != nil {
		return fmt.Errorf("delete job %d: %w", old.ID, err)
	}
	return nil
}

// takeAlong starts over what was left out since its invoice was: it waits in the lane
// until that one has ended.
func (o *Operator) takeAlong(ctx context.Context, tx pgx.Tx, invoice dbsqlc.SyncRun) error {
	left, err := dbsqlc.New().SyncRunLeftOut(ctx, tx, invoice.ID)
	if err != nil {
		return fmt.Errorf("find what was left out with run %s: %w", invoice.ID, err)
	}
	for _, run := range left {
		if err := o.startOver(ctx, tx, run, nil, false); err != nil {
			return err
		}
	}
	return nil
}

// Cancel ends a live run; the shop is told that it failed. A run that a worker
// is at ends when the worker lets go.
func (o *Operator) Cancel(ctx context.Context, runID uuid.UUID) error {
	return o.withJob(ctx, runID, audit.RunCancelled, func(tx pgx.Tx, run dbsqlc.SyncRun, job *dbsqlc.SyncRunLockJobRow) error {
		if run.FinishedAt != nil || job == nil {
			return fmt.Errorf("cancel run %s: %w: it is %s", runID, ErrNothingToDo, run.Status)
		}
		_, err := o.Client.JobCancelTx(ctx, tx, job.ID)
		if err != nil {
			return fmt.Errorf("cancel job %d: %w", job.ID, err)
		}
		return nil
	})
}

// withJob reads the run and locks its job, then runs do in one transaction. If
// the run went on between the two, it is read again. What was done is recorded with it.
func (o *Operator) withJob(ctx context.Context, runID uuid.UUID, action string, act func(tx pgx.Tx, run dbsqlc.SyncRun, job *dbsqlc.SyncRunLockJobRow) error) error {
	return pgdb.InTx(ctx, o.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('towpath.who', $1, true)", o.Who); err != nil {
			return fmt.Errorf("set who: %w", err)
		}
		queries := dbsqlc.New()
		do := func(tx pgx.Tx, run dbsqlc.SyncRun, job *dbsqlc.SyncRunLockJobRow) error {
			if err := act(tx, run, job); err != nil {
				return err
			}
			return audit.Write(ctx, tx, o.Who, audit.Entry{Action: action, Tenant: run.TenantID, Binding: run.BindingID, Run: run.ID, Before: map[string]any{"status": run.Status}})
		}
		for {
			run, err := queries.SyncRunGet(ctx, tx, runID)
			if err != nil {
				return fmt.Errorf("read run %s: %w", runID, err)
			}
			if run.RiverJobID == nil {
				return do(tx, run, nil)
			}
			job, err := queries.SyncRunLockJob(ctx, tx, *run.RiverJobID)
			if err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return fmt.Errorf("lock job %d of run %s: %w", *run.RiverJobID, runID, err)
			}
			again, err := queries.SyncRunGet(ctx, tx, runID)
			if err != nil {
				return fmt.Errorf("read run %s: %w", runID, err)
			}
			switch {
			case again.RiverJobID == nil || *again.RiverJobID != *run.RiverJobID:
				// It went on meanwhile.
			case job.ID == 0:
				return do(tx, again, nil) // the job is lost
			default:
				return do(tx, again, &job)
			}
		}
	})
}

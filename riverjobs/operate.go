package riverjobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/rivertype"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

// Operator is an operator's hand on runs: each word is one transaction that
// changes the job and, through the trigger or beside it, the run.
type Operator struct {
	Pool   *pgxpool.Pool
	Client *Client
	Who    string // for the run's history
}

// ErrNothingToDo means that the run's state leaves nothing to retry or cancel.
var ErrNothingToDo = errors.New("nothing to do")

// Retry starts an ended run over (failed, cancelled, skipped), or lets a
// waiting one go on now. The run keeps its id and history, and takes the
// settings as they are now.
func (o *Operator) Retry(ctx context.Context, runID uuid.UUID) error {
	return o.withJob(ctx, runID, func(tx pgx.Tx, run dbsqlc.SyncRun, job *dbsqlc.SyncRunLockJobRow) error {
		switch run.Status {
		case syncrun.Queued, syncrun.Held:
			return o.goOn(ctx, tx, run, []int64{job.ID})
		case syncrun.Failed, syncrun.Cancelled, syncrun.Skipped:
			return o.startOver(ctx, tx, run, job)
		}
		return fmt.Errorf("retry run %s: %w: it is %s", runID, ErrNothingToDo, run.Status)
	})
}

// goOn makes waiting jobs due now; the trigger moves their runs.
func (o *Operator) goOn(ctx context.Context, tx pgx.Tx, run dbsqlc.SyncRun, jobs []int64) error {
	binding, err := dbsqlc.New().BindingGet(ctx, tx, run.BindingID)
	if err != nil {
		return fmt.Errorf("read binding: %w", err)
	}
	return o.release(ctx, tx, binding.PolicyVersion, jobs)
}

func (o *Operator) release(ctx context.Context, tx pgx.Tx, policyVersion int32, jobs []int64) error {
	_, err := dbsqlc.New().SyncRunRepin(ctx, tx, dbsqlc.SyncRunRepinParams{PolicyVersion: policyVersion, JobIds: jobs, Who: o.Who})
	if err != nil {
		return fmt.Errorf("pin policy version %d: %w", policyVersion, err)
	}
	for _, id := range jobs {
		if _, err := o.Client.JobRetryTx(ctx, tx, id); err != nil {
			return fmt.Errorf("retry job %d: %w", id, err)
		}
	}
	return nil
}

// startOver gives an ended run a new first job. A job that still had to tell
// the shop of the old end goes; if it is at it right now, it will find that the
// run no longer waits for it.
func (o *Operator) startOver(ctx context.Context, tx pgx.Tx, run dbsqlc.SyncRun, old *dbsqlc.SyncRunLockJobRow) error {
	inserted, err := o.Client.InsertTx(ctx, tx, FetchCanonicalArgs{RunID: run.ID}, nil)
	if err != nil {
		return fmt.Errorf("insert job: %w", err)
	}
	_, err = dbsqlc.New().SyncRunRequeue(ctx, tx, dbsqlc.SyncRunRequeueParams{ID: run.ID, NextJobID: inserted.Job.ID, Who: o.Who})
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("retry run %s: %w: it was just retried", run.ID, ErrNothingToDo)
	}
	if err != nil {
		return fmt.Errorf("requeue run %s: %w", run.ID, err)
	}
	if old == nil || old.State == string(rivertype.JobStateRunning) {
		return nil
	}
	if _, err := o.Client.JobDeleteTx(ctx, tx, old.ID); err != nil {
		return fmt.Errorf("delete job %d: %w", old.ID, err)
	}
	return nil
}

// Cancel ends a live run; the shop is told that it failed. A run that a worker
// is at ends when the worker lets go.
func (o *Operator) Cancel(ctx context.Context, runID uuid.UUID) error {
	return o.withJob(ctx, runID, func(tx pgx.Tx, run dbsqlc.SyncRun, job *dbsqlc.SyncRunLockJobRow) error {
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

// ReleaseHeld lets every held run of a binding look again now, under the given
// policy version. It is part of the transaction that changed the settings.
func (o *Operator) ReleaseHeld(ctx context.Context, tx pgx.Tx, bindingID uuid.UUID, policyVersion int32) (int, error) {
	jobs, err := dbsqlc.New().SyncRunHeldJobs(ctx, tx, bindingID)
	if err != nil {
		return 0, fmt.Errorf("find held runs: %w", err)
	}
	return len(jobs), o.release(ctx, tx, policyVersion, jobs)
}

// withJob reads the run and locks its job, then runs do in one transaction. If
// the run went on between the two, it is read again.
func (o *Operator) withJob(ctx context.Context, runID uuid.UUID, do func(tx pgx.Tx, run dbsqlc.SyncRun, job *dbsqlc.SyncRunLockJobRow) error) error {
	return pgx.BeginFunc(ctx, o.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('towpath.who', $1, true)", o.Who); err != nil {
			return fmt.Errorf("set who: %w", err)
		}
		queries := dbsqlc.New()
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
				return fmt.Errorf("lock job %d of run %s: it does not exist", *run.RiverJobID, runID)
			default:
				return do(tx, again, &job)
			}
		}
	})
}

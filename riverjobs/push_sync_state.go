package riverjobs

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"towpath/pkg/syncrun"
)

// pushSyncState tells the shop how a run ended. If the process stops after the
// call and before T5, the shop is told the same once more, which is harmless.
type pushSyncState struct {
	river.WorkerDefaults[PushSyncStateArgs]
	*pipeline
}

// Timeout bounds one attempt.
func (w *pushSyncState) Timeout(*river.Job[PushSyncStateArgs]) time.Duration { return pushTimeout }

// Work is one attempt.
func (w *pushSyncState) Work(ctx context.Context, job *river.Job[PushSyncStateArgs]) error {
	return attempt(ctx, w.pipeline, job, stagePush, job.Args.RunID, func(ctx context.Context, run hand) error {
		shop, err := w.Shops(run.Tenant)
		if err != nil {
			return err
		}
		state, err := w.endState(ctx, run.work)
		if err != nil {
			return err
		}
		if err := shop.PushSyncState(ctx, state); err != nil {
			return err
		}
		if err := w.recovered(ctx, run.work); err != nil {
			return err
		}
		err = w.inCompletion(ctx, run, func(ctx context.Context, tx pgx.Tx) error {
			return syncrun.Tell(ctx, tx, w.who, job.Attempt, []syncrun.Step{{RunID: run.SyncRun.ID, JobID: job.ID}})
		})
		if err == nil && run.SyncRun.Status == syncrun.Cancelled {
			w.ended(run.work, syncrun.Cancelled) // ended by an operator's hand, where nobody counts
		}
		return err
	})
}

package riverjobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"towpath/pkg/syncrun"
)

// pushSyncState tells the shop how runs ended. If the process stops after a
// call and before T5, the shop is told the same once more, which is harmless.
type pushSyncState struct {
	river.WorkerDefaults[PushSyncStateArgs]
	*pipeline
}

// Timeout bounds a claim.
func (w *pushSyncState) Timeout(*river.Job[PushSyncStateArgs]) time.Duration { return claimTimeout }

// Work is one attempt of its job, and of those that it takes along.
func (w *pushSyncState) Work(ctx context.Context, job *river.Job[PushSyncStateArgs]) error {
	return claim(ctx, w.pipeline, job, stagePush, job.Args.RunID, job.Args.Share, w.tell)
}

// tell makes the call; T5 follows.
func (w *pushSyncState) tell(ctx context.Context, run hand) (change, after, error) {
	shop, err := w.Shops(run.Tenant)
	if err != nil {
		return change{}, nil, err
	}
	state, err := w.endState(ctx, run.work)
	if err != nil {
		return change{}, nil, err
	}
	if err := shop.PushSyncState(ctx, state); err != nil {
		return change{}, nil, err
	}
	if err := w.recovered(ctx, run.work); err != nil {
		return change{}, nil, err
	}
	counted := func(context.Context) {
		if run.SyncRun.Status == syncrun.Cancelled {
			w.ended(run.work, syncrun.Cancelled) // ended by an operator's hand, where nobody counts
		}
	}
	return change{told: &syncrun.Told{Step: syncrun.Step{RunID: run.SyncRun.ID}}}, counted, nil
}

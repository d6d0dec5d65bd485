package riverjobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"towpath/pkg/dbsqlc"
)

// commitTimeout bounds a transaction that records an outcome. It runs even while
// the job's own context is being cancelled: what is known must be on record.
const commitTimeout = 15 * time.Second

// inCompletion runs change in a transaction that completes the job first. If the
// process dies before the commit, none of it happened.
func (p *pipeline) inCompletion(ctx context.Context, h hand, change func(ctx context.Context, tx pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	return pgx.BeginFunc(ctx, p.Pool, func(tx pgx.Tx) error {
		if err := h.job.complete(ctx, tx); err != nil {
			return err
		}
		return change(ctx, tx)
	})
}

// insertNext inserts the run's next job in tx and returns its id. Where the run's
// share has no room, it waits for its turn; the run then says queued.
func insertNext(ctx context.Context, tx pgx.Tx, run dbsqlc.SyncRun, args river.JobArgs) (int64, error) {
	result, err := river.ClientFromContext[pgx.Tx](ctx).InsertTx(ctx, tx, args, options(run.Backfill))
	if err != nil {
		return 0, fmt.Errorf("insert %s job: %w", args.Kind(), err)
	}
	return result.Job.ID, nil
}

// tellJob tells the shop how the run ended.
func tellJob(run dbsqlc.SyncRun) PushSyncStateArgs {
	return PushSyncStateArgs{RunID: run.ID, Share: run.TenantID}
}

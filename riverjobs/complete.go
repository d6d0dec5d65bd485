package riverjobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

// errTakenOver means that the job is no longer this attempt's: it was rescued,
// cancelled or retried meanwhile. Nothing of this attempt may be committed.
var errTakenOver = errors.New("the job was taken over")

// commitTimeout bounds a transaction that records an outcome. It runs even while
// the job's own context is being cancelled: what is known must be on record.
const commitTimeout = 15 * time.Second

// inCompletion runs change in a transaction that completes the job first. The
// job's row is locked before its run's, as in the triggers; and River's answer
// is checked, because JobCompleteTx reports no error for a job that is no
// longer ours. If the process dies before the commit, none of it happened.
func inCompletion[A river.JobArgs](ctx context.Context, p *pipeline, job *river.Job[A], change func(ctx context.Context, tx pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	return pgx.BeginFunc(ctx, p.Pool, func(tx pgx.Tx) error {
		done, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		if err != nil {
			return fmt.Errorf("complete job %d: %w", job.ID, err)
		}
		if done.State != rivertype.JobStateCompleted || done.Attempt != job.Attempt {
			return fmt.Errorf("complete job %d: %w: it is %s, attempt %d", job.ID, errTakenOver, done.State, done.Attempt)
		}
		return change(ctx, tx)
	})
}

// insertNext inserts the run's next job in tx and returns its id.
func insertNext(ctx context.Context, tx pgx.Tx, args river.JobArgs) (int64, error) {
	result, err := river.ClientFromContext[pgx.Tx](ctx).InsertTx(ctx, tx, args, nil)
	if err != nil {
		return 0, fmt.Errorf("insert %s job: %w", args.Kind(), err)
	}
	return result.Job.ID, nil
}

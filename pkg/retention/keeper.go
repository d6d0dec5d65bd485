package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
)

// How the keeper goes about it: sets of a few hundred runs at most, smaller ones where a set
// takes long, and a rest that is restPart times as long as the set took. So it takes a tenth
// of one connection's time at most, and autovacuum comes by between.
const (
	smallestSet = 10
	largestSet  = 500
	slowSet     = 500 * time.Millisecond
	restPart    = 9
	leastRest   = time.Second
	idleRest    = 10 * time.Minute // nothing is due
	pausedRest  = 30 * time.Second // others go first
)

// Who is the name of the keeper in sync_runs.blanked_by.
const Who = "retention"

// Keeper blanks runs that ended longer than After ago, as long as it runs. Several processes
// may run one: one of them works at a time. If it stops at any point, another goes on.
type Keeper struct {
	Pool    *pgxpool.Pool
	After   time.Duration
	Now     func() time.Time
	Metrics *metrics.Metrics
	Logger  *slog.Logger

	set int   // of the next step
	sum int64 // since the last rest
}

// Run works until the context ends.
func (k *Keeper) Run(ctx context.Context) {
	for {
		pause, err := k.Step(ctx)
		if err != nil && ctx.Err() == nil {
			k.Logger.WarnContext(ctx, "blank old runs", "error", err)
		}
		if rest(ctx, pause) != nil {
			return
		}
	}
}

// Why a step did nothing.
var (
	errAnother  = errors.New("another process is at it")
	errBusy     = errors.New("jobs that are due wait for workers")
	errReadOnly = errors.New("the database takes no writes")
	errFilling  = errors.New("earlier runs are still being added to the search")
)

// Step blanks one set, and answers how long to rest before the next.
func (k *Keeper) Step(ctx context.Context) (time.Duration, error) {
	if k.set == 0 {
		k.set = smallestSet
	}
	began := time.Now()
	var found int
	var done Blanked
	err := pgx.BeginFunc(ctx, k.Pool, func(tx pgx.Tx) (err error) {
		found, done, err = k.blankSome(ctx, tx)
		return err
	})
	took := time.Since(began)
	switch {
	case errors.Is(err, errAnother), errors.Is(err, errBusy), errors.Is(err, errReadOnly), errors.Is(err, errFilling):
		k.Logger.DebugContext(ctx, "old runs are blanked later", "why", err)
		return pausedRest, nil
	case err != nil:
		k.set = max(smallestSet, k.set/2)
		return pausedRest, err
	}
	k.Metrics.Blanked(done.Runs, done.Bytes)
	k.sum += done.Runs
	if found < k.set {
		if k.sum > 0 {
			k.Logger.InfoContext(ctx, "blanked what is personal of old runs", "runs", k.sum, "older_than", k.After)
		}
		k.sum = 0
		return idleRest, nil
	}
	if k.set = min(largestSet, 2*k.set); took > slowSet {
		k.set = max(smallestSet, k.set/4)
	}
	return max(leastRest, restPart*took), nil
}

// The advisory lock of who is at it. Those of worker processes are of class 844321.
const (
	lockClass  = 844322
	lockNumber = 1
)

// blankSome finds and blanks a set in one transaction. It waits for nobody's lock.
func (k *Keeper) blankSome(ctx context.Context, tx pgx.Tx) (int, Blanked, error) {
	queries := dbsqlc.New()
	may, err := queries.RetentionMay(ctx, tx)
	switch {
	case err != nil:
		return 0, Blanked{}, fmt.Errorf("ask whether it may: %w", err)
	case may.ReadOnly:
		return 0, Blanked{}, errReadOnly
	case may.Busy:
		return 0, Blanked{}, errBusy
	case may.Filling: // what is blanked before would not be found by its number
		return 0, Blanked{}, errFilling
	}
	mine, err := queries.RetentionLock(ctx, tx, dbsqlc.RetentionLockParams{Class: lockClass, Number: lockNumber})
	if err != nil {
		return 0, Blanked{}, fmt.Errorf("take its lock: %w", err)
	}
	if !mine {
		return 0, Blanked{}, errAnother
	}
	if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '30s'"); err != nil {
		return 0, Blanked{}, fmt.Errorf("set timeouts: %w", err)
	}
	rows, err := queries.RetentionDue(ctx, tx, dbsqlc.RetentionDueParams{Before: k.Now().Add(-k.After), MaxRows: int32(k.set)})
	if err != nil {
		return 0, Blanked{}, fmt.Errorf("find old runs: %w", err)
	}
	if len(rows) == 0 {
		return 0, Blanked{}, nil
	}
	done, err := blank(ctx, tx, idsOf(rows), Who, "")
	return len(rows), done, err
}

package riverjobs

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/mistake"
)

// Enqueue writes what T1 stores, with the first job of each run; it is the ingress's
// Enqueue.
func Enqueue(ctx context.Context, db dbsqlc.DBTX, rows dbsqlc.SyncRunAcceptParams) ([]int64, error) {
	rows.Kind = FetchCanonicalArgs{}.Kind()
	if len(rows.ID) > 0 && mistake.Made(mistake.JobOutside) {
		tx, _ := db.(pgx.Tx)
		return enqueueOutside(ctx, tx, rows)
	}
	return dbsqlc.New().SyncRunAccept(ctx, db, rows)
}

// enqueueOutside is a mistake to be noticed: jobs and runs do not commit together. Without
// a transaction it has nothing to be outside of, and all counts as known.
func enqueueOutside(ctx context.Context, tx pgx.Tx, rows dbsqlc.SyncRunAcceptParams) ([]int64, error) {
	if tx == nil {
		return nil, nil
	}
	outside, err := pgx.ConnectConfig(ctx, tx.Conn().Config())
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = outside.Close(ctx) }()
	n := len(rows.ID)
	early, err := dbsqlc.New().QueueInsertMany(ctx, outside, dbsqlc.QueueInsertManyParams{
		Kind: rows.Kind, Runs: rows.ID, Shares: rows.Share[:n], Priorities: rows.Priority[:n], After: rows.After[:n],
	})
	if err != nil {
		return nil, fmt.Errorf("insert jobs: %w", err)
	}
	jobs, err := dbsqlc.New().SyncRunAccept(ctx, tx, rows)
	if err != nil {
		return nil, err
	}
	for i, run := range rows.ID {
		if _, err := tx.Exec(ctx, "UPDATE sync_runs SET river_job_id = $2 WHERE id = $1", run, early[i]); err != nil {
			return nil, fmt.Errorf("move job: %w", err)
		}
		if _, err := tx.Exec(ctx, "DELETE FROM river.river_job WHERE id = $1", jobs[i]); err != nil {
			return nil, fmt.Errorf("move job: %w", err)
		}
	}
	return jobs, nil
}

// nextJob is a job to be inserted.
type nextJob struct {
	RunArgs
	kind     string
	backfill bool
}

// insertJobs inserts a set of jobs in tx and returns their ids, in order: a kind after
// the other, always in the same order, since this locks partitions.
func insertJobs(ctx context.Context, tx pgx.Tx, next []nextJob) ([]int64, error) {
	sets := map[string]*dbsqlc.QueueInsertManyParams{}
	places := map[string][]int{}
	for i, n := range next {
		of := sets[n.kind]
		if of == nil {
			of = &dbsqlc.QueueInsertManyParams{Kind: n.kind}
			sets[n.kind] = of
		}
		of.Runs, of.Shares = append(of.Runs, n.RunID), append(of.Shares, n.Share)
		of.Priorities, of.After = append(of.Priorities, int32(options(n.backfill).Priority)), append(of.After, 0)
		places[n.kind] = append(places[n.kind], i)
	}
	ids := make([]int64, len(next))
	for _, kind := range slices.Sorted(maps.Keys(sets)) {
		inserted, err := dbsqlc.New().QueueInsertMany(ctx, tx, *sets[kind])
		if err != nil {
			return nil, fmt.Errorf("insert %d jobs: %w", len(places[kind]), err)
		}
		for n, place := range places[kind] {
			ids[place] = inserted[n]
		}
	}
	return ids, nil
}

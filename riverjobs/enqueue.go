package riverjobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/mistake"
	"towpath/pkg/syncrun"
)

// Enqueue inserts the first job of each run; it is the ingress's Enqueue.
func Enqueue(client *Client) syncrun.Enqueue {
	return func(ctx context.Context, tx pgx.Tx, runs []syncrun.FirstJob) ([]int64, error) {
		next := make([]nextJob, len(runs))
		if mistake.Made(mistake.JobOutside) {
			return enqueueOutside(ctx, client, runs)
		}
		for i, run := range runs {
			next[i] = nextJob{args: FetchCanonicalArgs{RunArgs{RunID: run.RunID, Share: run.TenantID}}, share: run.TenantID, backfill: run.Backfill, after: run.After}
		}
		return insertJobs(ctx, tx, client, next)
	}
}

// enqueueOutside is a mistake to be noticed: jobs and runs do not commit together.
func enqueueOutside(ctx context.Context, client *Client, runs []syncrun.FirstJob) ([]int64, error) {
	ids := make([]int64, len(runs))
	for i, run := range runs {
		result, err := client.Insert(ctx, FetchCanonicalArgs{RunArgs{RunID: run.RunID, Share: run.TenantID}}, options(run.Backfill))
		if err != nil {
			return nil, fmt.Errorf("insert job: %w", err)
		}
		ids[i] = result.Job.ID
	}
	return ids, nil
}

// nextJob is a job to be inserted.
type nextJob struct {
	args     river.JobArgs
	share    uuid.UUID
	backfill bool
	after    time.Duration // it is not due before; the heartbeat lets it in
}

// partition is whose room a job asks for.
type partition struct {
	kind     string
	share    uuid.UUID
	priority int
}

func (n nextJob) partition() partition {
	return partition{n.args.Kind(), n.share, options(n.backfill).Priority}
}

// insertJobs inserts a set of jobs in tx and returns their ids, in order. Of a share
// without room, and beyond what could have room, they are inserted as waiting: the
// gate in the database would find the same, but a row at a time.
func insertJobs(ctx context.Context, tx pgx.Tx, client *Client, next []nextJob) ([]int64, error) {
	full, err := fullPartitions(ctx, tx, next)
	if err != nil {
		return nil, err
	}
	taken := map[partition]int{}
	params := make([]river.InsertManyParams, len(next))
	for i, n := range next {
		opts := options(n.backfill)
		if n.after > 0 {
			opts.Pending, opts.ScheduledAt = true, time.Now().Add(n.after)
		} else {
			taken[n.partition()]++
			opts.Pending = full[n.partition()] || taken[n.partition()] > mostInFlight
		}
		params[i] = river.InsertManyParams{Args: n.args, InsertOpts: opts}
	}
	results, err := client.InsertManyTx(ctx, tx, params)
	if err != nil {
		return nil, fmt.Errorf("insert %d jobs: %w", len(next), err)
	}
	ids := make([]int64, len(results))
	for i, r := range results {
		ids[i] = r.Job.ID
	}
	return ids, nil
}

// mostInFlight is how many jobs of one kind and share are with the workers at a
// time at most; towpath_has_room in schema.sql is the judge.
const mostInFlight = 5

// fullPartitions are those of the jobs' that have no room; the others are this
// transaction's until it ends. One kind after the other, in order, since this locks.
func fullPartitions(ctx context.Context, tx pgx.Tx, next []nextJob) (map[partition]bool, error) {
	asked := map[string]dbsqlc.QueueFullParams{}
	known := map[partition]bool{}
	for _, n := range next {
		p := n.partition()
		if known[p] {
			continue
		}
		known[p] = true
		of := asked[p.kind]
		of.Kind = p.kind
		of.Shares, of.Priorities = append(of.Shares, p.share.String()), append(of.Priorities, int32(p.priority))
		asked[p.kind] = of
	}
	full := map[partition]bool{}
	for _, kind := range slices.Sorted(maps.Keys(asked)) {
		rows, err := dbsqlc.New().QueueFull(ctx, tx, asked[kind])
		if err != nil {
			return nil, fmt.Errorf("ask for room: %w", err)
		}
		for _, row := range rows {
			full[partition{kind, uuid.MustParse(row.Share), int(row.Priority)}] = true
		}
	}
	return full, nil
}

package riverjobs

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

// Enqueue inserts the first job of each run; it is the ingress's Enqueue.
func Enqueue(client *Client) syncrun.Enqueue {
	return func(ctx context.Context, tx pgx.Tx, runs []syncrun.FirstJob) ([]int64, error) {
		next := make([]nextJob, len(runs))
		for i, run := range runs {
			next[i] = nextJob{args: FetchCanonicalArgs{RunID: run.RunID, Share: run.TenantID}, share: run.TenantID, backfill: run.Backfill}
		}
		return insertJobs(ctx, tx, client, next)
	}
}

// nextJob is a job to be inserted.
type nextJob struct {
	args     river.JobArgs
	share    uuid.UUID
	backfill bool
}

// partition is whose room a job asks for.
type partition struct {
	kind     string
	share    uuid.UUID
	backfill bool
}

func (n nextJob) partition() partition { return partition{n.args.Kind(), n.share, n.backfill} }

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
		taken[n.partition()]++
		opts.Pending = full[n.partition()] || taken[n.partition()] > mostInFlight
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

// fullPartitions are those of the jobs' that have no room: a query for each kind
// and priority among them.
func fullPartitions(ctx context.Context, tx pgx.Tx, next []nextJob) (map[partition]bool, error) {
	asked := map[partition][]string{} // without a share: what is asked together
	known := map[partition]bool{}
	for _, n := range next {
		if p := n.partition(); !known[p] {
			known[p] = true
			group := partition{kind: p.kind, backfill: p.backfill}
			asked[group] = append(asked[group], p.share.String())
		}
	}
	full := map[partition]bool{}
	for group, shares := range asked {
		rows, err := dbsqlc.New().QueueFull(ctx, tx, dbsqlc.QueueFullParams{
			Shares: shares, Kind: group.kind, Priority: int32(options(group.backfill).Priority),
		})
		if err != nil {
			return nil, fmt.Errorf("ask for room: %w", err)
		}
		for _, share := range rows {
			group.share = uuid.MustParse(share)
			full[group] = true
		}
	}
	return full, nil
}

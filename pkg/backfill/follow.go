package backfill

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"towpath/pkg/syncrun"
)

// live are the statuses of runs that have not ended.
var live = []string{syncrun.Queued, syncrun.Running, syncrun.Held}

// Follow tells progress how many of the runs are in each status, now and every so
// often, until all have ended or those that have not are held: a held one waits as
// long as its reason does.
func (r Request) Follow(ctx context.Context, runs []uuid.UUID, every time.Duration, progress func(map[string]int64)) error {
	ended := map[string]int64{}
	open := slices.Clone(runs)
	for {
		held := 0
		counts := maps.Clone(ended)
		var still []uuid.UUID
		for set := range slices.Chunk(open, lookSize) {
			rows, err := queries.SyncRunStatuses(ctx, r.Pool, set)
			if err != nil {
				return fmt.Errorf("read how %d runs stand: %w", len(set), err)
			}
			for _, row := range rows {
				counts[row.Status]++
				if slices.Contains(live, row.Status) {
					still = append(still, row.ID)
					if row.Status == syncrun.Held {
						held++
					}
				} else {
					ended[row.Status]++
				}
			}
		}
		progress(counts)
		if open = still; len(open) == held {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

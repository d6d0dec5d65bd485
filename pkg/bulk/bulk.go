// Package bulk acts on many runs at once as an operator would on each: it chooses them by
// a filter, counts them beforehand, and does one after the other, a transaction each. The
// command line and the pages both use it.
package bulk

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

// Deed is what is done to runs.
type Deed struct {
	Name     string   // retry or cancel
	Done     string   // in the past tense
	Statuses []string // that a filter chooses from
}

// Retry starts ended runs over and lets waiting ones go on. A running one goes on by
// itself; of succeeded ones each is to be named.
func Retry() Deed {
	return Deed{"retry", "retried", []string{syncrun.Queued, syncrun.Held, syncrun.Skipped, syncrun.Failed, syncrun.Cancelled}}
}

// Cancel ends live runs.
func Cancel() Deed {
	return Deed{"cancel", "cancelled", []string{syncrun.Queued, syncrun.Running, syncrun.Held}}
}

// Run is a run that was chosen.
type Run struct {
	ID            uuid.UUID
	Event, Status string
}

// PageSize is how many runs are read at a time.
const PageSize = 1000

// Choose are the newest runs, most at most, that fit the filter and that the deed can be
// done to; more says that others fit besides. All are chosen before the first is touched,
// so that none is chosen twice.
func Choose(ctx context.Context, db dbsqlc.DBTX, filter dbsqlc.SyncRunListParams, d Deed, most int) (runs []Run, more bool, err error) {
	filter.Statuses = d.among(filter.Statuses)
	for len(runs) <= most {
		filter.MaxRows = int32(min(PageSize, most+1-len(runs)))
		page, err := dbsqlc.New().SyncRunList(ctx, db, filter)
		if err != nil {
			return nil, false, fmt.Errorf("list runs: %w", err)
		}
		for _, r := range page {
			runs = append(runs, Run{ID: r.ID, Event: r.Event, Status: r.Status})
		}
		if len(page) < int(filter.MaxRows) {
			return runs, false, nil
		}
		last := page[len(page)-1]
		filter.BeforeAt, filter.BeforeID = &last.ReceivedAt, &last.ID
	}
	return runs[:most], true, nil
}

// among are the deed's statuses, of those that are asked for; none asked for: all.
func (d Deed) among(asked []string) []string {
	if asked == nil {
		return d.Statuses
	}
	both := []string{} // empty: none, where nil would be all
	for _, status := range asked {
		if slices.Contains(d.Statuses, status) {
			both = append(both, status)
		}
	}
	return both
}

// Count is how many runs of an event are in a status.
type Count struct {
	Event  string `json:"event"`
	Status string `json:"status"`
	Runs   int    `json:"runs"`
}

// CountOf counts runs by event and status.
func CountOf(runs []Run) []Count {
	counts := []Count{}
	for _, r := range runs {
		i := slices.IndexFunc(counts, func(n Count) bool { return n.Event == r.Event && n.Status == r.Status })
		if i < 0 {
			i, counts = len(counts), append(counts, Count{Event: r.Event, Status: r.Status})
		}
		counts[i].Runs++
	}
	slices.SortFunc(counts, func(a, b Count) int { return cmp.Or(cmp.Compare(a.Event, b.Event), cmp.Compare(a.Status, b.Status)) })
	return counts
}

// Each does one thing to each run and says what became of it; one that cannot be done
// does not stop the others. Once ctx has ended the rest stays as it is: how many were
// done is answered.
func Each(ctx context.Context, runs []Run, do func(context.Context, uuid.UUID) error, became func(Run, error)) int {
	for i, r := range runs {
		if ctx.Err() != nil {
			return i
		}
		became(r, do(ctx, r.ID))
	}
	return len(runs)
}

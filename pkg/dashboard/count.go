package dashboard

import (
	"context"
	"sync"
	"time"

	"towpath/pkg/dbsqlc"
)

// Counting reads every run under a filter: 0.4 s of a million runs on two cores.
// An open page asks every few seconds, so a count is kept for countRest times
// what it took: counting costs a process at most about one part in countRest,
// and on a small table the numbers are always fresh.
const (
	countRest    = 30
	countTimeout = 2 * time.Second // beyond it the numbers are left out, not the page
	countKept    = 64              // filters whose counts are kept
)

// counter keeps the counts of a few filters. The zero value is ready.
type counter[T any] struct {
	mu   sync.Mutex
	kept map[string]counted[T]
}

type counted[T any] struct {
	value T
	known bool // false where counting took too long
	until time.Time
}

func (c *counter[T]) get(key string, now time.Time) (counted[T], bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.kept[key]
	return found, ok && now.Before(found.until)
}

func (c *counter[T]) put(key string, value counted[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= countKept {
		c.kept = map[string]counted[T]{}
	}
	c.kept[key] = value
}

// forget makes the next look count anew.
func (c *counter[T]) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = nil
}

// counts answers what read counts, or what it did a while ago; false where that
// is not known.
func counts[T any](ctx context.Context, d *Dashboard, kept *counter[T], key string, read func(context.Context) (T, error)) (T, bool) {
	started := d.cfg.Now()
	if found, ok := kept.get(key, started); ok {
		return found.value, found.known
	}
	bounded, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	value, err := read(bounded)
	if ctx.Err() != nil {
		return value, false // nobody waits any more; this says nothing of the table
	}
	if err != nil {
		d.cfg.Logger.WarnContext(ctx, "count runs for the dashboard", "error", err)
	}
	ended := d.cfg.Now()
	kept.put(key, counted[T]{value: value, known: err == nil, until: ended.Add(countRest * ended.Sub(started))})
	return value, err == nil
}

// count answers how many runs there are in each status.
func (d *Dashboard) count(ctx context.Context, params dbsqlc.DashboardRunCountParams, key string) (map[string]int64, bool) {
	return counts(ctx, d, &d.runs, key, func(ctx context.Context) (map[string]int64, error) {
		rows, err := d.queries.DashboardRunCount(ctx, d.cfg.Pool, params)
		runs := map[string]int64{}
		for _, row := range rows {
			runs[row.Status] = row.Runs
		}
		return runs, err
	})
}

package dashboard

import (
	"context"
	"reflect"
	"sync"
	"time"

	"towpath/pkg/dbsqlc"
)

// Counting reads every run under a filter: of a million runs a quarter of a second where an
// index has all of it, else seconds. No page waits for that: a count goes on by itself, and
// a page has its numbers if they come within countWait, else those of the last count, else
// none, until it refreshes. An open page asks every few seconds, so a count is kept for
// countRest times what it took, and one that took too long as if it had ended then: counting
// costs a process one part in countRest of one connection, one filter at a time, and on a
// small table the numbers are always fresh.
const (
	countRest    = 30
	countTimeout = 2 * time.Second // beyond it the numbers are not known
	countKept    = 64              // filters whose counts are kept
)

// counter keeps the counts of a few filters. The zero value is ready.
type counter[T any] struct {
	mu   sync.Mutex
	kept map[string]*counted[T]
	busy bool // a count is under way
}

type counted[T any] struct {
	value T
	known bool // false before the first count, and where counting took too long
	until time.Time
	ended chan struct{} // closed at the end of the count under way; nil: there is none
}

// of is what is kept of a filter; a new place where nothing is. It needs the lock held.
func (c *counter[T]) of(key string) *counted[T] {
	if c.kept == nil || len(c.kept) >= countKept && c.kept[key] == nil {
		c.kept = map[string]*counted[T]{}
	}
	if c.kept[key] == nil {
		c.kept[key] = &counted[T]{}
	}
	return c.kept[key]
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
	kept.mu.Lock()
	defer kept.mu.Unlock()
	started := d.cfg.Now()
	at := kept.of(key)
	if started.Before(at.until) {
		return at.value, at.known
	}
	if !kept.busy {
		kept.busy, at.ended = true, make(chan struct{})
		go countOnce(d, kept, at, started, read)
	}
	if ended := at.ended; ended != nil {
		kept.mu.Unlock()
		soon := time.NewTimer(d.cfg.CountWait)
		select {
		case <-ended:
		case <-soon.C:
		case <-ctx.Done():
		}
		soon.Stop()
		kept.mu.Lock()
	}
	return at.value, at.known
}

// countOnce counts for whoever waits and whoever comes later.
func countOnce[T any](d *Dashboard, kept *counter[T], at *counted[T], started time.Time, read func(context.Context) (T, error)) {
	ctx, cancel := context.WithTimeout(d.open, countTimeout)
	defer cancel()
	value, err := read(ctx)
	if err != nil && d.open.Err() == nil {
		d.cfg.Logger.WarnContext(ctx, "count runs for the dashboard", "error", err)
	}
	kept.mu.Lock()
	defer kept.mu.Unlock()
	ended := d.cfg.Now()
	at.value, at.known, at.until = value, err == nil, ended.Add(countRest*ended.Sub(started))
	close(at.ended)
	kept.busy, at.ended = false, nil
}

// count answers how many runs there are in each status.
func (d *Dashboard) count(ctx context.Context, params dbsqlc.DashboardRunCountParams, key string) (map[string]int64, bool) {
	return counts(ctx, d, &d.runs, key, func(ctx context.Context) (map[string]int64, error) {
		runs := map[string]int64{}
		if all := (dbsqlc.DashboardRunCountParams{Since: params.Since, Until: params.Until}); reflect.DeepEqual(params, all) {
			rows, err := d.queries.DashboardRunCountAll(ctx, d.cfg.Pool, dbsqlc.DashboardRunCountAllParams{Since: params.Since, Until: params.Until})
			for _, row := range rows {
				runs[row.Status] = row.Runs
			}
			return runs, err
		}
		rows, err := d.queries.DashboardRunCount(ctx, d.cfg.Pool, params)
		for _, row := range rows {
			runs[row.Status] = row.Runs
		}
		return runs, err
	})
}

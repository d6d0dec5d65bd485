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
type counter struct {
	mu   sync.Mutex
	kept map[string]counted
}

type counted struct {
	runs  map[string]int64 // by status; nil where counting took too long
	until time.Time
}

func (c *counter) get(key string, now time.Time) (counted, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.kept[key]
	return known, ok && now.Before(known.until)
}

func (c *counter) put(key string, value counted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= countKept {
		c.kept = map[string]counted{}
	}
	c.kept[key] = value
}

// count answers how many runs there are in each status; false where that is not
// known.
func (d *Dashboard) count(ctx context.Context, params dbsqlc.DashboardRunCountParams, key string) (map[string]int64, bool) {
	started := d.cfg.Now()
	if known, ok := d.counts.get(key, started); ok {
		return known.runs, known.runs != nil
	}
	bounded, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	rows, err := d.queries.DashboardRunCount(bounded, d.cfg.Pool, params)
	if ctx.Err() != nil {
		return nil, false // nobody waits any more; this says nothing of the table
	}
	var runs map[string]int64
	if err != nil {
		d.cfg.Logger.WarnContext(ctx, "count runs for the dashboard", "error", err)
	} else {
		runs = map[string]int64{}
		for _, row := range rows {
			runs[row.Status] = row.Runs
		}
	}
	ended := d.cfg.Now()
	d.counts.put(key, counted{runs: runs, until: ended.Add(countRest * ended.Sub(started))})
	return runs, err == nil
}

package riverjobs

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
)

// idleFor is how long jobs may be due while this process begins none: longer than an
// attempt may take, so that a process whose places are all taken is not meant.
const idleFor = 2 * postTimeout

// Progress tells whether this process takes the jobs that are due. Stuck is for one
// goroutine.
type Progress struct {
	Pool *pgxpool.Pool
	Now  func() time.Time

	begun atomic.Int64
	seen  int64
	since time.Time // begun is as seen since then
}

// begins counts an attempt that begins.
func (p *Progress) begins() {
	if p != nil {
		p.begun.Add(1)
	}
}

// Stuck is an error where jobs have been due for long and this process began none
// meanwhile. Queues that somebody paused do not count.
func (p *Progress) Stuck(ctx context.Context) error {
	begun, now := p.begun.Load(), p.Now()
	if begun != p.seen || p.since.IsZero() {
		p.seen, p.since = begun, now
	}
	idle := now.Sub(p.since)
	if idle < idleFor {
		return nil
	}
	var queues []string
	for _, k := range kinds() {
		queues = append(queues, k.name)
	}
	overdue, err := dbsqlc.New().QueueOverdue(ctx, p.Pool, dbsqlc.QueueOverdueParams{After: interval(idleFor), Queues: queues})
	if err != nil {
		return fmt.Errorf("look for jobs that are overdue: %w", err)
	}
	if overdue {
		return fmt.Errorf("jobs are due and this process has begun none for %s", idle.Round(time.Second))
	}
	return nil
}

package quota

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
)

// Load is how much a call carries of what it could: the part of a minute's calls
// that such calls may use before they keep a distance to each other.
type Load float64

// A full call never waits for more company. A partial one with others coming soon
// does, and one that has none only where the minute would not last.
const (
	Full    Load = 1
	Lone    Load = 0.5
	Partial Load = 0.1
)

// Calls are the calls of one piece of work at a binding's provider.
type Calls struct {
	db       dbsqlc.DBTX
	binding  uuid.UUID
	limits   Limits
	backfill bool
	client   string

	mu       sync.Mutex
	reserved []int64 // calls that were asked for and not begun yet
	made     int
}

// New counts the calls of some work for a binding. Backfill leaves a share to
// what happens now. client is the worker process's id, if it is one.
func New(db dbsqlc.DBTX, bindingID uuid.UUID, limits Limits, backfill bool, client string) *Calls {
	return &Calls{db: db, binding: bindingID, limits: limits, backfill: backfill, client: client}
}

// Reserve asks for as many calls as the work may need, before it is known which of
// them it makes, so that it does not break off half-way. Return must follow. See
// Full, Partial and Lone for load.
func (c *Calls) Reserve(ctx context.Context, load Load, calls int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids, err := c.take(ctx, load, calls)
	c.reserved = append(c.reserved, ids...)
	return err
}

// Return gives back the reserved calls that were not made. If it is lost, they
// count as made.
func (c *Calls) Return(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.reserved) == 0 {
		return
	}
	ctx, cancel := brief(ctx)
	defer cancel()
	_ = dbsqlc.New().CallBudgetReturn(ctx, c.db, c.reserved)
	c.reserved = nil
}

// Made is how many calls were made so far.
func (c *Calls) Made() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

// Permit is a provider.Permit. It uses reserved calls up first.
func (c *Calls) Permit(ctx context.Context) (func(provider.Quota), error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if len(c.reserved) == 0 {
			ids, err := c.take(ctx, Full, 1)
			if err != nil {
				return nil, err
			}
			c.reserved = ids
		}
		id := c.reserved[0]
		begun, err := dbsqlc.New().CallBudgetBegin(ctx, c.db, dbsqlc.CallBudgetBeginParams{CallID: id, AtOnce: int32(c.atOnce()), ClientID: c.client})
		if err != nil {
			return nil, away(err)
		}
		if begun == tooMany {
			return nil, wait(tooManyWait)
		}
		c.reserved = c.reserved[1:]
		if begun == asked {
			c.made++
			return func(q provider.Quota) { c.done(ctx, id, q) }, nil
		}
	}
}

// atOnce leaves one call to what happens now.
func (c *Calls) atOnce() int {
	if c.backfill {
		return max(1, c.limits.AtOnce-1)
	}
	return c.limits.AtOnce
}

// What CallBudgetBegin answers; anything else: the call was asked for too long ago.
const (
	asked   = 1
	tooMany = 0
)

const tooManyWait = 500 * time.Millisecond

// take asks the database for calls.
func (c *Calls) take(ctx context.Context, load Load, calls int) ([]int64, error) {
	row, err := dbsqlc.New().CallBudgetTake(ctx, c.db, dbsqlc.CallBudgetTakeParams{
		BindingID: c.binding, IsBackfill: c.backfill, FreePart: float64(load), Calls: int32(calls),
		PerMinute: int32(c.limits.PerMinute), AtOnce: int32(c.limits.AtOnce),
	})
	if err != nil {
		return nil, away(err)
	}
	if len(row.CallIds) > 0 {
		return row.CallIds, nil
	}
	return nil, wait(time.Duration(row.Seconds * float64(time.Second)))
}

// away is the failure where the database cannot be asked: nothing was sent, the
// run comes again.
func away(err error) error {
	return &provider.Failure{Kind: provider.Temporary, Code: provider.CodeInternal,
		Message: "the budget of calls could not be asked", Err: err}
}

func wait(d time.Duration) error {
	return &provider.Failure{
		Kind: provider.RateLimited, Code: provider.CodeRateLimited, Reason: provider.ReasonBudget, RetryAfter: d,
		Message: fmt.Sprintf("waits for its turn among the calls that the provider allows, %s", d.Round(100*time.Millisecond)),
	}
}

// done notes the end of a call, also where the work is being cut off. If it is
// lost, the call counts as under way for a minute.
func (c *Calls) done(ctx context.Context, id int64, q provider.Quota) {
	ctx, cancel := brief(ctx)
	defer cancel()
	_ = dbsqlc.New().CallBudgetDone(ctx, c.db, dbsqlc.CallBudgetDoneParams{CallID: id, MinuteLeft: number(q.Minute), DayLeft: number(q.Day)})
}

func brief(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}

// mostCalls is far above every limit that a provider has for a day: a larger
// number is not one of calls.
const mostCalls = 100_000

func number(n *int) *int32 {
	if n == nil || *n > mostCalls {
		return nil
	}
	small := int32(max(*n, 0))
	return &small
}

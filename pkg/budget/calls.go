package budget

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

	mu       sync.Mutex
	reserved int64 // a call that was asked for and not made yet; 0: none
	made     int
}

// New counts the calls of some work for the binding. Backfill leaves a share to
// what happens now.
func New(db dbsqlc.DBTX, bindingID uuid.UUID, limits Limits, backfill bool) *Calls {
	return &Calls{db: db, binding: bindingID, limits: limits, backfill: backfill}
}

// Reserve asks for the first call before it is known whether it will be made;
// Return must follow. See Full, Partial and Lone for load.
func (c *Calls) Reserve(ctx context.Context, load Load) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reserved != 0 {
		return nil
	}
	id, err := c.take(ctx, load)
	c.reserved = id
	return err
}

// Return gives back a reserved call that was not made. If it is lost, the call
// counts as made.
func (c *Calls) Return(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reserved == 0 {
		return
	}
	ctx, cancel := brief(ctx)
	defer cancel()
	_ = dbsqlc.New().CallBudgetReturn(ctx, c.db, c.reserved)
	c.reserved = 0
}

// Made is how many calls were made so far.
func (c *Calls) Made() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

// Permit is a provider.Permit. It uses the reserved call up first.
func (c *Calls) Permit(ctx context.Context) (func(provider.Quota), error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.reserved
	if id == 0 {
		var err error
		if id, err = c.take(ctx, Full); err != nil {
			return nil, err
		}
	}
	c.reserved = 0
	c.made++
	return func(q provider.Quota) { c.done(ctx, id, q) }, nil
}

// take asks the database. Where it is away nothing was sent: the run comes again.
func (c *Calls) take(ctx context.Context, load Load) (int64, error) {
	row, err := dbsqlc.New().CallBudgetTake(ctx, c.db, dbsqlc.CallBudgetTakeParams{
		BindingID: c.binding, IsBackfill: c.backfill, FreePart: float64(load),
		PerMinute: int32(c.limits.PerMinute), AtOnce: int32(c.limits.AtOnce),
	})
	if err != nil {
		return 0, &provider.Failure{Kind: provider.Temporary, Code: provider.CodeInternal,
			Message: "the budget of calls could not be asked", Err: err}
	}
	if row.CallID != 0 {
		return row.CallID, nil
	}
	wait := time.Duration(row.Seconds * float64(time.Second))
	return 0, &provider.Failure{
		Kind: provider.RateLimited, Code: provider.CodeRateLimited, Reason: provider.ReasonBudget, RetryAfter: wait,
		Message: fmt.Sprintf("waits for its turn among the calls that the provider allows, %s", wait.Round(100*time.Millisecond)),
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

func number(n *int) *int32 {
	if n == nil {
		return nil
	}
	small := int32(min(max(*n, 0), 1<<30))
	return &small
}

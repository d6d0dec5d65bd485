package quota

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/provider"
)

// Load is how much a call carries of what it could: the part of a minute's calls
// that such calls may use before they keep a distance to each other.
type Load float64

// A full call never waits for more documents. A partial one with others coming soon
// does, and one that has none only where the minute would not last.
const (
	Full    Load = 1
	Lone    Load = 0.5
	Partial Load = 0.1
)

// Calls are the calls of one piece of work at a binding's provider.
type Calls struct {
	store    store
	limits   Limits
	backfill bool
	client   string

	mu     sync.Mutex
	leases []*held
	made   int
}

// held is a lease as its holder knows it. Calls that were begun are reported with
// the rest of the lease, so that a batch asks the database twice, however many calls
// it makes.
type held struct {
	id       int64
	key      string // of the budget that granted it
	left     int
	until    time.Time   // of this process: no call begins later
	granted  time.Time   // of the database, when it answered last,
	asked    time.Time   // and of this process, when it was asked
	made     []time.Time // of the database, not reported yet
	calling  bool
	reserved bool // kept until Return; else settled with its call
	word     Word
}

// New counts the calls of some work for a binding. Backfill leaves a share to
// what happens now. client is the worker process's id, if it is one.
func New(pool *pgxpool.Pool, bindingID uuid.UUID, limits Limits, backfill bool, client string) *Calls {
	return &Calls{store: store{pool, bindingID}, limits: limits, backfill: backfill, client: client}
}

// Reserve asks for as many calls as the work may need, before it is known which of
// them it makes, so that it does not break off half-way. Return must follow. See
// Full, Partial and Lone for load.
func (c *Calls) Reserve(ctx context.Context, load Load, calls int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, err := c.take(ctx, c.idle(), load, calls)
	if err == nil {
		h.reserved = true
	}
	return err
}

// Return returns the reserved calls that were not made. If it is lost, they
// count as made.
func (c *Calls) Return(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.leases {
		if h.reserved {
			c.settle(ctx, h)
		}
	}
	c.leases = slices.DeleteFunc(c.leases, func(h *held) bool { return !h.calling })
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
	h := c.idle()
	switch {
	case h == nil || h.left == 0:
		var err error
		if h, err = c.take(ctx, h, Full, 1); err != nil {
			return nil, err
		}
	case time.Now().After(h.until):
		if err := c.renew(ctx, h); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil { // it was cut off: no call is made
		return nil, away(err)
	}
	// If the process stops from here on, the call counts: its lease ends with it.
	h.left--
	h.calling = true
	h.made = append(h.made, h.now())
	c.made++
	return func(q provider.Quota) { c.done(ctx, h, q) }, nil
}

// idle is a lease that has no call under way: it makes one at a time.
func (c *Calls) idle() *held {
	for _, h := range c.leases {
		if !h.calling {
			return h
		}
	}
	return nil
}

// now is the database's time, by this process's clock since it was asked last: what
// the answer took is counted twice, so that a call is not taken for an older one.
func (h *held) now() time.Time { return h.granted.Add(time.Since(h.asked)) }

// take asks for calls: for a lease that there is, or a new one.
func (c *Calls) take(ctx context.Context, h *held, load Load, calls int) (*held, error) {
	fresh := h == nil
	if fresh {
		h = &held{id: rand.Int64()}
	}
	asked := time.Now()
	var answer Answer
	key, now, err := c.store.change(ctx, h, granting, func(now time.Time, b Budget) Budget {
		b, answer = b.Reserve(now, c.limits, Ask{Calls: calls, Load: load, Backfill: c.backfill, Lease: h.id, Client: c.client})
		return b
	})
	if err != nil {
		return nil, away(err)
	}
	if answer.Granted == 0 {
		return nil, wait(answer.Wait)
	}
	if fresh {
		c.leases = append(c.leases, h)
	}
	h.left += answer.Granted
	h.hears(key, asked, now)
	return h, nil
}

// renew makes sure of a lease that was granted a while ago. One that was over
// meanwhile is asked for anew.
func (c *Calls) renew(ctx context.Context, h *held) error {
	asked, there := time.Now(), false
	key, now, err := c.store.change(ctx, h, granting, func(now time.Time, b Budget) Budget {
		b, there = b.Renew(now, h.id)
		return b
	})
	if err != nil {
		return away(err)
	}
	if there {
		h.hears(key, asked, now)
		return nil
	}
	h.left, h.made = 0, nil // they were counted when it ended
	_, err = c.take(ctx, h, Full, 1)
	return err
}

func (h *held) hears(key string, asked, granted time.Time) {
	h.key, h.asked, h.granted, h.until = key, asked, granted, asked.Add(beginWithin)
}

// done ends a call, also where the work is being cut off. If the process dies before
// that is on record, the call ends with it.
func (c *Calls) done(ctx context.Context, h *held, q provider.Quota) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.calling = false
	if q.Minute != nil {
		h.word.Minute, h.word.At = q.Minute, h.now()
	}
	if q.Day != nil {
		h.word.Day, h.word.At = q.Day, h.now()
	}
	if h.reserved {
		return
	}
	c.settle(ctx, h)
	c.leases = slices.DeleteFunc(c.leases, func(other *held) bool { return other == h })
}

// settle reports what became of a lease. If that is lost, what it might have called
// counts until it ends by itself.
func (c *Calls) settle(ctx context.Context, h *held) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	report := Report{Lease: h.id, Made: h.made, More: h.calling, Word: h.word}
	_, _, err := c.store.change(ctx, h, settling, func(now time.Time, b Budget) Budget { return b.Settle(now, report) })
	if err == nil {
		h.made = nil
	}
	h.left, h.reserved = 0, false
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

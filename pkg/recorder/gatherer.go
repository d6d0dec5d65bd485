package recorder

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// Errors of handing over; ErrFull means that nothing was begun.
var (
	// ErrFull: more waits than the bound allows.
	ErrFull = errors.New("too many wait to be recorded")
	// ErrUnknown: what became of the item is not known.
	ErrUnknown = errors.New("it is not known whether the change was recorded")
)

// Answer is what became of one item.
type Answer[A any] struct {
	Value A
	Err   error
}

// Gatherer does things in sets: each set is what was handed over while the ones
// before were under way. It needs no stop: it has a goroutine only while something
// is under way, and ends when the last caller has its answer.
type Gatherer[T, A any] struct {
	// Do does a set and answers each item, in order. Its ctx ends with no caller's. It may
	// call nearly once what is left of it (a COMMIT) keeps the next set from nothing.
	Do func(ctx context.Context, set []T, nearly func()) []Answer[A]
	// AtOnce is how many sets may be under way at a time. Default 1.
	AtOnce int
	// Patience is how long a set keeps the next one waiting, unless it ends before or
	// nearly does: until then what comes is gathered, so that sets are large; from then
	// on nobody waits for one that is stuck. Default 0: the next begins at once.
	Patience time.Duration
	// Most is the most of one set. Default 128.
	Most int
	// Bound is how many may wait. Default 8192.
	Bound int

	mu       sync.Mutex
	waiting  []*item[T, A]
	underWay int
	last     *time.Timer // of the set that the next one waits for; nil: it waits for none
}

// item is handed over; answer has room for one, so that nobody waits for a caller
// that went away.
type item[T, A any] struct {
	value  T
	answer chan Answer[A]
}

// Hand hands v over and waits for its answer. If ctx ends while v still waits, v
// is withdrawn and nothing of it is done; if it ends later the answer is ErrUnknown.
func (g *Gatherer[T, A]) Hand(ctx context.Context, v T) (A, error) {
	it := &item[T, A]{value: v, answer: make(chan Answer[A], 1)}
	if err := g.enter(it); err != nil {
		var none A
		return none, err
	}
	select {
	case a := <-it.answer:
		return a.Value, a.Err
	case <-ctx.Done():
	}
	var none A
	if g.withdraw(it) {
		return none, ctx.Err()
	}
	select {
	case a := <-it.answer: // it came at the same moment
		return a.Value, a.Err
	default:
		return none, fmt.Errorf("%w: %w", ErrUnknown, ctx.Err())
	}
}

// Waiting is how many wait at the moment.
func (g *Gatherer[T, A]) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

// enter queues an item, and begins a set where one may begin.
func (g *Gatherer[T, A]) enter(it *item[T, A]) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) >= orDefault(g.Bound, 8192) {
		return ErrFull
	}
	g.waiting = append(g.waiting, it)
	g.begin()
	return nil
}

// begin begins the next set, if one waits and may. The lock is held.
func (g *Gatherer[T, A]) begin() {
	if len(g.waiting) == 0 || g.last != nil || g.underWay >= orDefault(g.AtOnce, 1) {
		return
	}
	g.underWay++
	letGo := func() {}
	if g.Patience > 0 {
		var patience *time.Timer
		letGo = func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			if patience.Stop(); g.last == patience {
				g.last = nil
				g.begin()
			}
		}
		patience = time.AfterFunc(g.Patience, letGo)
		g.last = patience
	}
	go g.do(letGo)
}

// do does a set; letGo lets the next one begin. Whoever is about to hand something over
// comes along: callers that were answered together come back together, and the first
// of them would otherwise go alone and keep the others waiting.
func (g *Gatherer[T, A]) do(letGo func()) {
	runtime.Gosched()
	set := g.take()
	values := make([]T, len(set))
	for i, it := range set {
		values[i] = it.value
	}
	if len(set) > 0 { // else they were withdrawn, or taken by the set before
		for i, a := range guarded(len(set), func() []Answer[A] { return g.Do(context.Background(), values, letGo) }) {
			set[i].answer <- a
		}
	}
	letGo()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay--
	g.begin()
}

// take takes what waits, as far as it fits into a set.
func (g *Gatherer[T, A]) take() []*item[T, A] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), orDefault(g.Most, 128))
	set := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return set
}

// withdraw reports whether the item still waited; it does no more.
func (g *Gatherer[T, A]) withdraw(it *item[T, A]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.waiting {
		if other == it {
			g.waiting = append(g.waiting[:i:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// guarded turns a panic into the answer of all, so that no caller waits for ever.
func guarded[A any](n int, do func() []Answer[A]) (answers []Answer[A]) {
	defer func() {
		if said := recover(); said != nil {
			answers = same[A](n, Panic{Said: said, Stack: debug.Stack()})
		}
	}()
	return do()
}

// Panic is a panic of what was being done.
type Panic struct {
	Said  any
	Stack []byte
}

// Error shows the stack.
func (p Panic) Error() string { return fmt.Sprintf("panic: %v\n%s", p.Said, p.Stack) }

// same answers n items alike.
func same[A any](n int, err error) []Answer[A] {
	answers := make([]Answer[A], n)
	for i := range answers {
		answers[i].Err = err
	}
	return answers
}

func orDefault[N int | int64](n, otherwise N) N {
	if n > 0 {
		return n
	}
	return otherwise
}

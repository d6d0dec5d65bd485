package recorder

import (
	"context"
	"errors"
	"fmt"
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
	// Do does a set and answers each item, in order. Its ctx ends with no caller's.
	Do func(ctx context.Context, set []T) []Answer[A]
	// AtOnce is how many sets may be under way at a time. Default 1.
	AtOnce int
	// Patience is how long the set under way may take before another begins beside it:
	// until then what comes is gathered, so that sets are large; from then on nobody
	// waits for one that is stuck. Default 0: another begins at once.
	Patience time.Duration
	// Most is the most of one set. Default 128.
	Most int
	// Bound is how many may wait. Default 8192.
	Bound int

	mu       sync.Mutex
	waiting  []*item[T, A]
	underWay int
	began    time.Time // of the last set
	watched  bool      // a timer will look whether it is stuck
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

// enter queues an item, and begins a set of its own where one more may be under way.
func (g *Gatherer[T, A]) enter(it *item[T, A]) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) >= orDefault(g.Bound, 8192) {
		return ErrFull
	}
	g.waiting = append(g.waiting, it)
	switch {
	case g.underWay >= orDefault(g.AtOnce, 1):
	case g.underWay == 0 || g.Patience == 0:
		g.underWay++
		go g.run()
	case !g.watched:
		g.watched = true
		time.AfterFunc(g.Patience, g.relieve)
	}
	return nil
}

// relieve begins another set where the last one takes too long.
func (g *Gatherer[T, A]) relieve() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.watched = false
	if len(g.waiting) == 0 || g.underWay == 0 || g.underWay >= orDefault(g.AtOnce, 1) {
		return
	}
	if left := g.Patience - time.Since(g.began); left > 0 {
		g.watched = true
		time.AfterFunc(left, g.relieve)
		return
	}
	g.underWay++
	go g.run()
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

// run does one set after another until nothing waits.
func (g *Gatherer[T, A]) run() {
	for {
		set := g.next()
		if len(set) == 0 {
			return
		}
		values := make([]T, len(set))
		for i, it := range set {
			values[i] = it.value
		}
		for i, a := range guarded(len(set), func() []Answer[A] { return g.Do(context.Background(), values) }) {
			set[i].answer <- a
		}
		if g.relieved() {
			return
		}
	}
}

// relieved reports whether somebody else goes on with what waits: of two that are under
// way, where one is enough, the first that ends leaves.
func (g *Gatherer[T, A]) relieved() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.Patience == 0 || g.underWay == 1 {
		return false
	}
	g.underWay--
	if len(g.waiting) > 0 && !g.watched {
		g.watched = true
		time.AfterFunc(g.Patience, g.relieve)
	}
	return true
}

// next takes what waits. The place under way is given up under the same lock under
// which the queue was seen empty, so that nobody enters between the two unseen.
func (g *Gatherer[T, A]) next() []*item[T, A] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), orDefault(g.Most, 128))
	if n == 0 {
		g.underWay--
		return nil
	}
	g.began = time.Now()
	set := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return set
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

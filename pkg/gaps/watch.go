package gaps

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// watchRest is how long an answer is kept at least, and watchPart how many times as
	// long as it took: looking costs a process one part in watchPart at most.
	watchRest = 5 * time.Minute
	watchPart = 30
	// watchTimeout bounds a look, which holds up nobody.
	watchTimeout = time.Minute
)

// Watch keeps what was looked for, for who asks often and must not wait: pages and
// scrapes. It is safe for concurrent use.
type Watch[T any] struct {
	look func(ctx context.Context, now time.Time) (T, error)
	now  func() time.Time

	mu      sync.Mutex
	looking bool
	known   bool
	until   time.Time
	latest  T
}

// WatchShops watches the shops' rhythm.
func WatchShops(pool *pgxpool.Pool, now func() time.Time) *Watch[[]Shop] {
	return &Watch[[]Shop]{now: now, look: func(ctx context.Context, now time.Time) ([]Shop, error) { return Shops(ctx, pool, now) }}
}

// WatchList watches the gaps of the last while.
func WatchList(pool *pgxpool.Pool, last time.Duration, most int, now func() time.Time) *Watch[[]Gap] {
	return &Watch[[]Gap]{now: now, look: func(ctx context.Context, now time.Time) ([]Gap, error) {
		return List(ctx, Request{Pool: pool, Since: now.Add(-last), Most: most})
	}}
}

// Latest is what is known; false before the first look has ended. What is older than
// five minutes is looked for anew meanwhile. While that fails the last answer stands.
func (w *Watch[T]) Latest() (T, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := w.now(); !w.looking && !now.Before(w.until) {
		w.looking = true
		go w.again(now)
	}
	return w.latest, w.known
}

func (w *Watch[T]) again(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), watchTimeout)
	defer cancel()
	began := time.Now()
	found, err := w.look(ctx, now)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looking, w.until = false, now.Add(max(watchRest, watchPart*time.Since(began)))
	if err == nil {
		w.latest, w.known = found, true
	}
}

// Silent is how many are too quiet.
func Silent(shops []Shop) int {
	n := 0
	for _, s := range shops {
		if s.Silent {
			n++
		}
	}
	return n
}

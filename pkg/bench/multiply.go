package bench

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

//go:embed multiply.sql
var multiplySQL string

// parts are those of multiply.sql by name.
func parts() map[string]string {
	parts := map[string]string{}
	for _, part := range strings.Split(multiplySQL, "-- part: ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		parts[name] = text
	}
	return parts
}

const (
	// endedFor is how far back the oldest run came: a part is due to be blanked.
	endedFor = 500 * 24 * time.Hour
	// runsAtOnce are about as many as a transaction makes.
	runsAtOnce = 5_000
	// copiers copy at the same time.
	copiers = 2
)

// multiply copies the ended runs that came before a time until there are about so many more.
// The oldest come first, as in life: what is stored together came together. step is told how
// many were made. It is for a private server, whose superuser it has to be: foreign keys are
// not looked at, since what is copied refers to what is copied.
func multiply(ctx context.Context, pool *pgxpool.Pool, before time.Time, runs int, step func(made int64)) error {
	var models int
	if err := pool.QueryRow(ctx, "SELECT count(*) FROM sync_runs WHERE stage = 'done' AND received_at < $1", before).Scan(&models); err != nil {
		return fmt.Errorf("count what is copied: %w", err)
	}
	generations := max(1, runs/max(1, models))
	f := &copying{pool: pool, before: before, left: generations, atOnce: max(1, runsAtOnce/max(1, models)), between: endedFor / time.Duration(generations), step: step}
	both, working := errgroup.WithContext(ctx)
	for range copiers {
		f.ready.Add(1)
		both.Go(func() error { return f.work(working) })
	}
	if err := both.Wait(); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	return nil
}

// copying is what the copiers share.
type copying struct {
	pool    *pgxpool.Pool
	before  time.Time     // what came by then is copied
	atOnce  int           // generations of a transaction
	between time.Duration // two generations
	ready   sync.WaitGroup

	mu   sync.Mutex
	left int // generations, the oldest being the highest
	made int64
	step func(made int64)
}

// next is the next range; to is 0 where nothing is left.
func (f *copying) next() (from, to int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	to = f.left
	f.left = max(0, f.left-f.atOnce)
	return f.left + 1, to
}

func (f *copying) work(ctx context.Context) error {
	conn, err := f.pool.Acquire(ctx)
	if err != nil {
		f.ready.Done()
		return fmt.Errorf("take a connection: %w", err)
	}
	defer conn.Release()
	defer func() {
		_, _ = conn.Exec(context.WithoutCancel(ctx), "DISCARD TEMP; RESET synchronous_commit; RESET session_replication_role; RESET bench.before")
	}()
	part := parts()
	_, err = conn.Exec(ctx, fmt.Sprintf("SET synchronous_commit = off; SET session_replication_role = replica; SET bench.before = '%s';", f.before.UTC().Format(time.RFC3339Nano))+part["models"])
	f.ready.Done()
	if err != nil {
		return fmt.Errorf("read what is copied: %w", err)
	}
	f.ready.Wait() // none takes another's copies for models
	for {
		from, to := f.next()
		if to == 0 {
			return nil
		}
		n, err := generation(ctx, conn.Conn(), part, from, to, f.between)
		if err != nil {
			return fmt.Errorf("copy generations %d to %d: %w", from, to, err)
		}
		f.mu.Lock()
		f.made += n
		f.step(f.made)
		f.mu.Unlock()
	}
}

// generation copies a range of generations in one transaction.
func generation(ctx context.Context, conn *pgx.Conn, part map[string]string, from, to int, between time.Duration) (made int64, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "TRUNCATE made"); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, part["made"], from, to, between)
		if err != nil {
			return err
		}
		made = tag.RowsAffected()
		for _, name := range []string{"analyzed", "runs", "events", "search", "calls", "xrefs", "intents", "audit"} {
			if _, err := tx.Exec(ctx, part[name]); err != nil {
				return fmt.Errorf("copy %s: %w", name, err)
			}
		}
		return nil
	})
	return made, err
}

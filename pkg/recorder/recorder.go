package recorder

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/mistake"
)

// ErrNoConnection: no connection was to be had, so nothing was begun.
var ErrNoConnection = errors.New("no connection to the database")

// Config is how sets are written.
type Config[C, A any] struct {
	Pool *pgxpool.Pool
	// First, where it is set, is tried before Write: one statement, which is a transaction
	// of its own, there and back in one message. Where it fails Write is called for the
	// same items, also if nothing was answered: Write must bear what First may have stored.
	First func(ctx context.Context, conn *pgxpool.Conn, set []C) ([]Answer[A], error)
	// Write writes a set inside tx and answers each item, in order. An item that it
	// answers with an error has left nothing in tx. If Write itself fails, nothing is
	// committed. It is called again for the same items after a failure.
	Write func(ctx context.Context, tx pgx.Tx, set []C) ([]Answer[A], error)
	// Again reports whether an item that failed alone is worth a second try.
	Again func(err error) bool

	Writers int // transactions at a time; 0 = 2
	// Patience is how long one may take before another begins beside it; see Gatherer.
	Patience time.Duration
	Most     int           // items of one transaction; 0 = 128
	Bound    int           // items that may wait; 0 = 8192
	Acquire  time.Duration // to get a connection; 0 = 5 s
	Timeout  time.Duration // of an item's or a set's transactions; 0 = 15 s
}

// lockWait bounds what a shared transaction waits for a row that somebody else
// holds: the items that need not wait for it are not to. Alone an item waits for
// as long as its transaction may take.
const lockWait = "500ms"

// New makes a recorder. It is safe for concurrent use.
func New[C, A any](cfg Config[C, A]) *Recorder[C, A] {
	if cfg.Acquire == 0 {
		cfg.Acquire = 5 * time.Second
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 15 * time.Second
	}
	cfg.Writers = orDefault(cfg.Writers, 2)
	r := &Recorder[C, A]{cfg: cfg, alone: make(chan struct{}, 2*cfg.Writers)}
	r.sets = Gatherer[C, A]{Do: r.record, AtOnce: cfg.Writers, Patience: cfg.Patience, Most: cfg.Most, Bound: cfg.Bound}
	return r
}

// Recorder records what callers hand over; see the package.
type Recorder[C, A any] struct {
	cfg   Config[C, A]
	sets  Gatherer[C, A]
	alone chan struct{} // a place for each item that is written by itself
}

// Record hands a change over and answers once it is committed, or is not.
func (r *Recorder[C, A]) Record(ctx context.Context, change C) (A, error) {
	return r.sets.Hand(ctx, change)
}

// Waiting is how many changes wait to be recorded.
func (r *Recorder[C, A]) Waiting() int { return r.sets.Waiting() }

// record writes a set: together, and where that fails each by itself. A set of one
// is its own redo. The next set need not wait for this one's COMMIT, which may take a
// disk's time: nearly is called before it.
func (r *Recorder[C, A]) record(ctx context.Context, set []C, nearly func()) []Answer[A] {
	if answers := r.first(ctx, set); answers != nil {
		return answers
	}
	if len(set) == 1 {
		return []Answer[A]{r.single(ctx, set[0], nearly)}
	}
	limited, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	answers, err := r.transact(limited, set, true, nearly)
	if isBroken(err) {
		answers, err = r.transact(limited, set, true, nearly)
	}
	if err == nil {
		return answers
	}
	if !redo(err) {
		return same[A](len(set), err)
	}
	return r.each(ctx, set)
}

// first writes a set by First; nil where that has not worked. If the process stops while
// it is under way, all of the set is stored or nothing.
func (r *Recorder[C, A]) first(ctx context.Context, set []C) []Answer[A] {
	if r.cfg.First == nil || mistake.Made(mistake.EarlyAnswer) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	conn, err := r.acquire(ctx)
	if err != nil {
		return same[A](len(set), err)
	}
	defer conn.Release()
	answers, err := answered(set, func() ([]Answer[A], error) { return r.cfg.First(ctx, conn, set) })
	if err != nil {
		return nil
	}
	return answers
}

// each writes the items apart, a few at a time: one that has to wait for a lock
// keeps its own place and no other's.
func (r *Recorder[C, A]) each(ctx context.Context, set []C) []Answer[A] {
	answers := make([]Answer[A], len(set))
	var all sync.WaitGroup
	for i, c := range set {
		r.alone <- struct{}{}
		all.Go(func() {
			defer func() { <-r.alone }()
			answers[i] = r.single(ctx, c, func() {})
		})
	}
	all.Wait()
	return answers
}

// single writes one item, twice at most, and twice at most on a connection that breaks.
func (r *Recorder[C, A]) single(ctx context.Context, c C, nearly func()) Answer[A] {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Acquire+r.cfg.Timeout)
	defer cancel()
	answers, err := r.transact(ctx, []C{c}, false, nearly)
	if isBroken(err) {
		answers, err = r.transact(ctx, []C{c}, false, nearly)
	}
	if err != nil && redo(err) && r.cfg.Again != nil && r.cfg.Again(err) {
		answers, err = r.transact(ctx, []C{c}, false, nearly)
	}
	if err != nil {
		return Answer[A]{Err: err}
	}
	return answers[0]
}

// transact writes a set in one transaction. If the process stops before COMMIT,
// or the connection breaks, nothing of the set is stored; what was sent as COMMIT
// and not answered may be stored or not.
func (r *Recorder[C, A]) transact(ctx context.Context, set []C, shared bool, nearly func()) (answers []Answer[A], err error) {
	conn, err := r.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release() // destroys it if it is broken or inside a transaction
	tx, err := conn.BeginTx(ctx, options(shared))
	if err != nil {
		return nil, brokenError{fmt.Errorf("%w: begin: %w", ErrNoConnection, err)}
	}
	answers, err = answered(set, func() ([]Answer[A], error) { return r.cfg.Write(ctx, tx, set) })
	if err == nil && mistake.Made(mistake.EarlyAnswer) {
		commitLater(conn)
		return answers, nil
	}
	if err != nil {
		_ = tx.Rollback(ctx) // where it fails the connection goes, and the transaction with it
		return nil, lost(conn, err)
	}
	nearly()
	// If the process stops here, nothing of the set is stored.
	if err := tx.Commit(ctx); err != nil {
		return nil, fate(err)
	}
	// And here: all of it is, and its callers are answered by nobody.
	return answers, nil
}

// commitLater is a mistake to be noticed: what is answered may never be committed.
func commitLater(conn *pgxpool.Conn) {
	raw := conn.Hijack()
	time.AfterFunc(100*time.Millisecond, func() {
		_, _ = raw.Exec(context.Background(), "COMMIT")
		_ = raw.Close(context.Background())
	})
}

func (r *Recorder[C, A]) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Acquire)
	defer cancel()
	conn, err := Acquire(ctx, r.cfg.Pool)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoConnection, err)
	}
	return conn, nil
}

func options(shared bool) pgx.TxOptions {
	if shared {
		return pgx.TxOptions{BeginQuery: "BEGIN; SET LOCAL lock_timeout = '" + lockWait + "'"}
	}
	return pgx.TxOptions{}
}

// answered writes a set, and makes an error of a panic and of answers that are not the set's.
func answered[C, A any](set []C, write func() ([]Answer[A], error)) (answers []Answer[A], err error) {
	defer func() {
		if said := recover(); said != nil {
			err = guarded(1, func() []Answer[A] { panic(said) })[0].Err
		}
	}()
	answers, err = write()
	if err == nil && len(answers) != len(set) {
		return nil, fmt.Errorf("record %d items: %d answers", len(set), len(answers))
	}
	return answers, err
}

// brokenError marks a failure that the items have no part in: the connection is gone
// before COMMIT was sent, so nothing is stored. The whole set is tried once more on
// another one, which after a failover leads to the new primary; each of them by itself
// would only meet the same.
type brokenError struct{ error }

func (e brokenError) Unwrap() error { return e.error }

// lost marks an error as that of a broken connection where it is one.
func lost(conn *pgxpool.Conn, err error) error {
	if conn.Conn().IsClosed() {
		return brokenError{err}
	}
	return err
}

func isBroken(err error) bool {
	_, is := errors.AsType[brokenError](err)
	return is
}

// redo reports whether items that failed together may fare better by themselves.
func redo(err error) bool {
	return !isBroken(err) && !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrNoConnection)
}

// fate tells from the error of a COMMIT what became of the transaction: what
// Postgres refuses is not stored; where it has not answered, or was shutting down,
// that is not known.
func fate(err error) error {
	const connection, shutdown = "08", "57P"
	refused, answered := errors.AsType[*pgconn.PgError](err)
	if errors.Is(err, pgx.ErrTxCommitRollback) || answered && !strings.HasPrefix(refused.Code, connection) && !strings.HasPrefix(refused.Code, shutdown) {
		return fmt.Errorf("commit: %w", err)
	}
	return fmt.Errorf("commit: %w: %w", ErrUnknown, err)
}

package ingress

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/recorder"
	"towpath/pkg/syncrun"
)

// withConn lends do a connection for at most limit. It waits for one no longer
// than AcquireTimeout: a queue of requests that the shop has given up on helps
// nobody. What do refuses stays a refusal; any other error means 503.
func (in *Ingress) withConn(ctx context.Context, limit time.Duration, do func(ctx context.Context, conn *pgxpool.Conn) error) error {
	waiting, cancel := context.WithTimeout(ctx, in.cfg.AcquireTimeout)
	defer cancel()
	conn, err := recorder.Acquire(waiting, in.cfg.Pool)
	if err != nil {
		return in.noConnection(err)
	}
	defer conn.Release() // destroys it if it is broken or inside a transaction
	working, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return asUnavailable(do(working, conn))
}

func (in *Ingress) noConnection(err error) error {
	stat := in.cfg.Pool.Stat()
	if errors.Is(err, context.DeadlineExceeded) && stat.AcquiredConns() >= stat.MaxConns() || recorder.ServerFull(err) {
		return overloaded(err)
	}
	return asUnavailable(err)
}

func overloaded(cause error) error {
	return refuse(codeOverloaded, "too many requests at the moment; send it again later").because(cause)
}

func asUnavailable(err error) error {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*refusal](err); ok {
		return p
	}
	return refuse(codeDatabaseUnavailable, "the database is not available; send it again later").because(err)
}

// patience is how long one set of webhooks may take before the next begins beside it:
// a commit takes a few milliseconds, so what lasts longer waits for something.
const patience = 25 * time.Millisecond

// newAccepts makes what writes T1: all events that came while the transaction
// before was committed are accepted in one. They count as new at first; where one is not,
// or nothing was answered, they are looked up. Alone an event is tried twice: if another
// transaction was faster, or the two blocked each other, that one's run is there to
// be found then.
func newAccepts(cfg Config) *recorder.Recorder[syncrun.Event, syncrun.Accepted] {
	return recorder.New(recorder.Config[syncrun.Event, syncrun.Accepted]{
		Pool: cfg.Pool, Patience: patience, Acquire: cfg.AcquireTimeout, Timeout: cfg.AcceptTimeout, Again: worthAnotherTry,
		First: func(ctx context.Context, conn *pgxpool.Conn, set []syncrun.Event) ([]recorder.Answer[syncrun.Accepted], error) {
			return answers(syncrun.AcceptUnseen(ctx, conn, cfg.Enqueue, set))
		},
		Write: func(ctx context.Context, tx pgx.Tx, set []syncrun.Event) ([]recorder.Answer[syncrun.Accepted], error) {
			return answers(syncrun.Accept(ctx, tx, cfg.Enqueue, set))
		},
	})
}

func answers(accepted []syncrun.Accepted, err error) ([]recorder.Answer[syncrun.Accepted], error) {
	all := make([]recorder.Answer[syncrun.Accepted], len(accepted))
	for i, a := range accepted {
		all[i] = recorder.Answer[syncrun.Accepted]{Value: a, Err: a.Refused}
	}
	return all, err
}

// accept hands the event over to T1. If the commit's answer is lost, what became
// of it is not known: 503, and the shop's next attempt either finds the run or
// makes it.
func (in *Ingress) accept(ctx context.Context, e syncrun.Event) (syncrun.Accepted, error) {
	ctx, cancel := context.WithTimeout(ctx, in.cfg.AcquireTimeout+2*in.cfg.AcceptTimeout)
	defer cancel()
	accepted, err := in.accepts.Record(ctx, e)
	switch {
	case err == nil:
		return accepted, nil
	case errors.Is(err, syncrun.ErrTokenSpent):
		return accepted, tokenRefused(err)
	case errors.Is(err, syncrun.ErrKeyReused):
		return accepted, keyReused(err)
	case errors.Is(err, recorder.ErrFull):
		return accepted, overloaded(err)
	case errors.Is(err, recorder.ErrNoConnection):
		return accepted, in.noConnection(err)
	}
	if said, panicked := errors.AsType[recorder.Panic](err); panicked {
		return accepted, said // a fault of ours, not of the database
	}
	return accepted, asUnavailable(err)
}

func worthAnotherTry(err error) bool {
	const serializationFailure, deadlockDetected = "40001", "40P01"
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.Code == serializationFailure || refused.Code == deadlockDetected
	}
	return errors.Is(err, syncrun.ErrRaced)
}

func keyReused(cause error) *refusal {
	return refuse(codeKeyReused, "the Idempotency-Key was used for another entity or event").because(cause)
}

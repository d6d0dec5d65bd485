package ingress

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/syncrun"
)

// withConn lends do a connection for at most limit. It waits for one no longer
// than AcquireTimeout: a queue of requests that the shop has given up on helps
// nobody. What do refuses stays a refusal; any other error means 503.
func (in *Ingress) withConn(ctx context.Context, limit time.Duration, do func(ctx context.Context, conn *pgxpool.Conn) error) error {
	waiting, cancel := context.WithTimeout(ctx, in.cfg.AcquireTimeout)
	defer cancel()
	conn, err := in.cfg.Pool.Acquire(waiting)
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
	if errors.Is(err, context.DeadlineExceeded) && stat.AcquiredConns() >= stat.MaxConns() {
		return refuse(codeOverloaded, "too many requests at the moment; send it again later").because(err)
	}
	return asUnavailable(err)
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

// accept is T1 in its own transaction. If another transaction was faster, or
// the two blocked each other, it is done once more: then that one's run is there
// to be found. If the commit's answer is lost, what became of it is not known:
// 503, and the shop's next attempt either finds the run or makes it.
func (in *Ingress) accept(ctx context.Context, e syncrun.Event) (accepted syncrun.Accepted, err error) {
	err = in.withConn(ctx, in.cfg.AcceptTimeout, func(ctx context.Context, conn *pgxpool.Conn) error {
		var failed error
		if accepted, failed = in.acceptOnce(ctx, conn, e); worthAnotherTry(failed) {
			accepted, failed = in.acceptOnce(ctx, conn, e)
		}
		switch {
		case errors.Is(failed, syncrun.ErrTokenSpent):
			return tokenRefused(failed)
		case errors.Is(failed, syncrun.ErrKeyReused):
			return keyReused(failed)
		}
		return failed
	})
	return accepted, err
}

func (in *Ingress) acceptOnce(ctx context.Context, conn *pgxpool.Conn, e syncrun.Event) (accepted syncrun.Accepted, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		all, err := syncrun.Accept(ctx, tx, in.cfg.Enqueue, []syncrun.Event{e})
		if err != nil {
			return err
		}
		accepted = all[0]
		return nil
	})
	return accepted, err
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

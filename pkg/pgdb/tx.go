package pgdb

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// InTx runs do in a transaction and commits it. Where Postgres ended the transaction for
// the sake of others (a deadlock with busy workers, a serialization failure) nothing of it
// took effect, and it is tried again, three times at most; so do sets what it answers
// anew each time. A pause goes before: at once it would take the row again before the
// other, who waits for it, is awake.
func InTx(ctx context.Context, db interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}, do func(pgx.Tx) error) error {
	const tries, pause = 4, 50 * time.Millisecond
	for try := 1; ; try++ {
		err := pgx.BeginFunc(ctx, db, do)
		if try == tries || !contended(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try) * (pause + rand.N(pause))):
		}
	}
}

func contended(err error) bool {
	const serializationFailure, deadlockDetected = "40001", "40P01"
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (refused.Code == serializationFailure || refused.Code == deadlockDetected)
}

package recorder

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// fullAgain is how often a server that lets no more connections in is asked again.
const fullAgain = 250 * time.Millisecond

// Acquire takes a connection of a pool. Where the server lets no more in (the role's or
// the database's CONNECTION LIMIT, max_connections), it waits for one that is in use:
// a pool that is smaller than it should be serves slowly, and refuses nobody. A pool
// that has none at all cannot wait for one.
func Acquire(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	for {
		conn, err := pool.Acquire(ctx)
		if err == nil || !ServerFull(err) || pool.Stat().TotalConns() == 0 {
			return conn, err
		}
		if !idleSoon(ctx, pool) {
			return nil, err
		}
	}
}

// ServerFull reports whether the server let no more connections in.
func ServerFull(err error) bool {
	const tooManyConnections = "53300"
	said, ok := errors.AsType[*pgconn.PgError](err)
	return ok && said.Code == tooManyConnections
}

// idleSoon waits until a connection is given back, fullAgain at most; false where ctx
// ended first.
func idleSoon(ctx context.Context, pool *pgxpool.Pool) bool {
	again := time.NewTimer(fullAgain)
	defer again.Stop()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-again.C:
			return true
		case <-look.C:
			if pool.Stat().IdleConns() > 0 {
				return true
			}
		}
	}
}

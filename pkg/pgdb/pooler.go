package pgdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNoSessions: what is connected to gives each transaction another session.
var ErrNoSessions = errors.New("a pooler in transaction or statement mode stands between Towpath and Postgres: " +
	"locks, LISTEN and prepared statements belong to a session, which it does not keep; " +
	"give DATABASE_URL the server's own address, or set pool_mode = session for this database")

// CheckSessions reports ErrNoSessions where one connection's statements are done by
// several sessions of the server. It looks from inside, since no pooler says so by
// itself: a connection asks twice which session it has, while another one begins a
// transaction between, which takes whatever session is free.
func CheckSessions(ctx context.Context, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	one, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("check for a pooler: %w", err)
	}
	defer one.Release()
	backend, err := session(ctx, one.Conn())
	if err != nil {
		return fmt.Errorf("check for a pooler: %w", err)
	}
	if backend == one.Conn().PgConn().PID() {
		return nil // the server itself: a pooler tells numbers of its own
	}
	other, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("check the pooler: a second connection: %w", err)
	}
	defer other.Release()
	for range 3 { // others of the pooler's clients may take and give back sessions meanwhile
		same, err := keeps(ctx, one.Conn(), other.Conn(), backend)
		if err != nil {
			return fmt.Errorf("check the pooler: %w", err)
		}
		if !same {
			return ErrNoSessions
		}
	}
	return nil
}

// keeps reports whether one still has its session while another has a transaction.
func keeps(ctx context.Context, one, other *pgx.Conn, backend uint32) (bool, error) {
	if _, err := other.PgConn().Exec(ctx, "BEGIN").ReadAll(); err != nil {
		if said, ok := errors.AsType[*pgconn.PgError](err); ok && said.Code == "08P01" {
			return false, nil // statement mode knows no transactions
		}
		return false, err
	}
	if _, err := session(ctx, other); err != nil {
		return false, err
	}
	now, err := session(ctx, one)
	if err != nil {
		return false, err
	}
	_, err = other.PgConn().Exec(ctx, "ROLLBACK").ReadAll()
	return now == backend, err
}

// session is the server's process that does a statement.
func session(ctx context.Context, conn *pgx.Conn) (pid uint32, err error) {
	// Not prepared: in transaction mode the statement would be looked for in another session.
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid()::bigint", pgx.QueryExecModeSimpleProtocol).Scan(&pid)
	return pid, err
}

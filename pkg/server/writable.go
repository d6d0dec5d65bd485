package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/pgdb"
	"towpath/pkg/recorder"
)

// writeEvery bounds how often the proof of a write costs a commit.
const writeEvery = 5 * time.Second

const (
	// mayWrite changes nothing, and is refused where nothing may be changed: on a
	// standby, where transactions are read-only, or without the right to the table that
	// T1 writes.
	mayWrite = `DELETE FROM spent_jtis WHERE false`
	// write puts a record into the log and waits for its commit as T1 does: for the
	// disk, and for a synchronous standby. It leaves nothing in any table.
	write = mayWrite + `; SELECT pg_logical_emit_message(true, 'towpath', 'ready')`
)

// writable proves that webhooks can be accepted: on a connection of their own pool
// something is written, or at least might be where the last write is no older than
// writeEvery. A connection that turns out to be read-only is closed by that, and the
// proof tried once more on another, as T1 is.
type writable struct {
	pool  *pgxpool.Pool
	now   func() time.Time
	wrote time.Time
}

// check answers why nothing can be written, for everybody to read, and the error.
func (w *writable) check(ctx context.Context) (why string, err error) {
	err = w.try(ctx)
	if said, ok := errors.AsType[*pgconn.PgError](err); ok && said.Code == "25006" {
		err = w.try(ctx)
	}
	if err != nil {
		w.wrote = time.Time{}
		return whyNotWritten(err), err
	}
	return "", nil
}

func (w *writable) try(ctx context.Context) error {
	conn, err := recorder.Acquire(ctx, w.pool)
	if err != nil {
		return err
	}
	defer conn.Release() // destroys it if it is broken
	statements, commits := mayWrite, w.now().Sub(w.wrote) >= writeEvery
	if commits {
		statements = write
	}
	_, err = conn.Conn().PgConn().Exec(ctx, statements).ReadAll()
	if said, ok := errors.AsType[*pgconn.PgError](err); ok && said.Code == "42P01" {
		return nil // no table: that is for the check of the migrations to say
	}
	if err == nil && commits {
		w.wrote = w.now()
	}
	return err
}

// whyNotWritten is the reason without any name of a host, user or database.
func whyNotWritten(err error) string {
	said, _ := errors.AsType[*pgconn.PgError](err)
	switch {
	case errors.Is(err, pgdb.ErrReadOnly):
		return "no host of the database can be written to: each is a standby, read-only or away"
	case said == nil && errors.Is(err, context.DeadlineExceeded):
		return "the database takes too long to answer, or to commit (a synchronous standby that is away?)"
	case said == nil:
		return "the database does not answer"
	case said.Code == "25006":
		return "the database can be read and not written: a standby, a primary that was demoted, or set read-only"
	case said.Code == "53300":
		return "the database lets no more connections in: the role's CONNECTION LIMIT or max_connections is reached"
	case said.Code == "53100":
		return "the database's disk is full"
	case said.Code == "57P03":
		return "the database is starting up or shutting down"
	case said.Code == "42501":
		return "the database's role may not write to the tables"
	case strings.HasPrefix(said.Code, "28"):
		return "the database does not let this role in"
	}
	return "the database does not answer as it should (" + said.Code + ")"
}

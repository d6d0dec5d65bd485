package pgdb

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// missing finds the name in what Postgres says of a relation or a function that is not there.
var missing = regexp.MustCompile(`^(?:relation|function) "?(?:public\.)?([a-z0-9_]+)`)

// SayDropped is err; where that is over a part of the schema which is on record as applied
// and is not there, it says so and how it comes back: "migrate up" would find nothing to do.
func SayDropped(ctx context.Context, pool *pgxpool.Pool, err error) error {
	var pg *pgconn.PgError
	if !IsOldSchema(err) || !errors.As(err, &pg) {
		return err
	}
	status, unread := ReadStatus(ctx, pool)
	if unread != nil || slices.ContainsFunc(status.Migrations, func(m Migration) bool { return m.State != StateApplied }) {
		return err
	}
	found := missing.FindStringSubmatch(pg.Message)
	if found != nil && slices.ContainsFunc(status.of(SourceFunction), func(m Migration) bool { return m.Name == found[1] }) {
		return fmt.Errorf("%v; every migration is on record as applied, so it was dropped by hand: DELETE FROM schema_functions WHERE name = '%s', and then towpath migrate up, which puts every function and view back", err, found[1])
	}
	return fmt.Errorf("%v; every migration is on record as applied, so it was dropped by hand: towpath migrate up does not bring it back, restore the database from a backup", err)
}

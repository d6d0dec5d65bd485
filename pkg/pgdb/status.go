package pgdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"towpath/sql"
)

// RiverSchema is the Postgres schema of River's tables; ours are in public.
const RiverSchema = "river"

// The sources of the schema, in the order in which they are applied.
const (
	SourceRiver    = "river"
	SourceTowpath  = "towpath"
	SourceFunction = "function" // applied again whenever its file changes
)

// State is how a migration stands.
type State string

// The states of a migration.
const (
	StateApplied State = "applied"
	StatePending State = "pending"
	StateChanged State = "changed" // applied, but this binary's file says something else
	StateNewer   State = "newer"   // applied by a newer binary, unknown to this one (of a function: its text)
)

// Migration is one migration of River's or ours, or one of our functions, which
// have no version.
type Migration struct {
	Source    string     `json:"source"`
	Version   int        `json:"version"`
	Name      string     `json:"name"`
	State     State      `json:"state"`
	AppliedAt *time.Time `json:"applied_at"`

	text, checksum string // of our files
}

// label is how an error names the migration.
func (m Migration) label() string {
	switch m.Source {
	case SourceRiver:
		return fmt.Sprintf("River's migration %03d", m.Version)
	case SourceFunction:
		return "function " + m.Name
	}
	return fmt.Sprintf("migration %04d_%s", m.Version, m.Name)
}

// Status is the database's schema beside this binary's: River's migrations,
// then ours, then our functions, each in order.
type Status struct {
	Migrations []Migration `json:"migrations"`
}

// Pending returns what Migrate would apply.
func (s Status) Pending() []Migration { return s.in(StatePending) }

func (s Status) in(state State) []Migration {
	var found []Migration
	for _, m := range s.Migrations {
		if m.State == state {
			found = append(found, m)
		}
	}
	return found
}

func (s Status) pendingOf(source string) []Migration { return Status{s.Pending()}.of(source) }

// of returns those of one source.
func (s Status) of(source string) []Migration {
	var found []Migration
	for _, m := range s.Migrations {
		if m.Source == source {
			found = append(found, m)
		}
	}
	return found
}

// check refuses a database that this binary must not migrate.
func (s Status) check() error {
	var errs []error
	if newer := s.in(StateNewer); len(newer) > 0 {
		// A migration says more than the functions that came with it.
		said := newer[0]
		for _, m := range newer {
			if m.Source != SourceFunction {
				said = m
			}
		}
		errs = append(errs, fmt.Errorf("the database is newer than this binary: it has %s; run the newer version", said.label()))
	}
	for _, m := range s.in(StateChanged) {
		errs = append(errs, fmt.Errorf("%s was changed after it was applied; restore the file and put the change into a new one",
			m.label()))
	}
	return errors.Join(errs...)
}

// ReadStatus tells of every migration whether it is applied. It changes nothing
// and works on an empty database.
func ReadStatus(ctx context.Context, pool *pgxpool.Pool) (Status, error) {
	return readStatus(ctx, pool, sql.Files)
}

// ErrPending: the schema is older than this program.
var ErrPending = errors.New("migrations are pending")

// Ready is for the readiness check: nil if nothing is pending, else ErrPending or why the
// schema could not be read. A database that
// a newer binary has migrated is ready: while a new version is rolled out the
// old one goes on serving.
func Ready(ctx context.Context, pool *pgxpool.Pool) error {
	return ready(ctx, pool, sql.Files)
}

func ready(ctx context.Context, pool *pgxpool.Pool, files fs.FS) error {
	status, err := readStatus(ctx, pool, files)
	if err != nil {
		return err
	}
	if pending := status.Pending(); len(pending) > 0 {
		return fmt.Errorf("%d %w, the first is %s: run towpath migrate up", len(pending), ErrPending, pending[0].label())
	}
	return nil
}

func readStatus(ctx context.Context, pool *pgxpool.Pool, files fs.FS) (Status, error) {
	functions, err := readFunctions(files)
	if err != nil {
		return Status{}, fmt.Errorf("read migration status: %w", err)
	}
	rivers, err := riverMigrations(pool)
	if err != nil {
		return Status{}, fmt.Errorf("read migration status: %w", err)
	}
	ours, err := readMigrations(files)
	if err != nil {
		return Status{}, fmt.Errorf("read migration status: %w", err)
	}
	// Before its version 5 River's table has no column line.
	rivers, err = compare(ctx, pool, SourceRiver, rivers, RiverSchema+".river_migration", `
		SELECT version::int, '', '', created_at
		FROM river.river_migration AS m
		WHERE coalesce(to_jsonb(m) ->> 'line', 'main') = 'main'
		ORDER BY version`)
	if err != nil {
		return Status{}, fmt.Errorf("read migration status of river: %w", err)
	}
	ours, err = compare(ctx, pool, SourceTowpath, ours, "public.schema_migrations", `
		SELECT version, name, checksum, applied_at
		FROM public.schema_migrations
		ORDER BY version`)
	if err != nil {
		return Status{}, fmt.Errorf("read migration status: %w", err)
	}
	newer := slices.ContainsFunc(ours, func(m Migration) bool { return m.State == StateNewer })
	if err := markFunctions(ctx, pool, functions, newer); err != nil {
		return Status{}, fmt.Errorf("read status of functions: %w", err)
	}
	return Status{Migrations: slices.Concat(rivers, ours, functions)}, nil
}

// compare marks those of the known migrations that the table lists, and adds
// those that only the table knows. No table means that nothing was applied.
func compare(ctx context.Context, db *pgxpool.Pool, source string, known []Migration, table, query string) ([]Migration, error) {
	rows, _ := db.Query(ctx, `SELECT to_regclass($1) IS NOT NULL`, table) // the collector returns the error
	exists, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
	if err != nil || !exists {
		return known, err
	}
	rows, _ = db.Query(ctx, query)
	applied, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Migration, err error) {
		return m, row.Scan(&m.Version, &m.Name, &m.checksum, &m.AppliedAt)
	})
	if err != nil {
		return nil, err
	}
	for _, row := range applied {
		at := slices.IndexFunc(known, func(m Migration) bool { return m.Version == row.Version })
		switch {
		case at < 0:
			row.Source, row.State = source, StateNewer
			known = append(known, row)
		case known[at].checksum != row.checksum:
			known[at].State, known[at].AppliedAt = StateChanged, row.AppliedAt
		default:
			known[at].State, known[at].AppliedAt = StateApplied, row.AppliedAt
		}
	}
	return known, nil
}

// riverMigrations lists those of the River that this binary is built with. The
// pool is not used: the library wants one.
func riverMigrations(pool *pgxpool.Pool) ([]Migration, error) {
	migrator, err := riverMigrator(pool)
	if err != nil {
		return nil, err
	}
	var list []Migration
	for _, m := range migrator.AllVersions() {
		list = append(list, Migration{Source: SourceRiver, Version: m.Version, Name: m.Name, State: StatePending})
	}
	return list, nil
}

func riverMigrator(pool *pgxpool.Pool) (*rivermigrate.Migrator[pgx.Tx], error) {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{
		Schema: RiverSchema,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("read River's migrations: %w", err)
	}
	return migrator, nil
}

// IsOldSchema tells the errors of a database that was not migrated: a table, a
// column, a function or a schema is missing.
func IsOldSchema(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && slices.Contains([]string{"42P01", "42703", "42883", "3F000"}, pg.Code)
}

package pgdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/rivermigrate"

	"towpath/sql"
)

// migrateLock is the advisory lock of one migrating process: any number that
// nothing else in the database uses.
const migrateLock = 7_469_701_824

// lockTimeout bounds how long a migration waits for a table: all that comes
// after it waits behind it. A migration that timed out is simply run again.
const lockTimeout = 10 * time.Second

// Applied is one migration that Migrate applied, or one function (version 0).
type Applied struct {
	Source  string `json:"source"`
	Version int    `json:"version"`
	Name    string `json:"name"`
	TookMS  int64  `json:"took_ms"`
}

// Migrate brings the database up to this binary: River's migrations first, then
// ours, each in a transaction of its own, the last one with the functions. It may be called by several processes
// at once and again at any time: the first does the work, the others wait for
// it and find nothing to do. If the process dies, the migration it was at is
// undone, those before it stay, and the next call goes on from there.
//
// It uses connections of its own, made from the pool's settings without its
// timeouts. With an error it returns what was applied before it.
func Migrate(ctx context.Context, pool *pgxpool.Pool) ([]Applied, error) {
	return migrate(ctx, pool, sql.Files, false)
}

// MigrateBeside is Migrate for a database that has tables of somebody else, none of
// which has a name of ours.
func MigrateBeside(ctx context.Context, pool *pgxpool.Pool) ([]Applied, error) {
	return migrate(ctx, pool, sql.Files, true)
}

// MigrateFrom is Migrate with other files than this binary's: for tests of
// upgrades.
func MigrateFrom(ctx context.Context, pool *pgxpool.Pool, files fs.FS) ([]Applied, error) {
	return migrate(ctx, pool, files, false)
}

func migrate(ctx context.Context, pool *pgxpool.Pool, files fs.FS, beside bool) ([]Applied, error) {
	own, err := migrationPool(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("migrate database: %w", err)
	}
	defer own.Close()
	unlock, err := lockMigrations(ctx, own)
	if err != nil {
		return nil, fmt.Errorf("migrate database: %w", err)
	}
	defer unlock()
	status, err := readStatus(ctx, own, files)
	if err == nil {
		err = status.check()
	}
	if err != nil {
		return nil, fmt.Errorf("migrate database: %w", err)
	}
	if err := notOthers(ctx, own, beside); err != nil {
		return nil, fmt.Errorf("migrate database: %w", err)
	}
	applied, err := migrateRiver(ctx, own)
	if err != nil {
		return nil, fmt.Errorf("migrate database: %w", err)
	}
	ours, err := migrateOurs(ctx, own, status)
	if err != nil {
		err = fmt.Errorf("migrate database: %w", err)
	}
	return append(applied, ours...), err
}

// CheckOurs refuses a database that Migrate would refuse, as it does.
func CheckOurs(ctx context.Context, pool *pgxpool.Pool) error { return notOthers(ctx, pool, false) }

// notOthers refuses a database that is somebody else's, before anything is changed
// in it: one with tables in our schemas, made by no extension, that we did not make.
// beside lets those be that have no name of ours.
func notOthers(ctx context.Context, pool *pgxpool.Pool, beside bool) error {
	var found *string
	err := pool.QueryRow(ctx, `
		SELECT string_agg(relname, ', ' ORDER BY relname) FILTER (WHERE place <= 5) || CASE WHEN count(*) > 5 THEN ', ...' ELSE '' END
		FROM (
			SELECT c.relname, row_number() OVER (ORDER BY c.relname) AS place
			FROM pg_class c
			WHERE c.relnamespace IN (to_regnamespace('public'), to_regnamespace('`+RiverSchema+`'))
				AND c.relkind IN ('r', 'p')
				AND (NOT $1 OR c.relname IN ('tenants', 'bindings', 'policies', 'sync_runs', 'entity_xref', 'river_job'))
				AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
				AND to_regclass('public.schema_migrations') IS NULL
				AND to_regclass('`+RiverSchema+`.river_migration') IS NULL
		) AS theirs`, beside).Scan(&found)
	if err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	switch {
	case found == nil:
		return nil
	case beside:
		return fmt.Errorf("the database has tables of its own whose names are Towpath's (%s); give another in DATABASE_URL", *found)
	}
	return fmt.Errorf("the database has tables of its own (%s); give an empty one in DATABASE_URL, or say: towpath migrate up --beside-others", *found)
}

// migrationPool has two connections: one holds the lock, the other works.
func migrationPool(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Pool, error) {
	cfg := pool.Config()
	cfg.MaxConns, cfg.MinConns, cfg.MinIdleConns = 2, 0, 0
	cfg.ConnConfig.RuntimeParams["application_name"] = "towpath migrate"
	own := Config{}.settings(nil)
	own["idle_in_transaction_session_timeout"] = "0"
	own["lock_timeout"] = strconv.FormatInt(lockTimeout.Milliseconds(), 10)
	cfg.ConnConfig.AfterConnect = own.set
	two, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open connections: %w", err)
	}
	return two, nil
}

// lockMigrations waits until no other process migrates. The lock is a
// transaction's, so it ends with the connection whatever happens.
func lockMigrations(ctx context.Context, pool *pgxpool.Pool) (unlock func(), err error) {
	tx, err := pool.Begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock migrations: %w", err)
	}
	unlock = func() { _ = tx.Rollback(context.WithoutCancel(ctx)) } // if it fails, the connection is closed
	if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = 0`); err != nil {
		unlock()
		return nil, fmt.Errorf("lock migrations: %w", err)
	}
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrateLock)); err != nil {
		unlock()
		return nil, fmt.Errorf("lock migrations: %w", err)
	}
	return unlock, nil
}

func migrateRiver(ctx context.Context, pool *pgxpool.Pool) ([]Applied, error) {
	// Asked first, since CREATE SCHEMA IF NOT EXISTS needs the right to create
	// even where the schema is there.
	if err := createUnless(ctx, pool, `SELECT to_regnamespace('`+RiverSchema+`') IS NOT NULL`,
		`CREATE SCHEMA `+RiverSchema); err != nil {
		return nil, fmt.Errorf("make River's schema: %w", err)
	}
	migrator, err := riverMigrator(pool)
	if err != nil {
		return nil, err
	}
	result, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return nil, fmt.Errorf("apply River's migrations: %w", err)
	}
	var applied []Applied
	for _, v := range result.Versions {
		applied = append(applied, Applied{
			Source: SourceRiver, Version: v.Version, Name: v.Name, TookMS: v.Duration.Milliseconds(),
		})
	}
	return applied, nil
}

// migrateOurs applies what is pending of ours. The functions go with the last
// migration, as one commit: nobody meets its tables with the functions of before.
func migrateOurs(ctx context.Context, pool *pgxpool.Pool, status Status) ([]Applied, error) {
	for table, create := range map[string]string{"schema_migrations": migrationsTable, "schema_functions": functionsTable} {
		if err := createUnless(ctx, pool, `SELECT to_regclass('public.`+table+`') IS NOT NULL`, create); err != nil {
			return nil, fmt.Errorf("make table %s: %w", table, err)
		}
	}
	var applied []Applied
	pending := status.pendingOf(SourceTowpath)
	functions := status.of(SourceFunction)
	if len(pending) == 0 && len(status.pendingOf(SourceFunction)) == 0 {
		return nil, nil
	}
	for len(pending) > 1 {
		done, err := apply(ctx, pool, pending[:1], nil)
		if err != nil {
			return applied, err
		}
		applied, pending = append(applied, done...), pending[1:]
	}
	done, err := apply(ctx, pool, pending, functions)
	return append(applied, done...), err
}

// migrationsTable records what was applied.
const migrationsTable = `
	CREATE TABLE public.schema_migrations (
		version int PRIMARY KEY,
		name text NOT NULL,
		checksum text NOT NULL,
		applied_at timestamptz NOT NULL DEFAULT now()
	)`

// apply runs the files and writes that they ran, as one commit. If the commit's
// answer is lost, the next Migrate reads which it was.
func apply(ctx context.Context, pool *pgxpool.Pool, migrations, functions []Migration) (applied []Applied, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if len(functions) > 0 {
			// Jobs before runs, as everybody takes them: triggers are replaced on both.
			if _, err := tx.Exec(ctx, `LOCK TABLE `+RiverSchema+`.river_job IN SHARE ROW EXCLUSIVE MODE`); err != nil {
				return fmt.Errorf("lock River's jobs: %w", err)
			}
		}
		for _, m := range migrations {
			began := time.Now()
			if err := m.applyTx(ctx, tx); err != nil {
				return err
			}
			applied = append(applied, Applied{
				Source: m.Source, Version: m.Version, Name: m.Name, TookMS: time.Since(began).Milliseconds(),
			})
		}
		if len(functions) == 0 {
			return nil
		}
		changed, err := applyFunctions(ctx, tx, functions)
		applied = append(applied, changed...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return applied, nil
}

func (m Migration) applyTx(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, m.text); err != nil {
		return fmt.Errorf("apply %s: %w", m.label(), atLine(m.text, err))
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO public.schema_migrations (version, name, checksum)
		VALUES ($1, $2, $3)`, m.Version, m.Name, m.checksum)
	if err != nil {
		return fmt.Errorf("record %s: %w", m.label(), err)
	}
	return nil
}

// atLine adds where in the file the server found the error.
func atLine(text string, err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Position < 1 {
		return err
	}
	before := []rune(text)
	before = before[:min(int(pgErr.Position)-1, len(before))]
	return fmt.Errorf("line %d: %w", strings.Count(string(before), "\n")+1, err)
}

// createUnless runs create where the question is answered with false.
func createUnless(ctx context.Context, pool *pgxpool.Pool, exists, create string) error {
	rows, _ := pool.Query(ctx, exists) // the collector returns the error
	there, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
	if err != nil || there {
		return err
	}
	_, err = pool.Exec(ctx, create)
	return err
}

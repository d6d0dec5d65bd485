package pgdb_test

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
)

// files makes migrations from name and text pairs; other folders are named.
func files(pairs ...string) fs.FS {
	made := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i]
		if !strings.Contains(name, "/") {
			name = "migrations/" + name
		}
		made[name] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return made
}

var (
	first  = []string{"0001_first.sql", "CREATE TABLE one (n int);\nINSERT INTO one VALUES (1);"}
	second = []string{"0002_second.sql", "CREATE TABLE two (n int);"}
)

func one() fs.FS { return files(first...) }
func both() fs.FS {
	return files(append(append([]string{}, first...), second...)...)
}

func ours(applied []pgdb.Applied) []string {
	names := []string{}
	for _, a := range applied {
		if a.Source != pgdb.SourceRiver {
			names = append(names, a.Name)
		}
	}
	return names
}

func states(status pgdb.Status) map[string]pgdb.State {
	found := map[string]pgdb.State{}
	for _, m := range status.Migrations {
		if m.Source != pgdb.SourceRiver {
			found[m.Name] = m.State
		}
	}
	return found
}

func exists(t *testing.T, pool *pgxpool.Pool, table string) bool {
	t.Helper()
	var found bool
	require.NoError(t, pool.QueryRow(context.Background(), `SELECT to_regclass($1) IS NOT NULL`, table).Scan(&found))
	return found
}

func TestMigrate(t *testing.T) {
	t.Parallel()

	t.Run("Real_migrations_make_an_empty_database_ready", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		require.Error(t, pgdb.Ready(t.Context(), pool))
		applied, err := pgdb.Migrate(t.Context(), pool)
		require.NoError(t, err)
		require.Equal(t, pgdb.SourceRiver, applied[0].Source, "ours build on River's tables")
		require.NotEmpty(t, ours(applied))
		require.NoError(t, pgdb.Ready(t.Context(), pool))
		require.True(t, exists(t, pool, "river.river_job"))

		applied, err = pgdb.Migrate(t.Context(), pool)
		require.NoError(t, err)
		require.Empty(t, applied, "a second time there is nothing to do")
	})

	t.Run("Only_what_is_missing_is_applied", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		applied, err := pgdb.MigrateFrom(t.Context(), pool, one())
		require.NoError(t, err)
		require.Equal(t, []string{"first"}, ours(applied))
		applied, err = pgdb.MigrateFrom(t.Context(), pool, both())
		require.NoError(t, err)
		require.Equal(t, []string{"second"}, ours(applied))
	})

	t.Run("Many_at_once_apply_each_migration_once", func(t *testing.T) {
		t.Parallel()
		url := pgtest.EmptyURL(t)
		var all [6][]pgdb.Applied
		var group errgroup.Group
		for i := range all {
			group.Go(func() error {
				pool, err := pgdb.Open(context.Background(), pgdb.Config{URL: url, MaxConns: 1})
				if err != nil {
					return err
				}
				defer pool.Close()
				all[i], err = pgdb.MigrateFrom(context.Background(), pool, both())
				return err
			})
		}
		require.NoError(t, group.Wait())
		times := map[pgdb.Applied]int{}
		for _, applied := range all {
			for _, a := range applied {
				a.TookMS = 0
				times[a]++
			}
		}
		require.Equal(t, 1, times[pgdb.Applied{Source: "towpath", Version: 2, Name: "second"}])
		for a, n := range times {
			require.Equal(t, 1, n, a)
		}
	})

	t.Run("Works_through_a_pool_with_a_short_statement_timeout", func(t *testing.T) {
		t.Parallel()
		pool, err := pgdb.Open(t.Context(), pgdb.Config{URL: with(t, pgtest.EmptyURL(t), "statement_timeout", "1000")})
		require.NoError(t, err)
		defer pool.Close()
		_, err = pgdb.MigrateFrom(t.Context(), pool, files("0001_slow.sql", "SELECT pg_sleep(1.2);"))
		require.NoError(t, err)
		var timeout string
		require.NoError(t, pool.QueryRow(t.Context(), `SHOW statement_timeout`).Scan(&timeout))
		require.Equal(t, "1s", timeout, "the caller's pool keeps its own settings")
	})

	t.Run("Waits_only_so_long_for_a_busy_table", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		_, err := pgdb.MigrateFrom(t.Context(), pool,
			files("0001_settings.sql", "CREATE TABLE settings AS SELECT current_setting('lock_timeout') AS lock_timeout"))
		require.NoError(t, err)
		var timeout string
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT lock_timeout FROM settings`).Scan(&timeout))
		require.Equal(t, "10s", timeout)
	})

	t.Run("Tables_go_to_public_whatever_the_role's_search_path", func(t *testing.T) {
		t.Parallel()
		pool, err := pgdb.Open(t.Context(), pgdb.Config{URL: with(t, pgtest.EmptyURL(t), "search_path", "elsewhere")})
		require.NoError(t, err)
		defer pool.Close()
		_, err = pool.Exec(t.Context(), `CREATE SCHEMA elsewhere`)
		require.NoError(t, err)
		_, err = pgdb.MigrateFrom(t.Context(), pool, one())
		require.NoError(t, err)
		require.True(t, exists(t, pool, "public.one"))
	})

	t.Run("Cancelled_while_it_waits_for_another_process", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock($1)`, pgdb.MigrateLock); err != nil {
				return err
			}
			done := make(chan error, 1)
			go func() {
				_, err := pgdb.MigrateFrom(ctx, pool, one())
				done <- err
			}()
			require.Eventually(t, func() bool { return waiters(t, pool) == 1 }, patience, tick)
			cancel()
			return <-done
		})
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, exists(t, pool, "public.one"))
	})
}

// waiters counts the sessions of pool's database that wait for an advisory lock.
func waiters(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(context.Background(), `
		SELECT count(*)
		FROM pg_locks
		WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&n))
	return n
}

func TestMigrateRefused(t *testing.T) {
	t.Parallel()

	t.Run("File_changed_after_it_was_applied", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		_, err := pgdb.MigrateFrom(t.Context(), pool, one())
		require.NoError(t, err)
		changed := files(append([]string{first[0], first[1] + "\n-- one more line"}, second...)...)
		_, err = pgdb.MigrateFrom(t.Context(), pool, changed)
		require.ErrorContains(t, err, "migration 0001_first was changed after it was applied")
		require.False(t, exists(t, pool, "public.two"), "nothing more is applied")
		status, err := pgdb.StatusFrom(t.Context(), pool, changed)
		require.NoError(t, err)
		require.Equal(t, map[string]pgdb.State{"first": pgdb.StateChanged, "second": pgdb.StatePending}, states(status))
	})

	t.Run("Other_line_ends_are_no_change", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		_, err := pgdb.MigrateFrom(t.Context(), pool, one())
		require.NoError(t, err)
		_, err = pgdb.MigrateFrom(t.Context(), pool, files(first[0], strings.ReplaceAll(first[1], "\n", "\r\n")))
		require.NoError(t, err)
	})

	t.Run("Database_newer_than_the_binary", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		_, err := pgdb.MigrateFrom(t.Context(), pool, both())
		require.NoError(t, err)
		_, err = pgdb.MigrateFrom(t.Context(), pool, one())
		require.ErrorContains(t, err, "the database is newer than this binary: it has migration 0002_second")
		require.NoError(t, pgdb.ReadyFrom(t.Context(), pool, one()), "the old version goes on serving during a roll-out")
	})

	t.Run("River_newer_than_the_binary", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.New(t)
		_, err := pool.Exec(t.Context(), `INSERT INTO river.river_migration (line, version) VALUES ('main', 999)`)
		require.NoError(t, err)
		_, err = pgdb.Migrate(t.Context(), pool)
		require.ErrorContains(t, err, "the database is newer than this binary: it has River's migration 999")
	})

	t.Run("Broken_file_is_named_with_its_line_and_leaves_nothing", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		broken := files(append(append([]string{}, first...), "0002_broken.sql",
			"CREATE TABLE two (n int);\n\nCREATE TABLE three (n no_such_type);")...)
		applied, err := pgdb.MigrateFrom(t.Context(), pool, broken)
		require.ErrorContains(t, err, "apply migration 0002_broken: line 3:")
		require.ErrorContains(t, err, "no_such_type")
		require.Equal(t, []string{"first"}, ours(applied))
		require.False(t, exists(t, pool, "public.two"), "the file is applied as a whole or not at all")

		applied, err = pgdb.MigrateFrom(t.Context(), pool, both())
		require.NoError(t, err, "the mended file is applied")
		require.Equal(t, []string{"second"}, ours(applied))
	})

	t.Run("Somebody_elses_database_is_left_as_it_is", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		_, err := pool.Exec(t.Context(), "CREATE TABLE tenants (n int)")
		require.NoError(t, err)
		_, err = pgdb.MigrateFrom(t.Context(), pool, both())
		require.ErrorContains(t, err, "tables of its own (tenants)")
		require.False(t, exists(t, pool, "river.river_job"))
	})

	t.Run("A_database_with_any_table_of_somebody_else_is_left_unless_it_is_said", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		_, err := pool.Exec(t.Context(), "CREATE TABLE their_orders (n int)")
		require.NoError(t, err)
		_, err = pgdb.Migrate(t.Context(), pool)
		require.ErrorContains(t, err, "tables of its own (their_orders)")
		require.ErrorContains(t, err, "--beside-others")
		require.False(t, exists(t, pool, "river.river_job"))
		_, err = pgdb.MigrateBeside(t.Context(), pool)
		require.NoError(t, err)
		_, err = pgdb.Migrate(t.Context(), pool)
		require.NoError(t, err, "from then on it is ours")
	})

	for name, test := range map[string]struct {
		files fs.FS
		want  string
	}{
		"Gap":        {files(first[0], "SELECT 1", "0003_third.sql", "SELECT 1"), `"0003_third.sql" should have the number 0002`},
		"Twice":      {files(first[0], "SELECT 1", "0001_other.sql", "SELECT 1"), "should have the number 0002"},
		"Other_name": {files("first.sql", "SELECT 1"), `"first.sql" is not named NNNN_name.sql`},
		"Down":       {files("0001_first.down.sql", "SELECT 1"), "is not named NNNN_name.sql"},
		"No_folder":  {fstest.MapFS{}, "read migrations"},
	} {
		t.Run("Files_with_"+name, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.Empty(t)
			_, err := pgdb.MigrateFrom(t.Context(), pool, test.files)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()

	t.Run("Says_what_is_applied_and_what_is_pending", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		status, err := pgdb.StatusFrom(t.Context(), pool, both())
		require.NoError(t, err)
		require.Len(t, status.Pending(), len(status.Migrations), "all of an empty database's")
		require.Equal(t, pgdb.SourceRiver, status.Migrations[0].Source)
		require.False(t, exists(t, pool, "public.schema_migrations"), "reading changes nothing")

		_, err = pgdb.MigrateFrom(t.Context(), pool, one())
		require.NoError(t, err)
		status, err = pgdb.StatusFrom(t.Context(), pool, both())
		require.NoError(t, err)
		require.Equal(t, map[string]pgdb.State{"first": pgdb.StateApplied, "second": pgdb.StatePending}, states(status))
		require.Len(t, status.Pending(), 1)
		for _, m := range status.Migrations {
			require.Equal(t, m.State == pgdb.StateApplied, m.AppliedAt != nil, m)
		}
	})

	t.Run("Not_ready_while_one_of_ours_is_pending", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		_, err := pgdb.MigrateFrom(t.Context(), pool, one())
		require.NoError(t, err)
		require.NoError(t, pgdb.ReadyFrom(t.Context(), pool, one()))
		require.ErrorContains(t, pgdb.ReadyFrom(t.Context(), pool, both()), "the first is migration 0002_second")
	})

	t.Run("Not_ready_while_one_of_River's_is_pending", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.New(t)
		_, err := pool.Exec(t.Context(), `
			DELETE FROM river.river_migration
			WHERE version = (SELECT max(version) FROM river.river_migration)`)
		require.NoError(t, err)
		require.ErrorContains(t, pgdb.Ready(t.Context(), pool), "the first is River's migration")
	})

	t.Run("Not_ready_without_a_database", func(t *testing.T) {
		t.Parallel()
		pool, err := pgdb.Open(t.Context(), pgdb.Config{URL: pgtest.EmptyURL(t)})
		require.NoError(t, err)
		pool.Close()
		require.Error(t, pgdb.Ready(t.Context(), pool))
	})
}

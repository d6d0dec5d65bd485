package pgdb_test

import (
	"io/fs"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
)

// answering makes a function that answers n.
func answering(name, n string) []string {
	return []string{"functions/" + name + ".sql", "CREATE OR REPLACE FUNCTION " + name + "() RETURNS int LANGUAGE sql AS 'SELECT " + n + "'"}
}

// withFunctions adds functions to one migration.
func withFunctions(pairs ...[]string) fs.FS {
	all := append([]string{}, first...)
	for _, pair := range pairs {
		all = append(all, pair...)
	}
	return files(all...)
}

func answer(t *testing.T, pool *pgxpool.Pool, function string) (n int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT "+function+"()").Scan(&n))
	return n
}

func TestFunctions(t *testing.T) {
	t.Parallel()

	migrate := func(t *testing.T, pool *pgxpool.Pool, files fs.FS) []string {
		t.Helper()
		applied, err := pgdb.MigrateFrom(t.Context(), pool, files)
		require.NoError(t, err)
		return ours(applied)
	}

	t.Run("Applied_again_only_when_the_file_changes", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		require.Equal(t, []string{"first", "a", "b"}, migrate(t, pool, withFunctions(answering("a", "1"), answering("b", "1"))))
		require.Empty(t, migrate(t, pool, withFunctions(answering("a", "1"), answering("b", "1"))))

		changed := withFunctions(answering("a", "1"), answering("b", "2"))
		require.ErrorContains(t, pgdb.ReadyFrom(t.Context(), pool, changed), "the first is function b")
		status, err := pgdb.StatusFrom(t.Context(), pool, changed)
		require.NoError(t, err)
		require.Equal(t, map[string]pgdb.State{"first": pgdb.StateApplied, "a": pgdb.StateApplied, "b": pgdb.StatePending}, states(status))
		require.Equal(t, []string{"b"}, migrate(t, pool, changed))
		require.Equal(t, 2, answer(t, pool, "b"))
		require.NoError(t, pgdb.ReadyFrom(t.Context(), pool, changed))
	})

	t.Run("Older_binary_does_not_put_back_what_a_newer_one_replaced", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		older := withFunctions(answering("a", "1"), answering("b", "1"))
		migrate(t, pool, older)
		migrate(t, pool, withFunctions(answering("a", "1"), answering("b", "2"), answering("c", "2")))
		_, err := pgdb.MigrateFrom(t.Context(), pool, older)
		require.ErrorContains(t, err, "the database is newer than this binary: it has function b")
		require.Equal(t, 2, answer(t, pool, "b"))
		require.NoError(t, pgdb.ReadyFrom(t.Context(), pool, older), "the old version goes on serving during a roll-out")
	})

	t.Run("Older_binary_is_known_by_a_migration_it_lacks", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		migrate(t, pool, files(append(append(append([]string{}, first...), second...), answering("a", "2")...)...))
		older := withFunctions(answering("a", "1"))
		_, err := pgdb.MigrateFrom(t.Context(), pool, older)
		require.ErrorContains(t, err, "it has migration 0002_second")
		require.NoError(t, pgdb.ReadyFrom(t.Context(), pool, older))
		require.Equal(t, 2, answer(t, pool, "a"))
	})

	t.Run("One_of_several_goes_back_to_an_earlier_text", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		migrate(t, pool, withFunctions(answering("a", "1"), answering("b", "1")))
		migrate(t, pool, withFunctions(answering("a", "2"), answering("b", "2")))
		require.Equal(t, []string{"a", "b"}, migrate(t, pool, withFunctions(answering("a", "1"), answering("b", "3"))))
		require.Equal(t, 1, answer(t, pool, "a"))
	})

	t.Run("Come_with_the_last_migration_as_one_commit", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		broken := files(append(append(append([]string{}, first...), second...), "functions/a.sql", "CREATE FUNCTION a();")...)
		applied, err := pgdb.MigrateFrom(t.Context(), pool, broken)
		require.ErrorContains(t, err, "apply function a: ")
		require.Equal(t, []string{"first"}, ours(applied))
		require.True(t, exists(t, pool, "public.one"))
		require.False(t, exists(t, pool, "public.two"), "a migration without its functions is not there")
	})

	t.Run("Dropped_by_a_migration_and_made_again_later", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		drop := []string{"0002_drop.sql", "DROP FUNCTION a();"}
		migrate(t, pool, withFunctions(answering("a", "1"), answering("b", "1")))
		require.Equal(t, []string{"drop"}, migrate(t, pool, withFunctions(drop, answering("b", "1"))))
		require.Equal(t, []string{"a"}, migrate(t, pool, withFunctions(drop, answering("a", "1"), answering("b", "1"))))
		require.Equal(t, 1, answer(t, pool, "a"))
	})

	t.Run("What_one_needs_comes_before_it", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		view := []string{"functions/a_view.sql", "-- needs: z\nCREATE OR REPLACE VIEW a_view AS SELECT z() AS n"}
		early := []string{"functions/b.sql", "CREATE OR REPLACE FUNCTION b() RETURNS int LANGUAGE sql AS 'SELECT z() + 1'"}
		require.Equal(t, []string{"first", "z", "a_view", "b"}, migrate(t, pool, withFunctions(view, early, answering("z", "3"))))
		require.Equal(t, 4, answer(t, pool, "b"))
	})

	for name, test := range map[string]struct {
		text, want string
	}{
		"unknown need": {"-- needs: z\nSELECT 1", `"z" is needed and not there`},
		"own need":     {"-- needs: a\nSELECT 1", `"a" needs itself`},
	} {
		t.Run("Refused_with_"+name, func(t *testing.T) {
			t.Parallel()
			_, err := pgdb.MigrateFrom(t.Context(), pgtest.Empty(t), withFunctions([]string{"functions/a.sql", test.text}))
			require.ErrorContains(t, err, test.want)
		})
	}

	t.Run("Waits_for_those_who_write_jobs_before_it_locks_anything", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.New(t)
		_, err := pool.Exec(t.Context(), `DELETE FROM schema_functions WHERE name = 'towpath_gate'`)
		require.NoError(t, err)
		done := make(chan error, 1)
		err = pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `LOCK TABLE river.river_job IN ROW EXCLUSIVE MODE`); err != nil {
				return err
			}
			go func() {
				_, err := pgdb.Migrate(t.Context(), pool)
				done <- err
			}()
			require.Eventually(t, func() bool { return lockWaiters(t, pool) == 1 }, patience, tick)
			_, err := tx.Exec(t.Context(), `LOCK TABLE bindings, sync_runs IN ROW EXCLUSIVE MODE`)
			return err // no deadlock: the migration has none of them yet
		})
		require.NoError(t, err)
		require.NoError(t, <-done)
	})
}

// lockWaiters counts the sessions of pool's database that wait for a table.
func lockWaiters(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), `
		SELECT count(*)
		FROM pg_locks
		WHERE locktype = 'relation' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&n))
	return n
}

package pgtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
)

// uses is what a database and the server process behind its first connection are called.
type uses struct {
	name string
	pid  int
}

// use runs f as a test of its own on one connection, and tells what served it.
func use(t *testing.T, f func(t *testing.T, conn *pgx.Conn)) (was uses) {
	t.Helper()
	require.True(t, t.Run("use", func(t *testing.T) {
		conn, err := pgdb.Connect(t.Context(), pgdb.Config{URL: pgtest.URL(t)})
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT current_database(), pg_backend_pid()").Scan(&was.name, &was.pid))
		f(t, conn)
	}))
	return was
}

func exec(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), statement)
	require.NoError(t, err)
}

func text(t *testing.T, conn *pgx.Conn, question string) (answer string) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), question).Scan(&answer))
	return answer
}

// Not parallel: the database that one test gives back is the next one's.
func TestReuse(t *testing.T) {
	t.Run("The_next_test_has_the_connection_and_sees_nothing_of_the_last", func(t *testing.T) {
		const tenant = "INSERT INTO tenants (id, name, magento_url, api_key_sealed, connection_status) VALUES (gen_random_uuid(), 'x', 'https://shop.example', '', 'active')"
		first := use(t, func(t *testing.T, conn *pgx.Conn) {
			exec(t, conn, tenant)
			exec(t, conn, "INSERT INTO worker_processes (client_id) VALUES ('x')")
			exec(t, conn, "SET work_mem = '1MB'")
			exec(t, conn, "LISTEN news")
			exec(t, conn, "PREPARE mine AS SELECT 1")
			exec(t, conn, "CREATE TEMP TABLE mine (n int)")
			exec(t, conn, "SELECT pg_advisory_lock(7)")
		})
		second := use(t, func(t *testing.T, conn *pgx.Conn) {
			require.Equal(t, "0", text(t, conn, "SELECT count(*)::text FROM tenants"))
			require.Equal(t, "1", text(t, conn, "INSERT INTO worker_processes (client_id) VALUES ('y') RETURNING lock_number::text"), "the sequence begins anew")
			require.NotEqual(t, "1MB", text(t, conn, "SHOW work_mem"))
			require.Equal(t, "0", text(t, conn, "SELECT count(*)::text FROM pg_listening_channels()"))
			require.Equal(t, "0", text(t, conn, "SELECT count(*)::text FROM pg_prepared_statements WHERE name = 'mine'"))
			require.Equal(t, "0", text(t, conn, "SELECT count(*)::text FROM pg_class WHERE relname = 'mine'"))
			require.Equal(t, "0", text(t, conn, "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory'"))
			require.Equal(t, "-1", text(t, conn, "SELECT reltuples::text FROM pg_class WHERE oid = 'tenants'::regclass"), "as new to the planner")
		})
		require.Equal(t, first, second)
	})

	t.Run("A_setting_of_the_database_holds_for_the_next_connection", func(t *testing.T) {
		use(t, func(*testing.T, *pgx.Conn) {}) // leaves a connection
		use(t, func(t *testing.T, conn *pgx.Conn) {
			exec(t, conn, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = %L', current_database(), '1MB'); END $$")
			url := conn.Config().ConnString()
			require.NoError(t, conn.Close(t.Context()))
			next, err := pgdb.Connect(t.Context(), pgdb.Config{URL: url})
			require.NoError(t, err)
			defer next.Close(t.Context())
			require.Equal(t, "1MB", text(t, next, "SHOW work_mem"))
		})
	})

	t.Run("A_setting_that_is_gone_holds_for_nobody", func(t *testing.T) {
		setting := func(conn *pgx.Conn, word string) {
			exec(t, conn, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I "+word+"', current_database()); END $$")
		}
		first := use(t, func(t *testing.T, conn *pgx.Conn) {
			setting(conn, "SET work_mem = ''1MB''")
			under, err := pgdb.Connect(t.Context(), pgdb.Config{URL: conn.Config().ConnString()})
			require.NoError(t, err)
			setting(conn, "RESET work_mem")
			require.Equal(t, "1MB", text(t, under, "SHOW work_mem"), "it began with it")
			require.NoError(t, under.Close(t.Context()))
		})
		second := use(t, func(t *testing.T, conn *pgx.Conn) {
			require.NotEqual(t, "1MB", text(t, conn, "SHOW work_mem"))
			next, err := pgdb.Connect(t.Context(), pgdb.Config{URL: conn.Config().ConnString()})
			require.NoError(t, err)
			defer next.Close(t.Context())
			require.NotEqual(t, "1MB", text(t, next, "SHOW work_mem"))
		})
		require.Equal(t, first.name, second.name, "the database is as new")
	})

	for name, change := range map[string]string{
		"a_trigger_is_new":           "CREATE TRIGGER mine BEFORE UPDATE ON tenants FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
		"a_trigger_is_off":           "ALTER TABLE river.river_job DISABLE TRIGGER USER",
		"a_table_is_new":             "CREATE TABLE mine (n int)",
		"a_table_is_gone":            "DROP TABLE spent_jtis CASCADE",
		"a_column_has_a_default":     "ALTER TABLE tenants ALTER name SET DEFAULT 'x'",
		"a_constraint_is_gone":       "ALTER TABLE tenants DROP CONSTRAINT tenants_pkey CASCADE",
		"a_function_is_new":          "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"a_storage_setting_is_other": "ALTER TABLE tenants SET (autovacuum_enabled = off)",
		"the_database_has_a_setting": "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''1MB''', current_database()); END $$",
		"a_row_of_migrations_is_new": "INSERT INTO river.river_migration (line, version) VALUES ('mine', 1)",
	} {
		t.Run("Not_where_"+name, func(t *testing.T) {
			first := use(t, func(t *testing.T, conn *pgx.Conn) { exec(t, conn, change) })
			second := use(t, func(*testing.T, *pgx.Conn) {})
			require.NotEqual(t, first.name, second.name)
		})
	}

	t.Run("Not_where_a_connection_was_left_open", func(t *testing.T) {
		var open *pgx.Conn
		first := use(t, func(t *testing.T, conn *pgx.Conn) {
			var err error
			open, err = pgx.ConnectConfig(context.Background(), conn.Config())
			require.NoError(t, err)
		})
		require.Error(t, open.Ping(context.Background()), "it was cut off")
		second := use(t, func(*testing.T, *pgx.Conn) {})
		require.NotEqual(t, first.name, second.name)
	})

	t.Run("Not_a_connection_with_something_under_way", func(t *testing.T) {
		first := use(t, func(t *testing.T, conn *pgx.Conn) { exec(t, conn, "BEGIN") })
		second := use(t, func(*testing.T, *pgx.Conn) {})
		require.NotEqual(t, first.pid, second.pid)
	})

	t.Run("An_address_leads_nowhere_after_its_test", func(t *testing.T) {
		var old *pgxpool.Config
		use(t, func(t *testing.T, conn *pgx.Conn) {
			var err error
			old, err = pgxpool.ParseConfig(conn.Config().ConnString())
			require.NoError(t, err)
		})
		_, err := pgx.ConnectConfig(t.Context(), old.ConnConfig)
		require.Error(t, err)
	})

	t.Run("A_question_is_cancelled_as_without_us", func(t *testing.T) {
		use(t, func(t *testing.T, conn *pgx.Conn) {
			asked := make(chan error, 1)
			go func() {
				_, err := conn.Exec(context.Background(), "SELECT pg_sleep(600)")
				asked <- err
			}()
			other, err := pgx.ConnectConfig(t.Context(), conn.Config())
			require.NoError(t, err)
			defer other.Close(context.Background())
			for text(t, other, "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()") != "1" {
				require.NoError(t, t.Context().Err())
			}
			require.NoError(t, conn.PgConn().CancelRequest(t.Context()))
			select {
			case err := <-asked:
				require.ErrorContains(t, err, "57014")
			case <-time.After(30 * time.Second):
				require.Fail(t, "it goes on")
			}
		})
	})
}

package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
)

// primary is a server of the test's own with a schema and a shop.
func primary(t *testing.T) (*pgdb.Private, *pgxpool.Pool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	server, err := pgdb.StartPrivate(ctx, pgdb.Options{BinDir: os.Getenv("PGBIN"), NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	pool, err := pgdb.Open(ctx, pgdb.Config{URL: server.URL("postgres"), MaxConns: 4, ApplicationName: "test"})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pgdb.Migrate(ctx, pool)
	require.NoError(t, err)
	return server, pool
}

// both is one address of two servers, without a word about which to take.
func both(t *testing.T, first, second *pgdb.Private) string {
	t.Helper()
	address, err := url.Parse(first.URL("postgres"))
	require.NoError(t, err)
	other, err := url.Parse(second.URL("postgres"))
	require.NoError(t, err)
	query := address.Query()
	query.Set("host", query.Get("host")+","+other.Query().Get("host"))
	query.Set("port", query.Get("port")+","+other.Query().Get("port"))
	address.RawQuery = query.Encode()
	return address.String()
}

// connected counts the process's connections to a server, and those of them that listen.
func connected(t *testing.T, pool *pgxpool.Pool) (all, listening int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE query LIKE 'LISTEN %')
		FROM pg_stat_activity WHERE application_name = 'towpath'`).Scan(&all, &listening))
	return all, listening
}

// A primary is demoted, and cuts no connection: what a switchover looks like where the
// old one goes on answering.
func Test_A_demoted_server_is_left_for_the_new_primary(t *testing.T) {
	t.Parallel()
	old, oldPool := primary(t)
	fresh, freshPool := primary(t)
	from := paired(t, oldPool)
	from.insert(t, freshPool)
	s := serve(t, both(t, old, fresh), all)
	status, _ := from.webhook(t, s.Addr())
	require.Equal(t, http.StatusAccepted, status)
	require.Eventually(t, func() bool { _, n := connected(t, oldPool); return n > 0 }, time.Minute, 20*time.Millisecond, "River listens")
	n, _ := connected(t, freshPool)
	require.Zero(t, n)

	_, err := oldPool.Exec(t.Context(), "ALTER SYSTEM SET default_transaction_read_only = on")
	require.NoError(t, err)
	_, err = oldPool.Exec(t.Context(), "SELECT pg_reload_conf()")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		status, _ := from.webhook(t, s.Addr())
		return status == http.StatusAccepted && runsOf(t, freshPool) == 1
	}, time.Minute, 50*time.Millisecond, "webhooks are accepted by the new primary")
	require.Eventually(t, func() bool {
		left, _ := connected(t, oldPool)
		_, listening := connected(t, freshPool)
		return left == 0 && listening > 0
	}, time.Minute, 50*time.Millisecond, "nothing stays at the old one, and River listens at the new one")
	require.Eventually(t, func() bool {
		status, _ := ready(t, s)
		return status == http.StatusOK
	}, time.Minute, 50*time.Millisecond)
}

func databaseOf(t *testing.T, pool *pgxpool.Pool) (name string) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT current_database()").Scan(&name))
	return name
}

func runsOf(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM sync_runs").Scan(&n))
	return n
}

func Test_Readyz_is_503_where_the_database_can_only_be_read(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	from := paired(t, pool)
	s := serve(t, pool.Config().ConnString(), all)
	name := databaseOf(t, pool)
	_, err := pool.Exec(t.Context(), "ALTER DATABASE "+name+" SET default_transaction_read_only = on")
	require.NoError(t, err)
	terminate(t, pool)
	require.Eventually(t, func() bool {
		status, failed := ready(t, s)
		return status == http.StatusServiceUnavailable && strings.Contains(failed["database"], "can be read and not written")
	}, time.Minute, 20*time.Millisecond)
	status, _ := from.webhook(t, s.Addr())
	require.Equal(t, http.StatusServiceUnavailable, status)

	// What was read-only for a moment goes on by itself.
	_, err = pool.Exec(t.Context(), "ALTER DATABASE "+name+" RESET default_transaction_read_only")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		status, _ := from.webhook(t, s.Addr())
		is, _ := ready(t, s)
		return status == http.StatusAccepted && is == http.StatusOK
	}, time.Minute, 20*time.Millisecond)
}

// terminate ends every connection of the process to the pool's database.
func terminate(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	require.NoError(t, err)
}

// Where the role may have few connections, webhooks that come at once take turns.
func Test_Few_connections_refuse_no_webhook(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	from := paired(t, pool)
	owner := databaseOf(t, pool) + "_few"
	_, err := pool.Exec(t.Context(), fmt.Sprintf("CREATE ROLE %s LOGIN IN ROLE pg_read_all_data, pg_write_all_data CONNECTION LIMIT 12; GRANT USAGE ON SCHEMA river TO %[1]s", owner))
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = pgtest.Empty(t).Exec(context.Background(), "DROP ROLE "+owner) })
	address, err := url.Parse(pool.Config().ConnString())
	require.NoError(t, err)
	query := address.Query()
	query.Set("user", owner)
	address.RawQuery = query.Encode()
	s := serve(t, address.String(), all)
	var senders sync.WaitGroup
	for n := range 24 {
		senders.Go(func() {
			for deadline := time.Now().Add(time.Minute); ; {
				status, header := from.event(t, s.Addr(), n+1)
				if status == http.StatusAccepted {
					return
				}
				// On a machine that is slow enough a turn takes too long.
				if header.Get("Retry-After") == "" || time.Now().After(deadline) {
					t.Errorf("webhook %d: %d", n, status)
					return
				}
			}
		})
	}
	senders.Wait()
	code, failed := ready(t, s)
	require.Equal(t, http.StatusOK, code, failed)

	_, err = pool.Exec(t.Context(), "ALTER ROLE "+owner+" CONNECTION LIMIT 0")
	require.NoError(t, err)
	terminate(t, pool)
	require.Eventually(t, func() bool {
		status, failed := ready(t, s)
		return status == http.StatusServiceUnavailable && strings.Contains(failed["database"], "CONNECTION LIMIT")
	}, time.Minute, 20*time.Millisecond)
}

// The session's settings are the program's own, whatever the database has.
func Test_Webhooks_that_come_at_once_are_accepted_where_the_default_is_serializable(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	from := paired(t, pool)
	name := databaseOf(t, pool)
	for _, setting := range []string{"default_transaction_isolation = 'serializable'", "search_path = 'river'"} {
		_, err := pool.Exec(t.Context(), "ALTER DATABASE "+name+" SET "+setting)
		require.NoError(t, err)
	}
	s := serve(t, pool.Config().ConnString(), Roles{Ingress: true})
	var senders sync.WaitGroup
	for n := range 24 {
		senders.Go(func() {
			status, _ := from.event(t, s.Addr(), n+1)
			if status != http.StatusAccepted {
				t.Errorf("webhook %d: %d", n, status)
			}
		})
	}
	senders.Wait()
}

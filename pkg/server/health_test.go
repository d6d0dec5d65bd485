package server

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/loopback"
	"towpath/pkg/oauth"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/secret"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var all = Roles{Ingress: true, Worker: true, Dashboard: true}

func boxOf(t *testing.T) *secret.Box {
	t.Helper()
	box, err := secret.ParseKeys("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	require.NoError(t, err)
	return box
}

// serve starts these roles on a database and stops them with the test.
func serve(t *testing.T, url string, roles Roles) *Server {
	t.Helper()
	s, err := Start(t.Context(), Config{
		DatabaseURL: url, Listen: "127.0.0.1:0", BaseURL: "http://127.0.0.1", Box: boxOf(t), Workers: 4,
		Roles: roles, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s
}

type answered struct {
	status int
	header http.Header
	body   string
}

func get(t *testing.T, url string) answered {
	t.Helper()
	return ask(t, http.MethodGet, url)
}

func ask(t *testing.T, method, url string) answered {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	resp, err := loopback.Client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answered{status: resp.StatusCode, header: resp.Header, body: string(body)}
}

// ready asks /readyz and answers the checks that failed.
func ready(t *testing.T, s *Server) (int, map[string]string) {
	t.Helper()
	a := get(t, "http://"+s.Addr()+"/readyz")
	var answer struct {
		Ready  bool
		Checks []Check
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &answer), a.body)
	require.Equal(t, a.status == http.StatusOK, answer.Ready)
	failed := map[string]string{}
	for _, c := range answer.Checks {
		if !c.OK {
			failed[c.Name] = c.Error
		}
	}
	if a.status != http.StatusOK {
		require.NotEmpty(t, a.header.Get("Retry-After"))
	}
	return a.status, failed
}

func Test_A_server_lives_and_is_ready(t *testing.T) {
	t.Parallel()
	s := serve(t, pgtest.URL(t), all)
	require.Equal(t, http.StatusOK, get(t, "http://"+s.Addr()+"/livez").status)
	status, failed := ready(t, s)
	require.Equal(t, http.StatusOK, status, failed)
}

func Test_Readyz_names_pending_migrations(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	s := serve(t, pool.Config().ConnString(), all)
	_, err := pool.Exec(t.Context(), "DELETE FROM schema_migrations")
	require.NoError(t, err)
	status, failed := ready(t, s)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, failed["migrations"], "towpath migrate up")
	require.NotContains(t, failed["migrations"], ".sql")
	require.Equal(t, http.StatusOK, get(t, "http://"+s.Addr()+"/livez").status, "it lives all the same")
}

// A schema that could not be asked for is no reason to migrate.
func Test_Readyz_does_not_blame_the_schema_for_want_of_a_connection(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	s := serve(t, pool.Config().ConnString(), all)
	for range s.pools.pages.Config().MaxConns { // all that the question could have
		conn, err := s.pools.pages.Acquire(t.Context())
		require.NoError(t, err)
		t.Cleanup(conn.Release)
	}
	status, failed := ready(t, s)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.NotContains(t, failed["migrations"], "migrate up")
	require.Contains(t, failed["migrations"], "could not be read")
}

func Test_Readyz_names_a_key_that_does_not_open_what_is_stored(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	box, err := secret.NewBox()
	require.NoError(t, err)
	asked := 0
	now := time.Now()
	h := &readiness{pool: pool, writes: &writable{pool: pool, now: time.Now}, logger: slog.New(slog.DiscardHandler), now: func() time.Time { return now }, said: map[string]bool{},
		secrets: func(ctx context.Context) error { asked++; return oauth.CheckKey(ctx, pool, box) }}
	secrets := func() Check { return h.look(t.Context())[2] }
	require.True(t, secrets().OK)
	_, err = pool.Exec(t.Context(), `INSERT INTO tenants (id, name, magento_url, api_key_sealed)
		VALUES (gen_random_uuid(), 'A', 'https://shop.example', '\x01020304050607')`)
	require.NoError(t, err)
	now = now.Add(2 * readyzKeep)
	require.True(t, secrets().OK)
	require.Equal(t, 1, asked, "not a query for each request")
	now = now.Add(secretsKeep)
	require.Contains(t, secrets().Error, "TOWPATH_SECRET_KEY")
}

func Test_Readyz_names_a_database_that_is_away(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	s := serve(t, url, all)
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	name, other := config.Database, pgtest.Empty(t)
	_, err = other.Exec(t.Context(), "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS false")
	require.NoError(t, err)
	_, err = other.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		status, failed := ready(t, s)
		require.Equal(t, http.StatusServiceUnavailable, status)
		return strings.Contains(failed["database"], "the database does not answer")
	}, time.Minute, 10*time.Millisecond, "what is wrong is named")
	_, err = other.Exec(t.Context(), "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS true")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		status, _ := ready(t, s)
		return status == http.StatusOK
	}, time.Minute, 10*time.Millisecond, "ready again by itself")
}

func Test_Readyz_names_workers_that_stopped(t *testing.T) {
	t.Parallel()
	s := serve(t, pgtest.URL(t), all)
	alive := s.alive
	require.NoError(t, alive())
	s.Stop()
	require.ErrorContains(t, alive(), "the workers have stopped")
}

func Test_Monitors_may_ask_by_HEAD(t *testing.T) {
	t.Parallel()
	s := serve(t, pgtest.URL(t), all)
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/"} {
		whole, head := get(t, "http://"+s.Addr()+path), ask(t, http.MethodHead, "http://"+s.Addr()+path)
		require.Equal(t, whole.status, head.status, path)
		require.Equal(t, whole.header.Get("Content-Type"), head.header.Get("Content-Type"), path)
		require.Empty(t, head.body, path)
	}
}

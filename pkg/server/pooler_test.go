package server

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
)

// bouncer starts a PgBouncer before a database and answers the address.
func bouncer(t *testing.T, pool *pgxpool.Pool, mode string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		t.Skip("NOT TESTED: there is no pgbouncer on this machine (Debian: apt-get install pgbouncer)")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())
	server := pool.Config().ConnConfig
	info, err := os.Stat(server.Host)
	require.NoError(t, err)
	owner := info.Sys().(*syscall.Stat_t)
	dir, err := os.MkdirTemp("", "bouncer") // of which all parents can be entered
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ini := filepath.Join(dir, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(ini, fmt.Appendf(nil, `[databases]
towpath = host=%s port=5432 dbname=%s user=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = 50
`, server.Host, databaseOf(t, pool), server.User, port, mode), 0o644))
	require.NoError(t, os.Chmod(dir, 0o755))
	cmd := exec.Command(program, ini)
	if os.Geteuid() == 0 { // it does not run as root
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
	}
	out, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	url := fmt.Sprintf("postgres://towpath@127.0.0.1:%d/towpath?sslmode=disable", port)
	require.Eventually(t, func() bool {
		conn, err := pgdb.Connect(t.Context(), pgdb.Config{URL: url})
		if err != nil {
			return false
		}
		return conn.Close(t.Context()) == nil
	}, time.Minute, 20*time.Millisecond, "pgbouncer answers")
	return url
}

func Test_Pooler_in_transaction_mode_is_refused_at_start(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"transaction", "statement"} {
		url := bouncer(t, pgtest.New(t), mode)
		for _, setting := range []string{"", "&default_query_exec_mode=cache_describe", "&default_query_exec_mode=describe_exec"} {
			_, err := Start(t.Context(), Config{
				DatabaseURL: url + setting, Listen: "127.0.0.1:0", BaseURL: "http://127.0.0.1", Box: boxOf(t), Workers: 1,
				Roles: Roles{Ingress: true}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			})
			require.ErrorIs(t, err, pgdb.ErrNoSessions, "%s %s", mode, setting)
		}
	}
}

func Test_Pooler_in_session_mode_serves(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	from := paired(t, pool)
	s := serve(t, bouncer(t, pool, "session"), all)
	for n := range 8 { // one that had to wait too long for a connection is sent again, as a shop does
		require.Eventually(t, func() bool {
			status, _ := from.event(t, s.Addr(), n+1)
			return status == http.StatusAccepted
		}, time.Minute, 10*time.Millisecond)
	}
	status, failed := ready(t, s)
	require.Equal(t, http.StatusOK, status, failed)
	var timeout, path string
	through, err := pgdb.Connect(t.Context(), pgdb.Config{URL: s.cfg.DatabaseURL})
	require.NoError(t, err)
	defer through.Close(t.Context())
	require.NoError(t, through.QueryRow(t.Context(), "SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('search_path')").Scan(&timeout, &path))
	require.Equal(t, []string{"30s", "public"}, []string{timeout, path}, "the settings come through")
}

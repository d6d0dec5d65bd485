package riverjobs_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

// workerURL names the database that this test binary works for when it is
// started once more by itself.
const workerURL = "TOWPATH_TEST_WORKER"

// workUntilKilled is the other process: a worker that knows no end of its own.
// It goes with the test that started it, whose end closes its input.
func workUntilKilled(url string) {
	ctx := context.Background()
	pool := openPool(exits{}, url)
	if place := os.Getenv(workerCrash); place != "" {
		pool = crashingPool(url, place)
	}
	cfg := config(pool, time.Minute)
	process, err := riverjobs.Join(ctx, pgdb.Config{URL: url}, cfg.Logger)
	if err != nil {
		os.Exit(3)
	}
	client, err := riverjobs.NewWorker(pool, process.ID, cfg)
	if err != nil || client.Start(ctx) != nil {
		os.Exit(4)
	}
	go process.Run(ctx)
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(5)
}

// workerCrash names where in a COMMIT the other process dies by its own hand, as by
// SIGKILL: "before" it is sent, or "after" it took effect and nobody was told.
const workerCrash = "TOWPATH_TEST_CRASH"

// crashAt is which COMMIT of a process's transactions it is.
const crashAt = 4

func crashingPool(url, place string) *pgxpool.Pool {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		os.Exit(2)
	}
	cfg.MaxConns = 8
	var commits atomic.Int64
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &crashingConn{Conn: conn, place: place, commits: &commits}, err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		os.Exit(2)
	}
	return pool
}

type crashingConn struct {
	net.Conn
	place   string
	commits *atomic.Int64
	dies    atomic.Bool
}

func (c *crashingConn) Write(p []byte) (int, error) {
	if bytes.Contains(bytes.ToLower(p), []byte("commit\x00")) && c.commits.Add(1) == crashAt {
		if c.place == "before" {
			die()
		}
		c.dies.Store(true)
	}
	return c.Conn.Write(p)
}

// Read waits for the answer, so that the commit is certainly done.
func (c *crashingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.dies.Load() {
		die()
	}
	return n, err
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// exits is a require.TestingT of a process that is no test.
type exits struct{}

func (exits) Errorf(string, ...any) {}
func (exits) FailNow()              { os.Exit(2) }

// startProcess starts the other process; kill is SIGKILL.
func startProcess(t *testing.T, url string, env ...string) (kill func()) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), workerURL+"="+url), env...)
	input, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = input.Close()
	}
	t.Cleanup(kill)
	return kill
}

func Test_Killed_process(t *testing.T) {
	pgtest.Long(t)
	t.Parallel()
	for _, place := range []string{"before", "after"} {
		t.Run("In_the_commit_of_a_set_"+place+"_it_took_effect_loses_and_doubles_nothing", func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			mismatches := b.sample(t)
			b.raiseMany(t, 60, now)
			startProcess(t, b.url, workerCrash+"="+place)
			eventually(t, func() bool {
				return b.count(t, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 844321
					AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) == 0 &&
					b.count(t, "SELECT count(*) FROM worker_processes") == 1 &&
					b.count(t, "SELECT count(*) FROM river.river_job WHERE attempt > 0") > 0
			}, "the other process has died in a commit")
			require.Positive(t, b.count(t, "SELECT count(*) FROM river.river_job WHERE state = 'running'"), "it had jobs")
			b.work(t)
			require.Equal(t, map[string]int{syncrun.Succeeded: 60}, b.allTold(t))
			mismatches()
			b.eachOnce(t, 60)
		})
	}
	for name, how := range map[string]fault{"before_the_call_took_effect": hang, "after_the_call_took_effect": tookHang} {
		for _, operation := range []string{"contact", "invoice"} {
			t.Run("At_the_"+operation+"_"+name+"_is_followed_within_seconds", func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				b.ledger.inject(operation, how)
				kill := startProcess(t, b.url)
				_, id := b.raise(t, "plain_vat")
				eventually(t, func() bool {
					return b.ledger.calls(operation) == 1 && (how == hang || b.made(operation) == 1)
				}, "the other process calls the ledger")
				kill()
				killed := time.Now()
				b.work(t)
				run := b.onceTold(t, id, syncrun.Succeeded)
				t.Logf("told %s after the kill", time.Since(killed).Round(100*time.Millisecond))
				require.Less(t, time.Since(killed), 30*time.Second) // seconds, on a machine that does other things too
				require.Len(t, b.ledger.documents(), 1)
				require.Equal(t, 1, b.ledger.contacts())
				require.Equal(t, 2, b.job(t, "post_invoice", run.ID).Attempt)
			})
		}
	}
}

package riverjobs_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
	cfg := config(pool, time.Minute)
	process, err := riverjobs.Join(ctx, url, cfg.Logger)
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

// exits is a require.TestingT of a process that is no test.
type exits struct{}

func (exits) Errorf(string, ...any) {}
func (exits) FailNow()              { os.Exit(2) }

// startProcess starts the other process; kill is SIGKILL.
func startProcess(t *testing.T, url string) (kill func()) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), workerURL+"="+url)
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
	t.Parallel()
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

package main

import (
	"bytes"
	"cmp"
	"flag"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/loopback"
	"towpath/pkg/pgdb/pgtest"
)

// asProcess makes this test binary be towpath: see TestMain. Under the race detector
// the processes are under it too.
const asProcess = "TOWPATH_TEST_AS_PROCESS"

// TestMain lets more tests run at once than there are processors: they mostly wait.
func TestMain(m *testing.M) {
	if os.Getenv(asProcess) != "" {
		main()
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	pgtest.Main(m)
}

// towpath is this binary as the program, with its environment.
func towpath(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	itself, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(itself, args...)
	cmd.Env = append(os.Environ(), asProcess+"=1")
	return cmd
}

// process is towpath running by itself.
type process struct {
	cmd  *exec.Cmd
	base string // of a serve process

	mu  sync.Mutex
	out bytes.Buffer // both streams
	end chan struct{}
}

// Write takes the process's output.
func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(text)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// start starts a command as a process; it is killed with the test.
func (d *desk) start(t *testing.T, args ...string) *process {
	t.Helper()
	return d.startWith(t, nil, args...)
}

// startWith also hands it files, as systemd does sockets: the shell knows the process's
// id before it becomes towpath.
func (d *desk) startWith(t *testing.T, files []*os.File, args ...string) *process {
	t.Helper()
	program := cmp.Or(d.binary, towpath(t).Path)
	words := append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, program}, args...)
	p := &process{cmd: exec.Command("sh", words...), end: make(chan struct{})}
	p.cmd.ExtraFiles = files
	p.cmd.Env = append(d.environment(), asProcess+"=1")
	p.cmd.Stdout, p.cmd.Stderr = p, p
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.end)
		_ = p.cmd.Wait() // the state says how it ended
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.end
	})
	return p
}

// serveProcess starts serve and waits until it is ready.
func (d *desk) serveProcess(t *testing.T, args ...string) *process {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	p := d.start(t, append([]string{"serve", "--listen", address}, args...)...)
	p.base = "http://" + address
	until(t, "serve is ready", func() bool {
		require.False(t, p.ended(), p.output())
		resp, err := loopback.Client.Get(p.base + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	if d.shop != nil {
		d.shop.Connect(d.tenant, d.key, p.base)
	}
	return p
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(s))
}

func (p *process) ended() bool {
	select {
	case <-p.end:
		return true
	default:
		return false
	}
}

// wait answers the exit code.
func (p *process) wait(t *testing.T, most time.Duration) int {
	t.Helper()
	select {
	case <-p.end:
	case <-time.After(most):
		require.Fail(t, "it does not end", "after %s: %s", most, p.output())
	}
	return p.cmd.ProcessState.ExitCode()
}

func Test_A_process_ends_with_the_commands_exit_code(t *testing.T) {
	t.Parallel()
	d := &desk{env: map[string]string{}}
	require.Equal(t, exitDone, d.start(t, "--help").wait(t, time.Minute))
	require.Equal(t, exitUsage, d.start(t, "tenant", "list").wait(t, time.Minute))
	failed := d.start(t, "tenant", "list", "--database-url", "postgres://u@127.0.0.1:1/none")
	require.Equal(t, exitFailed, failed.wait(t, time.Minute))
	require.True(t, strings.HasPrefix(failed.output(), "towpath: open database: "), failed.output())
}

package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/provider/xero/xerosim"
)

// unit is what systemd keeps of a service while its processes come and go.
type unit struct {
	socket *os.File
	base   string
	notify string
	told   chan string // by sd_notify, a line each
}

func newUnit(t *testing.T) *unit {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	u := &unit{base: "http://" + listener.Addr().String(), notify: filepath.Join(t.TempDir(), "notify"), told: make(chan string, 10_000)}
	u.socket, err = listener.(*net.TCPListener).File()
	require.NoError(t, err)
	t.Cleanup(func() { _ = u.socket.Close() })
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: u.notify, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			for _, line := range strings.Split(string(buffer[:n]), "\n") {
				u.told <- line
			}
		}
	}()
	return u
}

// start starts serve as systemd does, and waits until it says that it is ready.
func (u *unit) start(t *testing.T, d *desk, watchdog time.Duration) *process {
	t.Helper()
	p := d.with(map[string]string{
		"LISTEN_FDS": "1", "NOTIFY_SOCKET": u.notify, "WATCHDOG_USEC": strconv.FormatInt(watchdog.Microseconds(), 10),
	}).startWith(t, []*os.File{u.socket}, "serve")
	u.await(t, p, "READY=1")
	return p
}

// await waits until the process tells systemd that.
func (u *unit) await(t *testing.T, p *process, want string) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		select {
		case line := <-u.told:
			if strings.HasPrefix(line, want) {
				return
			}
		case <-deadline:
			require.Fail(t, "not told", "%s: %s", want, p.output())
		}
	}
}

func Test_A_restart_under_systemd_refuses_nothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	u := newUnit(t)
	first := u.start(t, d, 3*time.Second)
	u.await(t, first, "WATCHDOG=1")

	// It has a job at a call while it is told to stop: until that has ended it takes in
	// what comes.
	letGo := make(chan struct{})
	d.xero.Inject(xerosim.Fault{Operation: "PUT /Invoices", When: xerosim.Before, Hang: letGo})
	d.shop.Connect(d.tenant, d.key, u.base)
	d.shop.RaiseInvoice(demo.Cart())
	run := d.send(t)
	until(t, "the call", func() bool { return d.xero.Calls("PUT /Invoices") == 1 })
	first.signal(t, syscall.SIGTERM)
	u.await(t, first, "STOPPING=1")

	var accepted atomic.Int64
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for id := int64(1000); ; id++ {
			status, _ := d.webhook(t, u.base, id)
			if status != http.StatusAccepted {
				t.Errorf("webhook %d was answered %d", id, status)
				return
			}
			accepted.Add(1)
			select {
			case <-end:
				return
			default:
			}
		}
	}()
	until(t, "accepted while stopping", func() bool { return accepted.Load() >= 5 })
	require.False(t, first.ended(), "it waits for the job")
	close(letGo)
	require.Equal(t, exitDone, first.wait(t, time.Minute), first.output())
	require.Equal(t, "succeeded", d.status(t, run))

	before := accepted.Load()
	second := u.start(t, d, 3*time.Second)
	until(t, "accepted by the next", func() bool { return accepted.Load() >= before+5 })
	close(end)
	<-ended
	var runs int64
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT count(*) FROM sync_runs").Scan(&runs))
	require.Equal(t, 1+accepted.Load(), runs, "none lost, none twice: %s", second.output())
}

func Test_Secrets_come_as_credentials_of_systemd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, value := range map[string]string{"towpath_secret_key": testKey + "\n", "towpath_admin_password": adminPassword, "towpath_database_url": "postgres://towpath:open-sesame@db.example/towpath"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(value), 0o400))
	}
	d := &desk{env: map[string]string{"CREDENTIALS_DIRECTORY": dir}}
	var view configView
	d.mustJSON(t, &view, "config", "check")
	from := map[string]string{}
	for _, s := range view.Settings {
		from[s.Name] = s.From
	}
	require.Equal(t, "credential towpath_secret_key", from["TOWPATH_SECRET_KEY"])
	require.Equal(t, "credential towpath_admin_password", from["TOWPATH_ADMIN_PASSWORD"])
	require.Equal(t, "credential towpath_database_url", from["DATABASE_URL"])
	require.Equal(t, "default", from["TOWPATH_LISTEN"], "one that is not there is not set")

	// What is said closer wins, and an empty one is a mistake.
	d.env["TOWPATH_SECRET_KEY"] = testKey
	require.Contains(t, d.must(t, "config", "check"), "environment")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "towpath_admin_password"), nil, 0o400))
	empty := d.run(t, "config", "check")
	require.Equal(t, exitUsage, empty.code)
	require.Contains(t, empty.err, "credential towpath_admin_password")
}

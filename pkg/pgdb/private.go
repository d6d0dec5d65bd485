//go:build unix

package pgdb

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Options says how to start a private server. The zero value is right for the
// demo.
type Options struct {
	BinDir         string       // folder of initdb and postgres; "" = look for them, fetch them where there are none
	CacheDir       string       // where fetched programs are kept; "" = the user's cache folder
	DataRoot       string       // where the server's folder is made; "" = /dev/shm if it has a GiB free, else the temporary folder
	MaxConnections int          // 0 = 200
	NoSync         bool         // no fsync: faster, for data that may be lost with the machine
	Logger         *slog.Logger // nil = silent
}

func (o Options) withDefaults() Options {
	if o.DataRoot == "" {
		o.DataRoot = dataRoot()
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 200
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	if o.MaxConnections < 10 {
		return fmt.Errorf("max connections %d: must be at least 10", o.MaxConnections)
	}
	return nil
}

const (
	superuser   = "towpath"
	maxSocket   = 100 // bytes of a socket's path; systems allow 104 to 108
	startTime   = 60 * time.Second
	quitTime    = 10 * time.Second // Postgres itself kills its processes after 5 s
	groupTime   = 3 * time.Second  // for what initdb leaves running when it is killed
	cleanupTime = 10 * time.Second
)

// Private is a running server of this process's own.
type Private struct {
	dir    string
	user   *syscall.Credential // whom the server runs as; nil = as this process
	owner  *os.File            // the lock that tells the living from the dead
	watch  *watcher
	server *exec.Cmd
	exited <-chan struct{}
	binDir string // what it was started with
	opts   Options
	stop   sync.Once
	stopBy error
}

// StartPrivate starts a server with an empty cluster and returns when it
// answers. ctx bounds the start only. First it removes what servers of dead
// processes left behind. Any number can run beside each other.
func StartPrivate(ctx context.Context, opts Options) (*Private, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("start private postgres: %w", err)
	}
	binDir, err := serverPrograms(ctx, opts)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	sweep(opts.DataRoot, opts.Logger)
	p := &Private{}
	if err := p.start(ctx, binDir, opts); err != nil {
		_ = p.Stop() // the reason why it did not start is the better error
		return nil, fmt.Errorf("start private postgres: %w", err)
	}
	return p, nil
}

// start goes step by step; after any of them Stop takes back what was done, and
// if the process dies there, the watcher or the next sweep does.
func (p *Private) start(ctx context.Context, binDir string, opts Options) error {
	p.binDir, p.opts = binDir, opts
	var err error
	if p.user, err = serverUser(); err != nil {
		return err
	}
	if err := p.claimDir(opts.DataRoot); err != nil {
		return err
	}
	if p.watch, err = watch(p.dir); err != nil {
		return err
	}
	if err := p.initdb(ctx, binDir, opts); err != nil {
		return err
	}
	if err := p.serve(binDir, opts); err != nil {
		return err
	}
	return p.waitReady(ctx)
}

func (p *Private) dataDir() string   { return filepath.Join(p.dir, "data") }
func (p *Private) socketDir() string { return filepath.Join(p.dir, "run") }
func (p *Private) logFile() string   { return filepath.Join(p.dir, "server.log") }

// URL returns the address of one of the server's databases; "postgres" is
// there from the start.
func (p *Private) URL(dbname string) string {
	address := url.URL{Scheme: "postgres", Path: "/" + dbname, RawQuery: url.Values{
		"host":    {p.socketDir()},
		"port":    {"5432"}, // part of the socket's name; said here so that PGPORT has no say
		"user":    {superuser},
		"sslmode": {"disable"},
	}.Encode()}
	return address.String()
}

// Program is where another of Postgres's programs would be, beside the server's own; one
// that was fetched has few.
func (p *Private) Program(name string) string { return filepath.Join(p.binDir, name) }

// Exited is closed when the server is gone, stopped or not.
func (p *Private) Exited() <-chan struct{} { return p.exited }

// Stop takes the server down at once, breaking open connections, and removes
// its files. It may be called again, from anywhere.
func (p *Private) Stop() error {
	p.stop.Do(func() { p.stopBy = p.takeDown() })
	return p.stopBy
}

func (p *Private) takeDown() error {
	if p.server != nil {
		p.quit()
	}
	var err error
	if p.dir != "" {
		err = os.RemoveAll(p.dir)
	}
	if p.watch != nil {
		p.watch.release()
	}
	if p.owner != nil {
		p.owner.Close()
	}
	if err != nil {
		return fmt.Errorf("remove private postgres: %w", err)
	}
	return nil
}

// Crash ends the server at once, as pg_ctl stop -m immediate does, and starts it
// again on the same data: what was committed is recovered. Not with NoSync, and not
// beside Stop or another Crash.
func (p *Private) Crash(ctx context.Context) error {
	p.quit()
	if err := p.serve(p.binDir, p.opts); err != nil {
		return err
	}
	return p.waitReady(ctx)
}

// quit asks for Postgres's immediate shutdown: nothing need be written. A server that does not obey is killed.
func (p *Private) quit() {
	_ = p.server.Process.Signal(syscall.SIGQUIT) // an error means that it is gone
	select {
	case <-p.exited:
	case <-time.After(quitTime):
		_ = p.server.Process.Kill()
		<-p.exited
	}
}

// initdb makes the cluster. Access is by the folder's permissions: whoever can
// reach the socket is trusted.
//
// Where ctx ends before it is done, initdb alone is asked to end. It does so
// after the step under way, with the server program of that step ended in good
// order: killed, or with its files removed under it, that program would leave
// its shared memory segment behind for good.
func (p *Private) initdb(ctx context.Context, binDir string, opts Options) error {
	args := []string{"-D", p.dataDir(), "-U", superuser, "--auth=trust", "--encoding=UTF8", "--locale=C"}
	if opts.NoSync {
		args = append(args, "--no-sync")
	}
	out, err := os.Create(filepath.Join(p.dir, "initdb.log"))
	if err != nil {
		return fmt.Errorf("make log: %w", err)
	}
	defer out.Close()
	cmd := p.command(ctx, filepath.Join(binDir, "initdb"), args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = quitTime // then it is killed
	dieWithParent(cmd.SysProcAttr, syscall.SIGTERM)
	exited, err := startPinned(cmd)
	if err != nil {
		return fmt.Errorf("run initdb: %w", err)
	}
	<-exited
	waitGroup(cmd.Process.Pid, groupTime)
	if ctx.Err() != nil {
		return fmt.Errorf("run initdb: %w", ctx.Err())
	}
	if !cmd.ProcessState.Success() {
		return fmt.Errorf("run initdb: %s: %s", cmd.ProcessState, fileTail(out.Name()))
	}
	return nil
}

func (p *Private) serve(binDir string, opts Options) error {
	settings := []string{
		"listen_addresses=",
		"unix_socket_directories=" + p.socketDir(),
		"max_connections=" + strconv.Itoa(opts.MaxConnections),
		"timezone=UTC",
		"dynamic_shared_memory_type=mmap", // in the folder, and so gone with it even if the server is killed
	}
	if opts.NoSync {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	args := []string{"-D", p.dataDir()}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	out, err := os.Create(p.logFile())
	if err != nil {
		return fmt.Errorf("make log: %w", err)
	}
	defer out.Close()
	// Not ctx: the server outlives the start.
	cmd := p.command(context.Background(), filepath.Join(binDir, "postgres"), args...)
	cmd.Stdout, cmd.Stderr = out, out
	dieWithParent(cmd.SysProcAttr, syscall.SIGQUIT)
	exited, err := startPinned(cmd)
	if err != nil {
		return fmt.Errorf("run postgres: %w", err)
	}
	p.server, p.exited = cmd, exited
	return nil
}

// command prepares a server program: as the server's user, in a folder that
// this user may enter, without this process's environment (PGDATA, PGPORT and
// their like would have a say), and in its own process group: Ctrl-C is for
// this process, which takes the server down last.
func (p *Private) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = p.dir
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.user}
	return cmd
}

// fileTail returns the end of a log as one line.
func fileTail(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > 4096 {
		_, _ = file.Seek(-4096, io.SeekEnd) // at worst the whole file is read
	}
	text, _ := io.ReadAll(file)
	return oneLine(string(text))
}

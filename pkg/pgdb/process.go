//go:build unix

package pgdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// serverPrograms finds the programs, or fetches them.
func serverPrograms(ctx context.Context, opts Options) (string, error) {
	binDir, err := systemFinder().find(opts.BinDir)
	if !errors.Is(err, ErrNoPrograms) {
		return binDir, err
	}
	cache := opts.CacheDir
	if cache == "" {
		if cache, err = cacheDir(); err != nil {
			return "", err
		}
	}
	npm, _ := exec.LookPath("npm")
	return fetcher{cacheDir: cache, npm: npm, log: opts.Logger}.fetch(ctx)
}

// cacheDir is where fetched programs stay. What root fetches is run as another
// user, who cannot enter root's home.
func cacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/towpath", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache folder: %w", err)
	}
	return filepath.Join(dir, "towpath"), nil
}

// serverUser is whom the server runs as where this process is root: Postgres
// refuses to run as root. nil means as this process.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("root cannot run Postgres, and there is no user postgres or nobody to run it as")
}

// startPinned starts cmd and waits for it on one thread that lives as long as
// the program: the kernel sends Pdeathsig when the thread that made the program
// ends, not when the process does. The channel is closed after cmd.Wait.
func startPinned(cmd *exec.Cmd) (<-chan struct{}, error) {
	started, exited := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // cmd.ProcessState has it
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return exited, nil
}

// waitGroup waits until no process of a group is left, at most for the time
// given: what the program that led the group left running ends by itself, since
// nobody speaks to it any more.
func waitGroup(leader int, atMost time.Duration) {
	again, end := time.NewTicker(5*time.Millisecond), time.After(atMost)
	defer again.Stop()
	for syscall.Kill(-leader, 0) == nil {
		select {
		case <-again.C:
		case <-end:
			_ = syscall.Kill(-leader, syscall.SIGKILL) // its files are removed next
			return
		}
	}
}

// waitReady returns when the server answers a connection.
func (p *Private) waitReady(ctx context.Context) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := pgconn.Connect(ctx, p.URL("postgres"))
		if err == nil {
			_ = conn.Close(ctx) // it answered
			return nil
		}
		select {
		case <-again.C:
		case <-p.exited:
			return fmt.Errorf("run postgres: %s: %s", p.server.ProcessState, fileTail(p.logFile()))
		case <-ctx.Done():
			return fmt.Errorf("wait for postgres: %w: %s", ctx.Err(), fileTail(p.logFile()))
		}
	}
}

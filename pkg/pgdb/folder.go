//go:build unix

package pgdb

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	folderPrefix = "towpath-pg-"
	ownerFile    = "owner.lock"
	// unclaimedTime is how long a folder may be without its lock: between
	// making it and locking it.
	unclaimedTime = 10 * time.Minute
)

// claimDir makes the server's folder and locks it for this process's life. The
// server's user owns data and socket folder; of others only root gets in.
func (p *Private) claimDir(root string) error {
	dir, err := os.MkdirTemp(root, folderPrefix+"*")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	p.dir = dir
	if socket := filepath.Join(p.socketDir(), ".s.PGSQL.5432"); len(socket) > maxSocket {
		return fmt.Errorf("socket path %q is too long: set TMPDIR to a shorter folder", socket)
	}
	if p.owner, err = tryLock(filepath.Join(dir, ownerFile), os.O_CREATE|os.O_EXCL); err != nil {
		return err
	}
	for _, sub := range []string{p.dataDir(), p.socketDir()} {
		if err := os.Mkdir(sub, 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	if p.user == nil {
		return nil
	}
	return errors.Join(
		os.Chown(dir, -1, int(p.user.Gid)),
		os.Chmod(dir, 0o710),
		os.Chown(p.dataDir(), int(p.user.Uid), int(p.user.Gid)),
		os.Chown(p.socketDir(), int(p.user.Uid), int(p.user.Gid)),
	)
}

// watcher is a shell that waits for this process's end, of whatever kind, and
// then takes the server down and removes its folder. It hears of the end
// through a pipe that only this process holds.
type watcher struct {
	shell *exec.Cmd
	pipe  *os.File
}

// watchScript asks a server to quit. A negative process id is that of a program
// which initdb runs: initdb was told by the kernel, so this one ends by itself,
// and its files stay until it has.
const watchScript = `read -r _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
tries=0
case $pid in
-*) while kill -0 "${pid#-}" 2>/dev/null && [ $tries -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done ;;
?*) kill -QUIT "$pid" ;;
esac
tries=0
until rm -rf "$1" 2>/dev/null || [ $tries -ge 100 ]; do tries=$((tries + 1)); sleep 0.1; done`

func watch(dir string) (*watcher, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("watch over server: %w", err)
	}
	defer read.Close()
	shell := exec.Command("/bin/sh", "-c", watchScript, "towpath-watch", dir)
	shell.Dir = "/"
	shell.Env = []string{"PATH=/usr/bin:/bin"}
	shell.Stdin = read
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := shell.Start(); err != nil {
		write.Close()
		return nil, fmt.Errorf("watch over server: %w", err)
	}
	return &watcher{shell: shell, pipe: write}, nil
}

// release ends the watch after the server was taken down properly.
func (w *watcher) release() {
	w.pipe.Close()
	_ = w.shell.Wait() // it has nothing to remove
}

// sweep removes the folders of servers whose process is dead, which is rare:
// the watcher was killed too. What cannot be swept is no reason not to start.
func sweep(root string, log *slog.Logger) {
	dirs, _ := filepath.Glob(filepath.Join(root, folderPrefix+"*")) // the only error is a bad pattern
	for _, dir := range dirs {
		removed, err := sweepOne(dir)
		if err != nil {
			log.Warn("left a dead server's folder", "folder", dir, "error", err)
		} else if removed {
			log.Info("removed a dead server's folder", "folder", dir)
		}
	}
}

// sweepOne leaves alone what another user owns: its contents cannot be trusted.
func sweepOne(dir string) (removed bool, err error) {
	info, err := os.Lstat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at folder: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(owner.Uid) != os.Geteuid() {
		return false, nil
	}
	lock, err := tryLock(filepath.Join(dir, ownerFile), 0)
	switch {
	case errors.Is(err, errLocked):
		return false, nil
	case errors.Is(err, os.ErrNotExist):
		if time.Since(info.ModTime()) < unclaimedTime {
			return false, nil
		}
	case err != nil:
		return false, err
	default:
		defer lock.Close()
	}
	if err := endServer(dir); err != nil {
		return false, err
	}
	return true, os.RemoveAll(dir)
}

// endServer takes down the server of a dead process's folder. A process id out
// of an old file may by now be anybody's; that of a server which answers on the
// folder's own socket is the server's.
func endServer(dir string) error {
	socket := filepath.Join(dir, "run", ".s.PGSQL.5432")
	deadline := time.Now().Add(cleanupTime)
	for {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return nil
		}
		conn.Close()
		if time.Now().After(deadline) {
			return errors.New("its server does not stop")
		}
		text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
		if err != nil {
			return fmt.Errorf("find its server: %w", err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		pid, err := strconv.Atoi(first)
		if err != nil || pid <= 1 {
			return fmt.Errorf("find its server: process id %q", first)
		}
		_ = syscall.Kill(pid, syscall.SIGQUIT) // asked again until the socket is silent
		time.Sleep(50 * time.Millisecond)
	}
}

//go:build unix

package pgdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// errLocked says that a living process holds the lock.
var errLocked = errors.New("locked by another process")

// tryLock takes the lock file at path, made if need be. The kernel gives it
// back when the returned file is closed or the process ends in any way.
func tryLock(path string, flags int) (*os.File, error) {
	file, err := os.OpenFile(path, flags|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %q: %w", path, err)
	}
	return file, nil
}

// waitForLock takes the lock as soon as nobody else holds it.
func waitForLock(ctx context.Context, path string) (*os.File, error) {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		file, err := tryLock(path, os.O_CREATE)
		if !errors.Is(err, errLocked) {
			return file, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %q: %w", path, ctx.Err())
		case <-again.C:
		}
	}
}

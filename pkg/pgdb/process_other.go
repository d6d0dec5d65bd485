//go:build unix && !linux

package pgdb

import (
	"os"
	"syscall"
)

func dataRoot() string { return os.TempDir() }

// dieWithParent is Linux's; elsewhere the watcher does it alone.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

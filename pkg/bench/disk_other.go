//go:build !linux

package bench

import "os"

// syncData is the nearest that this system has to Linux's fdatasync.
func syncData(file *os.File) error { return file.Sync() }

package bench

import (
	"os"
	"syscall"
)

// syncData is what Postgres does at a commit.
func syncData(file *os.File) error { return syscall.Fdatasync(int(file.Fd())) }

package pgdb

import (
	"os"
	"syscall"
)

// roomForData is what a private cluster may grow to without a second thought.
const roomForData = 1 << 30

// dataRoot prefers memory: there fsync costs nothing.
func dataRoot() string {
	const shm = "/dev/shm"
	var fs syscall.Statfs_t
	if err := syscall.Statfs(shm, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) <= roomForData {
		return os.TempDir()
	}
	probe, err := os.MkdirTemp(shm, "towpath-probe-*")
	if err != nil {
		return os.TempDir() // mounted, but not for us
	}
	_ = os.Remove(probe)
	return shm
}

// dieWithParent makes the kernel send the program a signal when the thread that
// started it ends; see startPinned.
func dieWithParent(attr *syscall.SysProcAttr, signal syscall.Signal) { attr.Pdeathsig = signal }

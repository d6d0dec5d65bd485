package soak

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets no serve process outlive the soak, however that ends.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

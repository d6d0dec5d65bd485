//go:build !linux

package soak

import "os/exec"

// dieWithParent does nothing: a soak that is killed leaves its serve processes behind.
func dieWithParent(*exec.Cmd) {}

//go:build !linux

package pgdb

import "syscall"

// boundUnacknowledged does nothing: keepalives find an idle connection dead, and the
// kernel one that waits to be acknowledged.
func boundUnacknowledged(_, _ string, _ syscall.RawConn) error { return nil }

package pgtest

import (
	"os"
	"testing"
)

// Long skips a test that takes half a minute of processor time or more, unless
// TOWPATH_LONG_TESTS is set: `.ci/run long` runs all of them.
func Long(t testing.TB) {
	t.Helper()
	if os.Getenv("TOWPATH_LONG_TESTS") == "" {
		t.Skip("long: .ci/run long, or TOWPATH_LONG_TESTS=1 go test")
	}
}

//go:build mistakes

package mistake

import "os"

var named = os.Getenv("TOWPATH_MISTAKE")

// Made reports whether this mistake is the one that is asked for.
func Made(name string) bool { return name == named }

// Named is the one that is asked for.
func Named() string { return named }

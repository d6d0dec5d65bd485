//go:build !mistakes

package mistake

// Made reports whether a mistake is made; without the build tag none is, and the
// compiler takes the whole branch away.
func Made(string) bool { return false }

// Named is the one that is asked for; none.
func Named() string { return "" }

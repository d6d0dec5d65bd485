// Package testdata embeds the canonical invoices, computed the way a shop
// computes them, that tests all over the project share. Only canontest imports
// it.
package testdata

import "embed"

// Canonical holds canonical/*.json; a file's name says what it shows.
//
//go:embed canonical/*.json
var Canonical embed.FS

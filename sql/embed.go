// Package sql carries this project's migrations inside the binary. They are
// named NNNN_name.sql, numbered from 1 without a gap, go up only, and never
// change once released: pkg/pgdb keeps their checksums.
package sql

import "embed"

// Migrations holds migrations/NNNN_name.sql.
//
//go:embed migrations/*.sql
var Migrations embed.FS

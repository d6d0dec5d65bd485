// Package sql carries the schema inside the binary; pkg/pgdb applies it.
//
// Migrations are named NNNN_name.sql, numbered from 1 without a gap, go up only,
// and never change once released: their checksums are kept. From 0003 on they
// carry tables, indexes and data, no functions.
//
// Functions are files that may change: functions/name.sql creates or replaces the
// function (or view) of that name, with the triggers that call it. What a file
// cannot replace (another return type, other parameters, a trigger that goes) a
// migration drops, in the same commit; the old version of Towpath goes on running
// meanwhile, so what it calls by name must stay for one release.
package sql

import "embed"

// Files holds migrations/NNNN_name.sql and functions/name.sql.
//
//go:embed migrations/*.sql functions/*.sql
var Files embed.FS

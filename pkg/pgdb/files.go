package pgdb

import (
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
)

var migrationName = regexp.MustCompile(`^(\d{4})_([a-z0-9_]+)\.sql$`)

// readMigrations returns our migrations (migrations/NNNN_name.sql) in order. They are numbered from 1 without a
// gap, so what is applied to a database is always a first part of them and no
// two databases got them in different orders.
func readMigrations(files fs.FS) ([]Migration, error) {
	entries, err := fs.ReadDir(files, "migrations") // sorted by name
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	var migrations []Migration
	for _, entry := range entries {
		parts := migrationName.FindStringSubmatch(entry.Name())
		if parts == nil {
			return nil, fmt.Errorf("read migrations: %q is not named NNNN_name.sql", entry.Name())
		}
		version, _ := strconv.Atoi(parts[1]) // four digits
		if want := len(migrations) + 1; version != want {
			return nil, fmt.Errorf("read migrations: %q should have the number %04d", entry.Name(), want)
		}
		text, err := fs.ReadFile(files, "migrations/"+entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		migrations = append(migrations, sourceFile(Migration{Source: SourceTowpath, Version: version, Name: parts[2]}, text))
	}
	return migrations, nil
}

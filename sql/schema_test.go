package sql_test

import (
	"context"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
	"towpath/sql"
)

// TestSchema compares a database that the migrations made with one that
// schema.sql made: what one reads is what one gets.
func TestSchema(t *testing.T) {
	t.Parallel()

	t.Run("Migrations_lead_to_schema_sql", func(t *testing.T) {
		t.Parallel()
		migrated, written := catalog(t, pgtest.New(t)), catalog(t, fromSchemaFile(t))
		require.NotEmpty(t, migrated)
		if diff := cmp.Diff(written, migrated); diff != "" {
			t.Errorf("schema.sql (-) and the migrations (+) differ:\n%s", diff)
		}
	})
}

// TestSchemaChange: no kind of change escapes the comparison.
func TestSchemaChange(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	before := catalog(t, pool)
	for name, change := range map[string]string{
		"table":              `CREATE TABLE extra (n int)`,
		"column":             `ALTER TABLE tenants ADD COLUMN extra int`,
		"type":               `ALTER TABLE tenants ALTER COLUMN name TYPE varchar(80)`,
		"nullability":        `ALTER TABLE tenants ALTER COLUMN name DROP NOT NULL`,
		"default":            `ALTER TABLE tenants ALTER COLUMN created_at SET DEFAULT clock_timestamp()`,
		"check":              `ALTER TABLE tenants ADD CHECK (name <> 'x')`,
		"foreign key":        `ALTER TABLE bindings DROP CONSTRAINT bindings_tenant_id_fkey`,
		"index":              `CREATE INDEX extra ON tenants (name)`,
		"view":               `CREATE VIEW extra AS SELECT 1 AS one`,
		"function":           `CREATE FUNCTION extra() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
		"function's body":    `CREATE OR REPLACE FUNCTION towpath_who() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'x'::text $$`,
		"trigger":            `DROP TRIGGER towpath_follow_job ON river.river_job`,
		"disabled trigger":   `ALTER TABLE river.river_job DISABLE TRIGGER towpath_follow_job`,
		"comment on column":  `COMMENT ON COLUMN tenants.name IS 'x'`,
		"comment on view":    `COMMENT ON VIEW run_queue_mismatch IS 'x'`,
		"storage parameter":  `ALTER TABLE sync_runs SET (fillfactor = 90)`,
		"enum":               `CREATE TYPE extra AS ENUM ('a', 'b')`,
		"sequence":           `CREATE SEQUENCE extra`,
		"schema":             `CREATE SCHEMA extra`,
		"index of River's":   `CREATE INDEX extra ON river.river_job (kind)`,
		"comment on a table": `COMMENT ON TABLE tenants IS 'x'`,
	} {
		t.Run("Different_"+strings.ReplaceAll(name, " ", "_")+"_is_seen", func(t *testing.T) {
			require.NotEqual(t, before, changed(t, pool, change))
		})
	}

	// Migrations can only add columns at the end; schema.sql has them where they
	// read well.
	t.Run("Other_order_of_columns_is_none", func(t *testing.T) {
		require.Equal(t, before, changed(t, pool, `ALTER TABLE tenants DROP COLUMN name;
			ALTER TABLE tenants ADD COLUMN name text NOT NULL CHECK (name <> '')`))
	})
}

// changed is the catalog as a change would leave it.
func changed(t *testing.T, pool *pgxpool.Pool, change string) (lines []string) {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(context.Background())) }()
	_, err = tx.Exec(t.Context(), change)
	require.NoError(t, err)
	return catalog(t, tx)
}

// withMigrations is this binary's functions with these migrations.
func withMigrations(texts map[string]string) fs.FS {
	files := fstest.MapFS{}
	for name, text := range texts {
		files["migrations/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	for name, text := range functionFiles() {
		files["functions/"+name+".sql"] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

// functionFiles returns the text of each function by its name.
func functionFiles() map[string]string {
	texts := map[string]string{}
	entries, _ := sql.Files.ReadDir("functions")
	for _, entry := range entries {
		text, _ := sql.Files.ReadFile("functions/" + entry.Name())
		texts[strings.TrimSuffix(entry.Name(), ".sql")] = string(text)
	}
	return texts
}

// fromSchemaFile makes a database with River's migrations, schema.sql and the
// functions.
func fromSchemaFile(t *testing.T) *pgxpool.Pool {
	t.Helper()
	text, err := os.ReadFile("../schema.sql")
	require.NoError(t, err)
	pool := pgtest.Empty(t)
	_, err = pgdb.MigrateFrom(t.Context(), pool, withMigrations(map[string]string{"0001_schema.sql": string(text)}))
	require.NoError(t, err)
	return pool
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// catalog describes every object as a line: what it is, its name, and its
// definition in the server's own words. Of the list of migrations nothing is told.
func catalog(t *testing.T, db querier) []string {
	t.Helper()
	var lines []string
	for kind, query := range catalogQueries {
		rows, _ := db.Query(context.Background(), query) // the collector returns the error
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err, kind)
		for _, line := range found {
			lines = append(lines, kind+" "+line)
		}
	}
	slices.Sort(lines)
	return lines
}

package sql_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
)

// TestSchema compares a database that the migrations made with one that
// schema.sql made: what one reads is what one gets.
func TestSchema(t *testing.T) {
	t.Parallel()

	t.Run("Migrations_lead_to_schema_sql", func(t *testing.T) {
		t.Parallel()
		migrated, written := catalog(t, pgtest.New(t)), catalog(t, fromSchemaFile(t, ""))
		require.NotEmpty(t, migrated)
		if diff := cmp.Diff(written, migrated); diff != "" {
			t.Errorf("schema.sql (-) and the migrations (+) differ:\n%s", diff)
		}
	})

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
			t.Parallel()
			require.NotEqual(t, catalog(t, fromSchemaFile(t, "")), catalog(t, fromSchemaFile(t, change)))
		})
	}
}

// Migrations can only add columns at the end; schema.sql has them where they
// read well.
func TestSchemaOrderOfColumnsIsNoDifference(t *testing.T) {
	t.Parallel()
	moved := `ALTER TABLE tenants DROP COLUMN name; ALTER TABLE tenants ADD COLUMN name text NOT NULL CHECK (name <> '')`
	require.Equal(t, catalog(t, fromSchemaFile(t, "")), catalog(t, fromSchemaFile(t, moved)))
}

// fromSchemaFile makes a database with River's migrations, schema.sql and a
// further change.
func fromSchemaFile(t *testing.T, change string) *pgxpool.Pool {
	t.Helper()
	text, err := os.ReadFile("../schema.sql")
	require.NoError(t, err)
	pool := pgtest.Empty(t)
	_, err = pool.Exec(t.Context(), `CREATE SCHEMA `+pgdb.RiverSchema)
	require.NoError(t, err)
	river, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: pgdb.RiverSchema})
	require.NoError(t, err)
	_, err = river.Migrate(t.Context(), rivermigrate.DirectionUp, nil)
	require.NoError(t, err)
	for _, statements := range []string{string(text), change} {
		_, err = pool.Exec(t.Context(), statements)
		require.NoError(t, err)
	}
	return pool
}

// catalog describes every object as a line: what it is, its name, and its
// definition in the server's own words. Of the list of migrations nothing is told.
func catalog(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	var lines []string
	for kind, query := range catalogQueries {
		rows, _ := pool.Query(context.Background(), query) // the collector returns the error
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err, kind)
		for _, line := range found {
			lines = append(lines, kind+" "+line)
		}
	}
	slices.Sort(lines)
	return lines
}

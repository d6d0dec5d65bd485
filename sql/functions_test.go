package sql_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/sql"
)

var (
	made   = regexp.MustCompile(`(?m)^CREATE (OR REPLACE )?(FUNCTION|VIEW|TRIGGER|PROCEDURE) (\w+)`)
	listed = regexp.MustCompile(`(?m)^--   (\w+) +\S`)
)

func TestFunctions(t *testing.T) {
	t.Parallel()

	t.Run("Each_file_makes_the_one_it_is_named_after_and_may_be_repeated", func(t *testing.T) {
		t.Parallel()
		for name, text := range functionFiles() {
			var names []string
			for _, m := range made.FindAllStringSubmatch(text, -1) {
				require.Equal(t, "OR REPLACE ", m[1], "%s: %s", name, m[0])
				if m[2] != "TRIGGER" {
					names = append(names, m[3])
				}
			}
			require.Equal(t, []string{name}, names)
		}
	})

	t.Run("Are_listed_in_schema_sql", func(t *testing.T) {
		t.Parallel()
		text, err := os.ReadFile("../schema.sql")
		require.NoError(t, err)
		require.Empty(t, made.FindAllString(string(text), -1), "schema.sql is tables; functions have files of their own")
		var names, files []string
		for _, m := range listed.FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
		for name := range functionFiles() {
			files = append(files, name)
		}
		slices.Sort(names)
		slices.Sort(files)
		require.Equal(t, files, names)
	})

	t.Run("Are_in_no_migration_any_more", func(t *testing.T) {
		t.Parallel()
		for name, text := range migrationFiles(t) {
			if name > "0003" {
				require.Empty(t, made.FindAllString(text, -1), name)
			}
		}
	})
}

// migrationFiles returns the text of each migration by its file's name.
func migrationFiles(t *testing.T) map[string]string {
	t.Helper()
	entries, err := sql.Files.ReadDir("migrations")
	require.NoError(t, err)
	texts := map[string]string{}
	for _, entry := range entries {
		text, err := sql.Files.ReadFile("migrations/" + entry.Name())
		require.NoError(t, err)
		texts[entry.Name()] = string(text)
	}
	return texts
}

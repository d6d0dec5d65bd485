package riverjobs_test

import (
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/metrics"
	"towpath/riverjobs"
	towpathsql "towpath/sql"
)

// Test_Kinds: a kind that one list lacks would be worked without a limit, would
// not be held with its connection, or would be given back while its call is under
// way; none of that shows by itself.
func Test_Kinds(t *testing.T) {
	t.Parallel()

	t.Run("Are_the_same_in_Go_and_in_SQL", func(t *testing.T) {
		t.Parallel()
		text, err := fs.ReadFile(towpathsql.Files, "functions/towpath_stage.sql")
		require.NoError(t, err)
		listed := map[string]string{}
		for _, row := range regexp.MustCompile(`WHEN '(\w+)' THEN '(\w+)'`).FindAllStringSubmatch(string(text), -1) {
			listed[row[1]] = row[2]
		}
		require.Equal(t, riverjobs.Stages(), listed)
	})

	t.Run("Are_spelled_where_they_are_listed_and_inserted_and_nowhere_else", func(t *testing.T) {
		t.Parallel()
		var spelled []string
		names, err := fs.Glob(towpathsql.Files, "functions/*.sql")
		require.NoError(t, err)
		for _, name := range names {
			text, err := fs.ReadFile(towpathsql.Files, name)
			require.NoError(t, err)
			for kind := range riverjobs.Stages() {
				if strings.Contains(string(text), "'"+kind+"'") {
					spelled = append(spelled, name)
				}
			}
		}
		slices.Sort(spelled)
		require.Equal(t, []string{"functions/towpath_insert_push.sql", "functions/towpath_stage.sql"}, slices.Compact(spelled))
	})

	t.Run("And_stages_are_those_of_the_metrics", func(t *testing.T) {
		t.Parallel()
		require.ElementsMatch(t, slices.Collect(maps.Keys(riverjobs.Stages())), metrics.JobKinds())
		for _, stage := range riverjobs.Stages() {
			require.Contains(t, metrics.Stages(), stage)
		}
	})
}

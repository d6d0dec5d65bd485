package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb/pgtest"
)

type migration struct {
	Source    string
	Version   int
	Name      string
	State     string
	AppliedAt *string `json:"applied_at"`
}

// states counts the migrations by state.
func states(list []migration) map[string]int {
	count := map[string]int{}
	for _, m := range list {
		count[m.State]++
	}
	return count
}

func Test_Migrate_up_may_be_repeated_and_status_says_what_is_pending(t *testing.T) {
	t.Parallel()
	d := deskAt(t, pgtest.EmptyURL(t))
	var list []migration
	before := d.run(t, "migrate", "status", "--json")
	require.Equal(t, exitFailed, before.code, "something is pending")
	requireSnakeCase(t, []byte(before.out))
	decode(t, []byte(before.out), &list)
	require.Equal(t, map[string]int{"pending": len(list)}, states(list))
	require.Equal(t, exitFailed, d.run(t, "migrate", "status").code)

	first := d.must(t, "migrate", "up")
	require.Contains(t, first, "applied river 1 ")
	require.Contains(t, first, "applied towpath 1 first_sync")
	require.Contains(t, first, "applied function towpath_gate")
	require.Contains(t, first, "the database is up to date")
	require.Equal(t, "the database is up to date\n", d.must(t, "migrate", "up"))
	require.JSONEq(t, "[]", d.must(t, "migrate", "up", "--json"))

	list = nil
	d.mustJSON(t, &list, "migrate", "status")
	require.Equal(t, map[string]int{"applied": len(list)}, states(list))
	require.NotNil(t, list[0].AppliedAt)
	table := d.must(t, "migrate", "status")
	require.Contains(t, table, "first_sync")
	require.Contains(t, table, "towpath_gate")
}

func Test_Migrate_up_answers_what_it_applied(t *testing.T) {
	t.Parallel()
	d := deskAt(t, pgtest.EmptyURL(t))
	var applied []migration
	d.mustJSON(t, &applied, "migrate", "up")
	require.NotEmpty(t, applied)
	require.Equal(t, "river", applied[0].Source)
	require.Equal(t, "function", applied[len(applied)-1].Source)
}

func Test_A_newer_database_is_left_alone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, err := d.pool.Exec(t.Context(), "INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, 'later', 'x')")
	require.NoError(t, err)
	s := d.run(t, "migrate", "up")
	require.Equal(t, exitFailed, s.code)
	require.Contains(t, s.err, "newer than this binary")
	require.Contains(t, d.must(t, "migrate", "status"), "newer")
}

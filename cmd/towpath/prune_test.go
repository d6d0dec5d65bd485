package main

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/restored"
	"towpath/pkg/verify"
)

// storedWith are the tables in which a text stands.
func (d *desk) storedWith(t *testing.T, text string) []string {
	t.Helper()
	rows, err := d.pool.Query(t.Context(), `SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('public', 'river') ORDER BY 1`)
	require.NoError(t, err)
	tables := []string{}
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(t, rows.Err())
	found := []string{}
	for _, table := range tables {
		var there bool
		require.NoError(t, d.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM `+table+` AS one WHERE position(lower($1) IN lower(one::text)) > 0)`, text).Scan(&there))
		if there {
			found = append(found, table)
		}
	}
	return found
}

func Test_A_person_is_forgotten_and_what_asks_for_the_run_says_so(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	f := d.work(t)
	var email string
	require.NoError(t, d.pool.QueryRow(t.Context(), `SELECT canonical #>> '{customer,email}' FROM sync_runs WHERE id = $1`, f["succeeded"]).Scan(&email))
	require.Contains(t, email, "@")

	require.Equal(t, exitUsage, d.run(t, "forget", "--email", "ada").code)
	require.Contains(t, d.must(t, "forget", "--email", "x"+email), "nothing that is stored names that address", "a part of another address is none")
	seen := d.must(t, "forget", "--email", strings.ToUpper(email), "--dry-run")
	require.Contains(t, seen, f["succeeded"])
	require.Contains(t, seen, f["held"])
	require.NotContains(t, seen, f["failed"])
	require.Contains(t, seen, "stays, since books have to be kept")
	require.Contains(t, seen, d.shopURL)
	refused := d.run(t, "forget", "--email", email)
	require.Equal(t, exitFailed, refused.code)
	require.Contains(t, refused.err, "say --yes")
	require.NotEmpty(t, d.storedWith(t, email))

	s := d.run(t, "forget", "--email", email, "--yes")
	require.Equal(t, exitFailed, s.code, "the held run stays")
	require.Contains(t, s.err, "1 run has not ended")
	d.must(t, "runs", "cancel", f["held"])
	d.must(t, "forget", "--email", email, "--yes")
	require.Empty(t, d.storedWith(t, email))

	var run runDetail
	d.mustJSON(t, &run, "runs", "show", f["succeeded"])
	require.NotNil(t, run.BlankedAt)
	require.Equal(t, "cli:ada", *run.BlankedBy)
	require.NotEmpty(t, run.Number, "it is still found by its number")
	last := run.Events[len(run.Events)-1]
	require.Equal(t, "blank cli:ada a person asked to be forgotten", last.Step+" "+*last.Who+" "+last.Why)
	require.Contains(t, d.must(t, "runs", "show", run.Number), "were blanked on")
	explained := d.run(t, "explain", "--run", f["succeeded"])
	require.Equal(t, exitFailed, explained.code)
	require.Contains(t, explained.err, "were blanked on")
	require.Contains(t, d.must(t, "what-if", "--binding", d.binding, "--file", file(t, "p.json", goodPolicy)), "not looked at: 2 runs of that time, whose documents were blanked")
	verified := d.run(t, "verify", "--json")
	require.Zero(t, verified.code, verified.out)
	var findings []verify.Finding
	decode(t, []byte(verified.out), &findings)
	for _, finding := range findings {
		require.Equal(t, finding.Name == "one_customer", finding.Blanked > 0, finding.Name)
	}
}

func Test_Prune_asks_and_a_retry_of_what_was_blanked_reads_the_shop_again(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	f := d.work(t)
	require.Contains(t, d.must(t, "prune"), "blanked 0 runs", "none is 400 days old")
	for _, days := range []string{"6d", "400", "x", "0d"} {
		require.Equal(t, exitUsage, d.run(t, "prune", "--older-than", days).code, days)
	}
	off := d.with(map[string]string{"TOWPATH_RETENTION": "off"})
	require.Equal(t, exitUsage, off.run(t, "prune").code, "how old is to be said")
	_, err := d.pool.Exec(t.Context(), `UPDATE sync_runs SET finished_at = finished_at - interval '9 days' WHERE finished_at IS NOT NULL`)
	require.NoError(t, err)
	var view pruneView
	d.mustJSON(t, &view, "prune", "--older-than", "8d", "--dry-run")
	require.EqualValues(t, 3, view.Tables[0].Rows)
	require.Zero(t, view.Blanked.Runs)
	require.Contains(t, d.run(t, "prune", "--older-than", "8d").err, "say --yes")
	require.Contains(t, d.answering(t, "no\n", "prune", "--older-than", "8d").err, "nothing was blanked")
	seen := &restored.Watch{Pool: d.pool, Logger: slog.New(slog.DiscardHandler)}
	require.NoError(t, seen.Start(t.Context()))
	require.Contains(t, d.answering(t, "yes\n", "prune", "--older-than", "8d").out, "blanked 3 runs")
	require.NoError(t, seen.Look(t.Context()))
	require.Contains(t, d.must(t, "restored", "show"), "nothing was noticed", "the history stays")

	retried := d.run(t, "runs", "retry", f["failed"])
	require.Zero(t, retried.code, retried.err)
	require.Contains(t, retried.err, "it reads its document from the shop again")
	var run runDetail
	d.mustJSON(t, &run, "runs", "show", f["failed"])
	require.Equal(t, "queued", run.Status)
	require.Nil(t, run.BlankedAt, "it is to be blanked again, after its new end")
}

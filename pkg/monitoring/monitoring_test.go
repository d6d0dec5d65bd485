package monitoring_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/monitoring"
)

// promtool is Prometheus's own tool. Without it these tests say loudly that they did
// nothing; .ci/run installs it.
func promtool(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("NOT TESTED: no promtool on PATH (Debian: apt-get install --no-install-recommends prometheus)")
	}
	out, err := exec.Command("promtool", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

func Test_Promtool_takes_the_rules_and_their_tests(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", "rules.yaml")
	promtool(t, "test", "rules", "rules_test.yaml")
}

func Test_Each_alert_has_a_test_that_fires_and_one_that_does_not_a_runbook_and_a_panel(t *testing.T) {
	t.Parallel()
	tests, err := os.ReadFile("rules_test.yaml")
	require.NoError(t, err)
	alerts, err := monitoring.Alerts("https://towpath.example.com")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(alerts), 22)
	runbooks := map[string]bool{}
	for _, name := range monitoring.Names() {
		runbooks[name] = true
	}
	for _, alert := range alerts {
		require.Regexp(t, `eval_time: \w+, alertname: `+alert.Name+`}`, string(tests), "a time at which it does not fire")
		require.Regexp(t, `alertname: `+alert.Name+`\n\s+exp_alerts:`, string(tests), "a time at which it fires")
		require.Contains(t, []string{"page", "ticket"}, alert.Severity)
		require.Equal(t, "https://towpath.example.com/runbooks/"+alert.Name, alert.RunbookURL)
		require.True(t, runbooks[alert.Name], "a runbook of %s", alert.Name)
		require.Regexp(t, `"description": "[^"]*\b`+alert.Name+`\b`, monitoring.Dashboard())
		delete(runbooks, alert.Name)
	}
	require.Empty(t, runbooks, "runbooks of no alert")
}

func Test_Each_runbook_has_its_five_parts(t *testing.T) {
	t.Parallel()
	for _, name := range monitoring.Names() {
		_, text, found := monitoring.Runbook(strings.ToLower(strings.TrimPrefix(name, "Towpath")))
		require.True(t, found)
		require.Regexp(t, regexp.MustCompile("(?s)^# "+name+"\n\n## Meaning\n\n.+\n\n## Impact\n\n.+\n\n## Look\n\n```sh run\n.+```\n\n## Mend\n\n.+\n\n## Clears when\n\n.+\n$"), text)
		for _, other := range regexp.MustCompile(`\bTowpath[A-Z]\w+`).FindAllString(text, -1) {
			require.Contains(t, monitoring.Names(), other, "named in %s", name)
		}
	}
}

func Test_The_rules_lead_to_the_runbooks_of_the_installation(t *testing.T) {
	t.Parallel()
	rules := monitoring.Rules("https://www.example.com/towpath")
	require.Contains(t, rules, "runbook_url: https://www.example.com/towpath/runbooks/TowpathHeld\n")
	require.NotContains(t, rules, "towpath.example.com")
	file := t.TempDir() + "/rules.yaml"
	require.NoError(t, os.WriteFile(file, []byte(rules), 0o600))
	promtool(t, "check", "rules", file)
}

func Test_Gauges_that_every_process_reads_from_the_database_are_not_summed_over_processes(t *testing.T) {
	t.Parallel()
	shared := `towpath_(queue_jobs|queue_oldest_job_age_seconds|runs_held|provider_budget_remaining|backlog_seconds|oauth_token_expiry_seconds|last_webhook_timestamp_seconds` +
		`|tenants_silent|database_writable|leader_last_seen_seconds|restores_unacknowledged|invalid_indexes|bindings_fixed_token|intents_\w+|pushes_waiting_oldest_seconds|verify_\w+|settings_faults)\b`
	aggregated := regexp.MustCompile(`(max|min)( by \([a-z, ]+\))? \(?` + shared + `|(max|min)\(` + shared)
	for _, text := range []string{monitoring.Rules("x"), monitoring.Dashboard()} {
		all := len(regexp.MustCompile(shared).FindAllString(text, -1))
		require.Positive(t, all)
		require.Len(t, aggregated.FindAllString(text, -1), all)
	}
}

// panels are the dashboard's queries by the panel's title.
func panels(t *testing.T) map[string][]string {
	t.Helper()
	var board struct {
		UID    string
		Panels []struct {
			ID          int
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(monitoring.Dashboard()), &board))
	queries, ids := map[string][]string{}, map[int]bool{}
	for _, p := range board.Panels {
		require.False(t, ids[p.ID], "the id %d again", p.ID)
		ids[p.ID] = true
		for _, target := range p.Targets {
			queries[p.Title] = append(queries[p.Title], target.Expr)
		}
	}
	return queries
}

func Test_The_dashboard_has_its_rows_and_five_figures_that_must_read_0(t *testing.T) {
	t.Parallel()
	for _, row := range []string{"Promise: these must read 0", "Front door", "Pipeline by stage", "Waiting", "Ledger", "Shop", "Postgres and processes"} {
		require.Contains(t, monitoring.Dashboard(), `"title": "`+row+`"`)
	}
	all := panels(t)
	for _, title := range []string{"Lost", "Doubled", "Mismatches", "Variances", "Unknown"} {
		require.Len(t, all[title], 1)
	}
	require.Contains(t, monitoring.Dashboard(), "towpath_build_info offset", "deploy marks")
}

func Test_The_pages_show_each_runbook_and_where_there_is_none_what_there_is(t *testing.T) {
	t.Parallel()
	pages := monitoring.Pages{Base: "/towpath"}
	get := func(alert string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		pages.Show(w, alert)
		return w
	}
	for _, name := range monitoring.Names() {
		w := get(name)
		require.Equal(t, http.StatusOK, w.Code)
		require.Contains(t, w.Body.String(), "<h1>"+name+"</h1>")
		require.Contains(t, w.Body.String(), `<a href="/towpath/runbooks">`)
		require.NotRegexp(t, `(src|href)="https?:`, w.Body.String(), "nothing from elsewhere")
	}
	w := get("<script>")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Contains(t, w.Body.String(), `<a href="/towpath/runbooks/TowpathHeld">TowpathHeld</a>`)
	require.NotContains(t, w.Body.String(), "script>")
	w = httptest.NewRecorder()
	pages.Index(w, nil)
	require.Contains(t, w.Body.String(), `<a href="/towpath/runbooks/TowpathDown">TowpathDown</a>`)
}

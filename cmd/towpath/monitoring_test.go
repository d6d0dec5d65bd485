package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/loopback"
	"towpath/pkg/monitoring"
)

func Test_Monitoring_prints_rules_dashboard_and_runbooks_of_this_installation(t *testing.T) {
	t.Parallel()
	d := &desk{env: map[string]string{"TOWPATH_BASE_URL": "https://www.example.com/towpath"}}
	require.Contains(t, d.must(t, "monitoring", "rules"), "runbook_url: https://www.example.com/towpath/runbooks/TowpathHeld\n")
	require.Contains(t, d.must(t, "monitoring", "rules", "--base-url", "https://other.example"), "runbook_url: https://other.example/runbooks/TowpathHeld\n")
	var alerts []map[string]any
	d.mustJSON(t, &alerts, "monitoring", "rules")
	require.Len(t, alerts, len(monitoring.Names()))

	require.True(t, json.Valid([]byte(d.must(t, "monitoring", "dashboard"))))
	require.Contains(t, d.must(t, "monitoring", "runbook", "held"), "# TowpathHeld\n\n## Meaning\n")
	var book struct{ Alert, Runbook, Severity string }
	d.mustJSON(t, &book, "monitoring", "runbook", "TowpathHeld")
	require.Equal(t, "TowpathHeld ticket", book.Alert+" "+book.Severity)
	require.Contains(t, book.Runbook, "## Mend")
	require.Contains(t, d.must(t, "monitoring", "runbook"), "TowpathHeld ")

	nowhere := (&desk{}).run(t, "monitoring", "rules")
	require.Zero(t, nowhere.code)
	require.Contains(t, nowhere.out, "runbook_url: http://127.0.0.1:8080/runbooks/TowpathHeld\n")
	require.Contains(t, nowhere.err, "TOWPATH_BASE_URL")
}

// scrape is /metrics in the format that accept asks for.
func scrape(t *testing.T, base, accept string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/metrics", nil)
	require.NoError(t, err)
	req.Header.Set("Accept", accept)
	resp, err := loopback.Client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

// gauge is the value of a series of a scrape.
func gauge(t *testing.T, text, series string) float64 {
	t.Helper()
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			require.NoError(t, err)
			return v
		}
	}
	require.Fail(t, "no such series", series)
	return 0
}

func Test_A_scrape_says_what_is_open_passes_promtool_and_names_runs(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	s := d.serve(t)
	base := "http://" + s.Addr()
	d.shop.RaiseInvoice(demo.Cart())
	id := d.send(t)
	until(t, "the shop was told", func() bool {
		return ask(t, http.MethodGet, base+"/metrics").body != "" && d.status(t, id) == "succeeded"
	})

	// An hour ago a write was begun whose answer never came, and nobody is at it; an end was
	// reached that the shop was not told; an index was left half built.
	for _, change := range []string{
		`UPDATE provider_intents SET settled_at = NULL, made_at = made_at - interval '1 hour' WHERE operation = 'invoice'`,
		`INSERT INTO river.river_job (kind, args, max_attempts, queue, state, scheduled_at, created_at)
			VALUES ('push_sync_state', '{}', 3, 'push_sync_state', 'scheduled', now() + interval '1 hour', now() - interval '2 hours')`,
		`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'sync_runs_tenant'::regclass`,
	} {
		_, err := d.pool.Exec(t.Context(), change)
		require.NoError(t, err, change)
	}
	var text string
	until(t, "the database is read again, and a leader is known", func() bool {
		text = scrape(t, base, "text/plain")
		return strings.Contains(text, "\ntowpath_intents_unresolved 1\n") && gauge(t, text, "towpath_leader_last_seen_seconds") < 5 &&
			strings.Contains(text, `towpath_queue_fetch_duration_seconds_count{kind="post_invoice"}`)
	})
	require.InDelta(t, 3600, gauge(t, text, "towpath_intents_oldest_seconds"), 300)
	require.InDelta(t, 7200, gauge(t, text, "towpath_pushes_waiting_oldest_seconds"), 300)
	require.InDelta(t, 1, gauge(t, text, "towpath_invalid_indexes"), 0)
	require.InDelta(t, 1, gauge(t, text, "towpath_database_writable"), 0)
	require.InDelta(t, 1, gauge(t, text, "towpath_bindings_fixed_token"), 0)

	open := scrape(t, base, "application/openmetrics-text; version=1.0.0")
	require.True(t, strings.HasSuffix(open, "# EOF\n"))
	require.Regexp(t, `towpath_webhook_duration_seconds_bucket.* # \{run_id="`+id+`"\}`, open)
	require.Regexp(t, `towpath_run_duration_seconds_bucket\{event="invoice.created".* # \{run_id="`+id+`"\}`, open)
	require.Equal(t, http.StatusOK, ask(t, http.MethodHead, base+"/metrics").status)

	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("NOT TESTED: no promtool on PATH (Debian: apt-get install --no-install-recommends prometheus)")
	}
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(text)
	out, err := check.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
}

func Test_Runbooks_are_served_to_everybody_by_every_process(t *testing.T) {
	t.Parallel()
	d := newDesk(t).with(map[string]string{"TOWPATH_BASE_URL": "http://127.0.0.1:1/towpath"})
	s := d.serve(t, "worker")
	for _, path := range []string{"/runbooks/TowpathHeld", "/towpath/runbooks/TowpathHeld"} {
		resp, err := loopback.Client.Get("http://" + s.Addr() + path)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Contains(t, string(body), `<a href="/towpath/runbooks">`)
	}
	require.Equal(t, http.StatusNotFound, ask(t, http.MethodGet, "http://"+s.Addr()+"/runbooks/TowpathNothing").status)
	require.Equal(t, http.StatusOK, ask(t, http.MethodHead, "http://"+s.Addr()+"/runbooks").status)
}

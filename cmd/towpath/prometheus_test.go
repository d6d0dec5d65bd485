package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/loopback"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/monitoring"
	"towpath/pkg/server"
)

var againstPrometheus = flag.Bool("prometheus", false, "try rules and dashboard against a real Prometheus")

// prom is a real Prometheus with the real rules, which fire as soon as they hold: nobody
// waits for an hour here.
type prom struct{ base, targets string }

// hasty are the bounds in time that a test cannot wait for.
func hasty(rules string) string {
	return strings.NewReplacer(
		"(towpath_queue_oldest_job_age_seconds) > 300", "(towpath_queue_oldest_job_age_seconds) > 1",
		"(towpath_leader_last_seen_seconds) > 120", "(towpath_leader_last_seen_seconds) > 2",
		"(towpath_pushes_waiting_oldest_seconds) > 3600", "(towpath_pushes_waiting_oldest_seconds) > 1",
		"for: 1m\n", "for: 0s\n", "for: 2m\n", "for: 0s\n", "for: 5m\n", "for: 0s\n", "for: 10m\n", "for: 0s\n", "for: 15m\n", "for: 0s\n",
		"for: 30m\n", "for: 0s\n", "for: 1h\n", "for: 0s\n", "for: 2h\n", "for: 0s\n",
	).Replace(rules)
}

func startPrometheus(t *testing.T) *prom {
	t.Helper()
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip("NOT TESTED: no prometheus on PATH (Debian: apt-get install --no-install-recommends prometheus)")
	}
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("rules.yaml", hasty(monitoring.Rules("https://towpath.example.com")))
	write("targets.json", "[]")
	write("prometheus.yml", `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yaml]
scrape_configs:
  - {job_name: towpath, file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]}
`)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	cmd := exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")
	said, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = said, said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if log, _ := os.ReadFile(said.Name()); t.Failed() {
			t.Logf("prometheus: %s", log)
		}
	})
	p := &prom{base: "http://" + address, targets: filepath.Join(dir, "targets.json")}
	until(t, "Prometheus is ready", func() bool {
		resp, err := loopback.Client.Get(p.base + "/-/ready")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return p
}

// watch makes it scrape these processes, and those alone.
func (p *prom) watch(t *testing.T, processes ...*server.Server) {
	t.Helper()
	addresses := []string{}
	for _, s := range processes {
		addresses = append(addresses, s.Addr())
	}
	raw, err := json.Marshal([]map[string]any{{"targets": addresses}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(p.targets+".new", raw, 0o600))
	require.NoError(t, os.Rename(p.targets+".new", p.targets)) // never read by half
}

// get asks its API.
func (p *prom) get(t *testing.T, path string, query url.Values, data any) {
	t.Helper()
	resp, err := loopback.Client.Get(p.base + path + "?" + query.Encode())
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%v: %s", query, raw)
	require.NoError(t, json.Unmarshal(raw, &struct{ Data any }{data}))
}

// series is how many series an expression answers.
func (p *prom) series(t *testing.T, expr string) int {
	t.Helper()
	var data struct{ Result []json.RawMessage }
	p.get(t, "/api/v1/query", url.Values{"query": {expr}}, &data)
	return len(data.Result)
}

// firing are the names of the alerts that fire.
func (p *prom) firing(t *testing.T) []string {
	t.Helper()
	var data struct {
		Alerts []struct {
			State  string
			Labels map[string]string
		}
	}
	p.get(t, "/api/v1/alerts", nil, &data)
	var names []string
	for _, a := range data.Alerts {
		if a.State == "firing" {
			names = append(names, a.Labels["alertname"])
		}
	}
	return names
}

func (p *prom) awaits(t *testing.T, alerts ...string) {
	t.Helper()
	for _, alert := range alerts {
		until(t, alert+" fires", func() bool { return slices.Contains(p.firing(t), alert) })
	}
}

// mayBeEmpty are the panels that may be empty here, and why.
func mayBeEmpty() map[string]string {
	return map[string]string{
		"Token runs out in":  "no binding here has an OAuth token",
		"Failures and skips": "one of its two queries: nothing is skipped here",
	}
}

// Real faults make ten alerts fire in a real Prometheus, and every panel's query
// answers something.
func Test_Faults_fire_their_alerts_and_every_panel_has_data_in_a_real_Prometheus(t *testing.T) {
	t.Parallel()
	if !*againstPrometheus {
		t.Skip("a minute or two against a Prometheus of its own: .ci/run alerts")
	}
	p := startPrometheus(t)
	d := newDesk(t).connect(t)
	door := d.serve(t, "ingress")
	p.watch(t, door)
	until(t, "the door is scraped", func() bool { return p.series(t, `towpath_webhooks_total{code="401"}`) > 0 })

	// No worker: an event waits, and nobody leads. Somebody sends what is buried. A token is
	// fixed. An index was left half built. A job waits for a run that is not there.
	d.shop.RaiseInvoice(demo.Cart())
	first := d.send(t)
	require.Equal(t, http.StatusUnauthorized, d.forged(t, door).status)
	for _, fault := range []string{
		`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'sync_runs_tenant'::regclass`,
		`INSERT INTO river.river_job (kind, args, max_attempts, queue, state, scheduled_at) VALUES
			('post_invoice', '{"run_id":"3f2504e0-4f89-41d3-9a0c-0305e82c3301"}', 3, 'post_invoice', 'scheduled', now() + interval '1 day')`,
	} {
		_, err := d.pool.Exec(t.Context(), fault)
		require.NoError(t, err)
	}
	p.awaits(t, "TowpathQueueStuck", "TowpathLeaderMissing", "TowpathWebhookBuried", "TowpathFixedToken", "TowpathIndexInvalid")

	// A worker comes: those two clear. It finds the broken promise. One run is held, one
	// fails, and the shop refuses to be told.
	for range 20 {
		d.shop.Inject(magentosim.RouteSyncState, magentosim.Maintenance(http.StatusServiceUnavailable))
	}
	worker := d.serve(t, "worker", "dashboard")
	p.watch(t, door, worker)
	// An increase is seen from the first scrape on.
	until(t, "the worker is scraped", func() bool {
		return p.series(t, `towpath_run_failures_total{error_code="not_found",instance="`+worker.Addr()+`"}`) > 0
	})
	d.shop.Connect(d.tenant, d.key, "http://"+door.Addr())
	d.shop.RaiseInvoice(unmappedCart())
	d.send(t)
	d.must(t, "backfill", "--binding", d.binding, "--event", "invoice.created", "--ids", "999")
	p.awaits(t, "TowpathInvariantBroken", "TowpathHeld", "TowpathFailedRuns", "TowpathShopNotTold")
	until(t, "the queue is worked again", func() bool {
		now := p.firing(t)
		return !slices.Contains(now, "TowpathQueueStuck") && !slices.Contains(now, "TowpathLeaderMissing")
	})
	require.Equal(t, "succeeded", d.status(t, first))
	p.panels(t)

	// The database turns read-only, as after a failover.
	d.cut(t, "ALTER DATABASE %s SET default_transaction_read_only = on")
	p.awaits(t, "TowpathDatabaseReadOnly")
}

// forged is a webhook whose token is nobody's.
func (d *desk) forged(t *testing.T, s *server.Server) answered {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr()+"/webhooks/magento/"+d.tenant+"/invoice.created", strings.NewReader("{}"))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+strings.Repeat("a", 20)+".b.c")
	req.Header.Set("Content-Type", "application/json")
	resp, err := loopback.Client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return answered{status: resp.StatusCode}
}

// cut changes the desk's database from another one, and ends its connections: what comes
// then finds it so.
func (d *desk) cut(t *testing.T, change string) {
	t.Helper()
	cfg, err := pgx.ParseConfig(d.env["DATABASE_URL"])
	require.NoError(t, err)
	name := cfg.Database
	cfg.Database = "postgres"
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.ConnectConfig(ctx, cfg)
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, fmt.Sprintf(change, pgx.Identifier{name}.Sanitize()))
	require.NoError(t, err)
	_, err = conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
	require.NoError(t, err)
}

// panels asks every query of the dashboard, as Grafana does.
func (p *prom) panels(t *testing.T) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Annotations struct{ List []struct{ Expr string } }
	}
	require.NoError(t, json.Unmarshal([]byte(monitoring.Dashboard()), &board))
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "1m")
			if _, may := mayBeEmpty()[panel.Title]; may {
				p.series(t, expr)
				continue
			}
			until(t, panel.Title+": "+expr, func() bool { return p.series(t, expr) > 0 })
		}
	}
	for _, mark := range board.Annotations.List {
		until(t, "a deployment is marked", func() bool { return p.series(t, strings.ReplaceAll(mark.Expr, "offset 2m", "offset 10m")) > 0 })
	}
	require.Positive(t, p.series(t, `histogram_quantile(0.5, sum(rate(towpath_webhook_duration_seconds_bucket[5m])) by (le))`))
}

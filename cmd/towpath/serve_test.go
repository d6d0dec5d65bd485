package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/loopback"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/server"
)

// answer of a request to a server.
type answered struct {
	status int
	header http.Header
	body   string
}

func ask(t *testing.T, method, url string) answered {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	req.SetBasicAuth("admin", adminPassword)
	resp, err := loopback.Client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answered{status: resp.StatusCode, header: resp.Header, body: string(body)}
}

// metricNames are the documented ones that are there from the start.
func metricNames() []string {
	return []string{
		"towpath_webhooks_total", "towpath_webhook_duration_seconds", "towpath_runs_total", "towpath_run_skips_total",
		"towpath_run_failures_total", "towpath_run_stage_duration_seconds", "towpath_run_duration_seconds", "towpath_queue_jobs",
		"towpath_queue_oldest_job_age_seconds", "towpath_runs_held", "towpath_provider_requests_total",
		"towpath_provider_request_duration_seconds", "towpath_shop_requests_total", "towpath_build_info",
		"towpath_provider_budget_remaining", "towpath_backlog_seconds", "towpath_settings_faults", "towpath_provider_calls_per_document",
		"towpath_database_writable", "towpath_leader_last_seen_seconds", "towpath_invalid_indexes", "towpath_restores_unacknowledged", "towpath_bindings_fixed_token",
		"towpath_intents_unresolved", "towpath_intents_oldest_seconds", "towpath_pushes_waiting_oldest_seconds", "towpath_queue_fetch_duration_seconds",
		"go_goroutines", "process_cpu_seconds_total", "towpath_pool_connections",
	}
}

func Test_A_scrape_has_every_metric(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	s := d.serve(t, "ingress")
	var before string
	until(t, "the queue is in a scrape", func() bool { // on a busy machine the first is answered before it was looked at
		before = ask(t, http.MethodGet, "http://"+s.Addr()+"/metrics").body
		return strings.Contains(before, "\n# TYPE towpath_queue_jobs ")
	})
	for _, name := range metricNames() {
		require.Contains(t, before, "\n# TYPE "+name+" ", "before the first event")
	}
	// What is not known is left out rather than zero.
	for _, name := range []string{"towpath_last_webhook_timestamp_seconds", `towpath_provider_budget_remaining{window="day"}`, "towpath_oauth_token_expiry_seconds"} {
		require.NotContains(t, before, "\n"+name)
	}
	d.shop.RaiseInvoice(demo.Cart())
	d.send(t)
	var after string
	until(t, "the event is in a scrape", func() bool { // the database is looked at once a second
		after = ask(t, http.MethodGet, "http://"+s.Addr()+"/metrics").body
		return strings.Contains(after, "\ntowpath_last_webhook_timestamp_seconds ")
	})
	require.Contains(t, after, `towpath_webhooks_total{code="202",event="invoice.created"} 1`)
	require.NotContains(t, after, d.tenant, "tenants are no labels")
}

func Test_Tenants_are_labels_where_that_was_asked_for(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	cfg, err := serveCommand{Listen: "127.0.0.1:0", Roles: []string{"ingress"}, Workers: 1, MetricsPerTenant: true}.config(consoleOf(d.env, io.Discard, io.Discard))
	require.NoError(t, err)
	s, err := server.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	d.shop.Connect(d.tenant, d.key, "http://"+s.Addr())
	d.shop.RaiseInvoice(demo.Cart())
	d.send(t)
	require.Contains(t, ask(t, http.MethodGet, "http://"+s.Addr()+"/metrics").body, `tenant="`+d.tenant+`"`)
}

func Test_Ingress_alone_takes_in_and_works_nothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	s := d.serve(t, "ingress")
	d.shop.RaiseInvoice(demo.Cart())
	id := d.send(t)
	require.Equal(t, http.StatusNotFound, ask(t, http.MethodGet, "http://"+s.Addr()+"/dashboard/sync").status)
	require.Equal(t, "queued", d.status(t, id))

	// A worker beside it finds the run untouched.
	worker := d.serve(t, "worker")
	until(t, "worked", func() bool { return d.status(t, id) == "succeeded" })
	var who string
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT count(DISTINCT who)::text FROM sync_run_events WHERE who <> 'shop'").Scan(&who))
	require.Equal(t, "1", who, "the worker alone")
	worker.Stop()
}

func Test_A_worker_alone_serves_machines_only(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	s := d.serve(t, "worker")
	base := "http://" + s.Addr()
	for path, want := range map[string]int{
		"/livez": http.StatusOK, "/readyz": http.StatusOK, "/metrics": http.StatusOK, "/dashboard/sync": http.StatusNotFound,
		// A shop dead-letters an event at the first 4xx, also one that was sent here by mistake.
		"/v1/status": http.StatusServiceUnavailable, "/v1/tile/health": http.StatusServiceUnavailable,
	} {
		require.Equal(t, want, ask(t, http.MethodGet, base+path).status, path)
	}
	require.Equal(t, http.StatusServiceUnavailable, ask(t, http.MethodPost, base+"/webhooks/magento/"+d.tenant+"/invoice.created").status)
}

func Test_The_dashboard_alone_shows_pages(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	s := d.serve(t, "dashboard")
	page := ask(t, http.MethodGet, "http://"+s.Addr()+"/dashboard/sync")
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.header.Get("Content-Type"), "text/html")
	require.Equal(t, http.StatusServiceUnavailable, ask(t, http.MethodPost, "http://"+s.Addr()+"/webhooks/magento/"+d.tenant+"/invoice.created").status)
}

func Test_Serve_migrates_where_it_was_asked_to(t *testing.T) {
	t.Parallel()
	d := deskAt(t, pgtest.EmptyURL(t))
	refused := d.run(t, "serve", "--listen", "127.0.0.1:0")
	require.Equal(t, exitFailed, refused.code)
	require.Contains(t, refused.err, `run "towpath migrate up", or serve with --migrate`)
	require.Equal(t, 1, strings.Count(refused.err, "towpath migrate up"), "said once")

	cfg, err := serveCommand{Listen: "127.0.0.1:0", Roles: []string{"ingress"}, Workers: 1, Migrate: true}.config(consoleOf(d.env, io.Discard, io.Discard))
	require.NoError(t, err)
	s, err := server.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	require.Equal(t, http.StatusOK, ask(t, http.MethodGet, "http://"+s.Addr()+"/readyz").status)
	d.must(t, "migrate", "status")
}

func Test_A_port_that_is_taken_is_told(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	s := d.serve(t, "ingress")
	second := d.run(t, "serve", "--listen", s.Addr(), "--roles", "ingress")
	require.Equal(t, exitFailed, second.code)
	require.Contains(t, second.err, "address already in use")
}

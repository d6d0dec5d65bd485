package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/loopback"
)

// queueCall asks River UI as somebody with a session.
func queueCall(t *testing.T, method, address, body string, session *http.Cookie) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodGet && !strings.Contains(address, "/api/") {
		req.Header.Set("Accept", "text/html")
	}
	if session != nil {
		req.AddCookie(session)
	}
	resp, err := loopback.Transport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(raw), resp.Header
}

// River UI is behind the same sign-in, under the base path, read-only for viewers; and
// what is done there shows in the run at once: queue and run commit together.
func Test_What_is_done_in_River_UI_shows_in_the_run(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d = d.with(map[string]string{"TOWPATH_BASE_URL": "http://127.0.0.1:9/tow"})
	s := d.serve(t, "ingress", "dashboard")
	base := "http://" + s.Addr() + "/tow"
	d.shop.Connect(d.tenant, d.key, base)
	d.shop.RaiseInvoice(demo.Cart())
	run := d.send(t)
	d.must(t, "user", "add", "vera", "--role", "viewer", "--password-file", file(t, "v", adminPassword))
	d.must(t, "user", "add", "oscar", "--role", "operator", "--password-file", file(t, "o", adminPassword))
	_, viewer := signedIn(t, "http://"+s.Addr(), "vera", adminPassword)
	_, operator := signedIn(t, "http://"+s.Addr(), "oscar", adminPassword)

	for _, path := range []string{"/dashboard/queue", "/dashboard/queue/jobs"} {
		code, page, header := queueCall(t, http.MethodGet, base+path, "", viewer)
		require.Equal(t, http.StatusOK, code, path)
		require.Contains(t, page, `src="/tow/dashboard/queue/assets/main-`)
		require.Contains(t, page, `<a href="/tow/dashboard" `, "the way back")
		require.NotContains(t, header.Get("Content-Security-Policy"), "script-src 'self' '")
		code, _, header = queueCall(t, http.MethodGet, base+path, "", nil)
		require.Equal(t, http.StatusSeeOther, code, "a stranger signs in")
		require.Contains(t, header.Get("Location"), "/tow/dashboard/sign-in")
	}
	code, jobs, _ := queueCall(t, http.MethodGet, base+"/dashboard/queue/api/jobs?state=available", "", viewer)
	require.Equal(t, http.StatusOK, code, jobs)
	require.Contains(t, jobs, run, "its job's arguments name the run")
	code, _, _ = queueCall(t, http.MethodGet, base+"/dashboard/queue/api/jobs", "", nil)
	require.Equal(t, http.StatusUnauthorized, code)

	var job int64
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT river_job_id FROM sync_runs").Scan(&job))
	act := func(what string, session *http.Cookie) int {
		code, _, _ := queueCall(t, http.MethodPost, base+"/dashboard/queue/api/jobs/"+what, fmt.Sprintf(`{"ids":["%d"]}`, job), session)
		return code
	}
	mismatch := func() (rows int) {
		require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT count(*) FROM run_queue_mismatch").Scan(&rows))
		return rows
	}
	for _, what := range []string{"cancel", "retry", "delete"} {
		require.Equal(t, http.StatusForbidden, act(what, viewer), what)
		require.Equal(t, http.StatusUnauthorized, act(what, nil), what)
	}
	for method, path := range map[string]string{http.MethodPut: "/api/queues/fetch_canonical/pause", http.MethodPatch: "/api/queues/fetch_canonical"} {
		code, _, _ := queueCall(t, method, base+"/dashboard/queue"+path, "{}", viewer)
		require.Equal(t, http.StatusForbidden, code, method)
	}
	require.Equal(t, "queued", d.status(t, run))
	require.Equal(t, http.StatusOK, act("cancel", operator))
	require.Equal(t, "cancelled", d.status(t, run))
	require.Zero(t, mismatch())
	require.Equal(t, http.StatusOK, act("retry", operator))
	require.Equal(t, "queued", d.status(t, run))
	require.Zero(t, mismatch())
	d.serve(t, "worker")
	until(t, "it goes on from there", func() bool { return d.status(t, run) == "succeeded" })
}

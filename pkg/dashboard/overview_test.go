package dashboard_test

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dashboard"
	"towpath/pkg/loopback"
)

func Test_Overview_says_how_the_day_goes(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *dashboard.Config) { c.Version = "v1.2.3" })
	b.add("succeeded", nil)
	b.add("succeeded", columns{"received_at": now.Add(-2 * time.Hour)})
	b.add("failed", columns{"error_code": "validation", "received_at": now.Add(-11 * time.Hour)})
	b.add("held", columns{"hold_reason": "period_locked"})
	b.add("queued", columns{"stage": "post"})
	b.exec(`INSERT INTO worker_processes (client_id) VALUES ('vm-1')`)

	body := unescape(b.get("/dashboard").body)
	require.Contains(t, body, "Today, UTC: 4 runs", "one came before midnight")
	require.Regexp(t, `Succeeded <strong class="figures">2<`, body)
	require.Contains(t, body, `aria-describedby="chart-summary"`)
	require.Contains(t, body, "5 runs arrived in the last 24 hours, most of them (3) in the hour from 10:00 UTC.")
	require.Contains(t, body, "<title>10:00 UTC: 1 queued, 1 held, 1 succeeded</title>")
	require.Regexp(t, `To write to ledgers</dt><dd class="figures"><a [^>]*>1</a>`, body)
	require.Contains(t, body, "its date lies in a locked period. Move the lock date in the ledger; or cancel these runs.")
	require.Contains(t, body, "v1.2.3")
	require.Contains(t, body, "vm-1")
	require.NotContains(t, body, "No worker process runs")
	b.exec(`UPDATE worker_processes SET last_seen = now() - interval '5 minutes'`)
	require.Contains(t, b.get("/dashboard").body, "No worker process runs")
}

func Test_Overview_of_an_empty_database_is_a_page(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.get("/dashboard")
	require.Equal(t, http.StatusOK, a.status)
	require.Contains(t, a.body, "Today, UTC: 0 runs")
	require.Contains(t, a.body, "No run arrived in the last 24 hours.")
	require.Contains(t, b.get("/dashboard/held").body, "Nothing is held")
}

func Test_Held_runs_are_told_by_reason_and_released_by_reason(t *testing.T) {
	t.Parallel()
	var released []string
	b := setup(t, func(c *dashboard.Config) {
		c.Release = func(_ context.Context, reason string) error { released = append(released, reason); return nil }
	})
	_, other := b.addTenant("Other")
	oldest := b.add("held", columns{"hold_reason": "auth", "received_at": now.Add(-50 * time.Hour)})
	b.event(oldest, -49*time.Hour, "post", "running", "held", "refused")
	b.event(oldest, -time.Hour, "post", "running", "held", "refused again")
	b.add("held", columns{"hold_reason": "auth", "binding_id": other, "tenant_id": b.tenantOf(other)})
	b.add("held", columns{"hold_reason": "period_locked"})
	body := unescape(b.get("/dashboard/held").body)
	require.Regexp(t, `(?s)the shop or the ledger refuses access.*Open Connections.*2 runs</a> of 2 shops.*2 days ago.*its date lies in a locked period.*1 run</a> of 1 shop`, body)
	require.Contains(t, body, "/dashboard/sync/"+oldest.String(), "the oldest can be opened")
	require.Contains(t, body, "/dashboard/sync?error=auth&status=held")

	a := b.post("/dashboard/held/release", url.Values{"reason": {"period_locked"}})
	require.Equal(t, http.StatusSeeOther, a.status)
	require.Equal(t, []string{"period_locked"}, released)
	require.Contains(t, b.get(a.header.Get("Location")).body, "They wait for their turn again")
	require.Equal(t, http.StatusBadRequest, b.post("/dashboard/held/release", nil).status)
	require.Len(t, released, 1)
}

func (b *bundle) tenantOf(binding uuid.UUID) (tenant uuid.UUID) {
	b.t.Helper()
	require.NoError(b.t, b.pool.QueryRow(b.t.Context(), `SELECT tenant_id FROM bindings WHERE id = $1`, binding).Scan(&tenant))
	return tenant
}

func Test_Many_runs_are_acted_on_after_a_preview(t *testing.T) {
	t.Parallel()
	var retried, cancelled []uuid.UUID
	outcome := map[uuid.UUID]error{}
	b := setup(t, func(c *dashboard.Config) {
		c.RetryMany = func(_ context.Context, id uuid.UUID) error { retried = append(retried, id); return outcome[id] }
		c.Cancel = func(_ context.Context, id uuid.UUID) error { cancelled = append(cancelled, id); return outcome[id] }
	})
	failed := []uuid.UUID{b.add("failed", columns{"error_code": "validation"}), b.add("failed", columns{"error_code": "validation"}), b.add("failed", columns{"error_code": "validation"})}
	held := b.add("held", columns{"hold_reason": "period_locked"})
	b.add("succeeded", nil)
	require.NotContains(t, b.get("/dashboard/sync").body, "/dashboard/bulk/", "nothing is offered for all runs at once")
	require.Contains(t, unescape(b.get("/dashboard/sync?status=failed").body), `href="/dashboard/bulk/retry?status=failed"`)

	preview := unescape(b.get("/dashboard/bulk/retry?tenant=Acme").body)
	require.Regexp(t, `(?s)Failed</span></td><td class="number">3</td>.*starts over.*Held</span></td><td class="number">1</td>.*Retry 4 runs`, preview)
	require.Contains(t, preview, `name="as_of" value="2026-04-29T10:11:12.345Z"`)
	require.Empty(t, retried, "a preview changes nothing")

	outcome[failed[0]], outcome[failed[1]] = dashboard.ErrNothingToDo, context.DeadlineExceeded
	form := url.Values{"status": {"failed"}, "as_of": {"2026-04-29T10:11:12.345Z"}}
	b.add("failed", columns{"error_code": "validation", "received_at": now.Add(time.Second)}) // after the preview
	done := unescape(b.post("/dashboard/bulk/retry", form).body)
	require.ElementsMatch(t, failed, retried)
	require.Regexp(t, `(?s)>1</strong> run was retried. 1 had gone on meanwhile.*`+failed[1].String(), done)

	b.post("/dashboard/bulk/cancel", url.Values{"error": {"period_locked"}})
	require.Equal(t, []uuid.UUID{held}, cancelled)
	for _, path := range []string{"/dashboard/bulk/retry", "/dashboard/bulk/retry?status=nope", "/dashboard/bulk/retry?status=failed&as_of=x"} {
		require.Equal(t, http.StatusBadRequest, b.get(path).status, path)
	}
	require.Equal(t, http.StatusNotFound, b.get("/dashboard/bulk/delete?status=failed").status)
}

func Test_Live_updates_say_that_something_changed_and_end_with_the_process(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *dashboard.Config) { c.Refresh = 20 * time.Millisecond })
	id := b.add("queued", nil)
	b.event(id, 0, "accept", "", "queued", "")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/dashboard/live", nil)
	require.NoError(t, err)
	req.SetBasicAuth("ada", thePassword)
	resp, err := loopback.Client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	lines := bufio.NewScanner(resp.Body)
	next := func(event string) bool {
		for lines.Scan() {
			if lines.Text() == "event: "+event {
				return true
			}
		}
		return false
	}
	require.True(t, next("pulse"), "at once: the page knows that it is connected")
	heard := make(chan bool)
	go func() { heard <- next("changed") }()
	for told := false; !told; { // until the look before has taken note of what there was
		b.event(id, time.Second, "fetch", "queued", "running", "")
		select {
		case told = <-heard:
			require.True(t, told)
		case <-time.After(100 * time.Millisecond):
		}
	}
	b.pages.Close()
	for lines.Scan() { // to its end
		require.False(t, strings.HasPrefix(lines.Text(), "<"))
	}
	require.NoError(t, lines.Err())
	require.Equal(t, http.StatusServiceUnavailable, b.get("/dashboard/live").status)
}

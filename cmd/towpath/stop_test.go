package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/loopback"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/shopjwt"
)

// webhook sends one event over a connection of its own, as the shop's cron
// does; 0 where nobody took it.
func (d *desk) webhook(t *testing.T, base string, id int64) (int, http.Header) {
	t.Helper()
	token, err := shopjwt.MintShop(d.key, d.tenant, time.Now())
	require.NoError(t, err)
	body := fmt.Sprintf(`{"magento_entity_id":%d,"website_id":1,"store_id":1,"occurred_at":"2026-04-29T10:11:12Z","payload":[]}`, id)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/webhooks/magento/"+d.tenant+"/invoice.created?provider=xero", strings.NewReader(body))
	require.NoError(t, err)
	req.Close = true
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", fmt.Sprintf("invoice.created:%d", id))
	resp, err := loopback.Client.Do(req)
	if err != nil {
		t.Logf("webhook %d: %v", id, err)
		return 0, nil
	}
	_ = resp.Body.Close()
	return resp.StatusCode, resp.Header
}

// inCall starts a serve process that has one job at a call to Xero, which hangs
// until it is let go.
func inCall(t *testing.T) (d *desk, p *process, run string, letGo chan struct{}) {
	t.Helper()
	d = newDesk(t).connect(t)
	p = d.serveProcess(t)
	letGo = make(chan struct{})
	d.xero.Inject(xerosim.Fault{Operation: "PUT /Invoices", When: xerosim.Before, Hang: letGo})
	d.shop.RaiseInvoice(demo.Cart())
	run = d.send(t)
	until(t, "the call", func() bool { return d.xero.Calls("PUT /Invoices") == 1 })
	return d, p, run, letGo
}

// attempts is what the run's job was charged for, and its state.
func (d *desk) attempts(t *testing.T, run string) (attempt int, state string) {
	t.Helper()
	err := d.pool.QueryRow(t.Context(), `
		SELECT job.attempt, job.state::text
		FROM sync_runs AS run
		JOIN river.river_job AS job ON job.id = run.river_job_id
		WHERE run.id = $1`, run).Scan(&attempt, &state)
	require.NoError(t, err)
	return attempt, state
}

func Test_SIGTERM_lets_a_job_finish(t *testing.T) {
	t.Parallel()
	d, p, run, letGo := inCall(t)
	p.signal(t, syscall.SIGTERM)
	until(t, "the door is closed", func() bool { status, _ := d.webhook(t, p.base, 1); return status == 0 })
	require.False(t, p.ended(), "it waits for the job")
	close(letGo)
	require.Equal(t, exitDone, p.wait(t, time.Minute), p.output())
	require.Equal(t, "succeeded", d.status(t, run))
	require.Len(t, d.xero.Invoices(), 1)
	d.must(t, "verify")
}

func Test_SIGTERM_gives_a_long_job_back_uncounted(t *testing.T) {
	t.Parallel()
	d, p, run, _ := inCall(t)
	p.signal(t, syscall.SIGTERM)
	require.Equal(t, exitDone, p.wait(t, 2*time.Minute), p.output())
	attempt, state := d.attempts(t, run)
	require.Zero(t, attempt, "an attempt that was broken off by a stop does not count")
	require.Equal(t, "available", state)
	require.Equal(t, "queued", d.status(t, run))
	d.must(t, "verify")

	d.serveProcess(t) // the next one goes on where this one stopped
	until(t, "the run's end", func() bool { return d.status(t, run) == "succeeded" })
	require.Len(t, d.xero.Invoices(), 1)
}

func Test_Webhooks_during_a_stop_are_never_refused_for_good(t *testing.T) {
	t.Parallel()
	d, p, _, letGo := inCall(t)
	var id atomic.Int64
	id.Store(100)
	seen := map[int]int{}
	sendOne := func() {
		status, header := d.webhook(t, p.base, id.Add(1))
		seen[status]++
		switch status {
		case 0, http.StatusAccepted: // nobody took it: the shop sends again
		case http.StatusServiceUnavailable:
			require.NotEmpty(t, header.Get("Retry-After"))
		default:
			require.Fail(t, "refused", "status %d", status)
		}
	}
	for range 20 {
		sendOne()
	}
	require.Equal(t, map[int]int{http.StatusAccepted: 20}, seen)
	p.signal(t, syscall.SIGTERM)
	for seen[0] < 20 {
		sendOne()
	}
	close(letGo)
	require.Equal(t, exitDone, p.wait(t, time.Minute), p.output())
	t.Log(seen)

	// What was accepted is there.
	var runs int
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT count(*) FROM sync_runs").Scan(&runs))
	require.Equal(t, 1+seen[http.StatusAccepted], runs)
	d.must(t, "verify")
}

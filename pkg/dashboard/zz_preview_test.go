//go:build preview

package dashboard_test

import (
	"context"
	"os/exec"
	"testing"
	"time"
	"fmt"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"towpath/pkg/dashboard"
)

func shot(t *testing.T, url, out string, w, h int, dark bool) {
	args := []string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
		"--user-data-dir=" + t.TempDir(), fmt.Sprintf("--window-size=%d,%d", w, h), "--screenshot=" + out, "--virtual-time-budget=2500"}
	if dark {
		args = append(args, "--blink-settings=preferredColorScheme=0")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	o, err := exec.CommandContext(ctx, "chromium", append(args, url)...).CombinedOutput()
	require.NoError(t, err, string(o))
}

func Test_Preview(t *testing.T) {
	b := setup(t, retry(func(context.Context, uuid.UUID) error { return nil }), func(c *dashboard.Config) { c.Refresh = 30 * time.Second })
	empty := b.server.URL + "/dashboard/sync"
	shot(t, empty, "/tmp/shots/dash-empty.png", 1280, 700, false)
	ref := func(n int) columns {
		return columns{"provider_reference": fmt.Sprintf("INV-1000000%02d", n), "provider_url": "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID=1", "provider_entity_id": "8f1c3a52-6c0e-4a0a-9e43-0d0a3b0a0001",
			"received_at": now.Add(-time.Duration(n*37) * time.Second), "finished_at": now.Add(-time.Duration(n*37)*time.Second + 210*time.Millisecond), "told_at": now.Add(-time.Duration(n*37)*time.Second + 264*time.Millisecond)}
	}
	b.add("queued", columns{"received_at": now.Add(-300 * time.Millisecond)})
	b.add("running", columns{"stage": "post", "received_at": now.Add(-time.Second)})
	b.add("queued", columns{"stage": "post", "attempt": 4, "next_attempt_at": now.Add(7 * time.Second), "error_code": "provider", "error_message": "Xero is offline at the moment", "received_at": now.Add(-4 * time.Second)})
	held := b.add("held", columns{"received_at": now.Add(-14 * time.Minute), "hold_reason": "tax_rate_not_mapped", "error_code": "provider", "error_message": "the rate 5.00 % of line 2 (SKU GREEN-TEA) has no tax type: add \"5.00\" to tax_rate_map",
		"canonical": `{"magento_id":4,"grand_total":100.00}`, "attempt": 1})
	failed := b.add("failed", columns{"received_at": now.Add(-20 * time.Minute), "finished_at": now.Add(-19 * time.Minute), "told_at": now.Add(-19 * time.Minute), "error_code": "validation", "error_message": "Xero refused the data",
		"error_detail": "Email address must be valid; Account code '999' is not a valid code for this document", "canonical": `{"magento_id":5,"increment_id":"100000005","grand_total":118.80,"customer":{"email":"jo at example"}}`})
	b.add("skipped_by_policy", columns{"received_at": now.Add(-25 * time.Minute), "skip_reason": "zero_value_invoice", "finished_at": now.Add(-25*time.Minute + 90*time.Millisecond), "told_at": now.Add(-25*time.Minute + 130*time.Millisecond)})
	b.add("cancelled", columns{"received_at": now.Add(-3 * time.Hour), "error_code": "cancelled", "error_message": "cancelled by an operator", "finished_at": now.Add(-2 * time.Hour), "told_at": nil, "shop_told": "given_up"})
	b.add("held", columns{"received_at": now.Add(-26 * time.Hour), "event": "invoice.paid", "stage": "fetch", "hold_reason": "event_not_supported", "error_code": "internal", "error_message": "this version of Towpath cannot write invoice.paid yet; the run waits for one that can"})
	c := ref(70)
	c["document"] = `{"number":"INV-100000042","currency":"GBP","sub_total":"99.00","total_tax":"19.80","total":"118.80","rounding":"0.01","notes":["line 1: 20 % explains the tax of 16.67, OUTPUT2","shipping: 20 %, OUTPUT2","rounding line 0.01 to the shop's grand_total"],"body":{"Type":"ACCREC"}}`
	c["canonical"] = `{"magento_id":42,"increment_id":"100000042","grand_total":118.80,"lines":[{"sku":"TEA","qty":2}]}`
	c["decision"] = `{"action":"post","reason":"","rules":[{"name":"sync_unpaid_invoices","hit":false,"text":"the invoice is open, unpaid invoices are synced"},{"name":"sync_zero_value_invoices","hit":false,"text":"the grand total is 118.80 GBP"},{"name":"sync_since","hit":false,"text":"no start date is set"}]}`
	good := b.add("succeeded", c)
	for i := range 6 {
		b.add("succeeded", ref(80+i))
	}
	at := now.Add(-70 * 37 * time.Second)
	ev := func(run uuid.UUID, ms int, step, from, to, why string, attempt int) {
		b.exec(`INSERT INTO sync_run_events (run_id, at, step, from_status, to_status, attempt, who, why) VALUES ($1, $2, $3, nullif($4, ''), $5, $6, 'box-7-2211-9f31ac02', $7)`, run, at.Add(time.Duration(ms)*time.Millisecond+300*time.Microsecond), step, from, to, attempt, why)
	}
	ev(good, 0, "accept", "", "queued", "", 0)
	ev(good, 11, "fetch", "queued", "running", "", 1)
	ev(good, 43, "fetch", "running", "running", "canonical stored, to be posted", 1)
	ev(good, 160, "post", "running", "queued", "Xero's answer was lost: the document may exist", 1)
	ev(good, 1190, "post", "queued", "running", "", 2)
	ev(good, 1270, "post", "running", "succeeded", "adopted INV-100000042, which was there already", 2)
	ev(good, 1330, "push", "succeeded", "succeeded", "the shop was told", 1)
	b.exec(`INSERT INTO provider_intents (run_id, operation, object_key, binding_id, body_hash, tries, made_at, settled_at) VALUES ($1, 'contact', 'customer-7', $2, 'abcdef0123456789aa', 1, $3, $3), ($1, 'invoice', 'INV-100000042', $2, '77aa0123456789aa', 2, $4, NULL)`, good, b.binding, at.Add(50*time.Millisecond), at.Add(60*time.Millisecond))
	at = now.Add(-20 * time.Minute)
	ev(failed, 0, "accept", "", "queued", "", 0)
	ev(failed, 11, "fetch", "queued", "running", "", 1)
	ev(failed, 130, "post", "running", "failed", "Xero refused the data", 1)
	u := b.server.URL + "/dashboard/sync"
	shot(t, u, "/tmp/shots/dash-list.png", 1280, 1000, false)
	shot(t, u, "/tmp/shots/dash-list-dark.png", 1280, 1000, true)
	shot(t, u+"/"+good.String(), "/tmp/shots/dash-run.png", 1280, 1300, false)
	shot(t, u+"/"+failed.String()+"?told=retried", "/tmp/shots/dash-run-failed.png", 1280, 900, true)
	shot(t, u+"/"+held.String(), "/tmp/shots/dash-run-held.png", 1280, 900, false)
	// chromium's window is at least 500 wide: a frame of 390 in it
	frame := "data:text/html,<body style='margin:0;background:gray'><iframe style='border:0;width:390px;height:1900px' src='" 
	_ = frame
	narrow(t, u, "/tmp/shots/dash-list-390.png")
	narrow(t, u+"/"+good.String(), "/tmp/shots/dash-run-390.png")
}

func narrow(t *testing.T, url, out string) {
	args := []string{"/tmp/shots/narrow.py", url, out}
	o, err := exec.Command("python3", args...).CombinedOutput()
	t.Log(string(o)); require.NoError(t, err, string(o))
}

package dashboard_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dashboard"
	"towpath/pkg/provider"
)

func (b *bundle) event(run uuid.UUID, after time.Duration, step, from, to, why string) {
	b.t.Helper()
	b.exec(`INSERT INTO sync_run_events (run_id, at, step, from_status, to_status, attempt, who, why)
		VALUES ($1, $2, $3, nullif($4, ''), $5, 1, 'worker-1', $6)`, run, now.Add(-time.Second+after), step, from, to, why)
}

func Test_Run_shows_its_history(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("succeeded", columns{
		"provider_entity_id": "11111111-2222-3333-4444-555555555555", "provider_reference": "INV-0042",
		"provider_url": "https://go.xero.com/View?InvoiceID=1&x=2",
		"canonical":    `{"grand_total":100.00,"customer":{"email":"a@example.com"}}`,
		"document":     `{"number":"INV-0042","currency":"GBP","sub_total":"83.33","total_tax":"16.67","total":"100.00","rounding":"0","notes":["one line at 20 %"]}`,
		"decision":     `{"action":"post","rules":[{"name":"sync_since","hit":false,"text":"no start date is set"}]}`,
	})
	b.event(id, 800*time.Microsecond, "accept", "", "queued", "")
	b.event(id, 12*time.Millisecond, "fetch", "queued", "running", "")
	b.event(id, 41*time.Millisecond, "fetch", "running", "running", "canonical stored, to be posted")
	b.event(id, 412*time.Millisecond, "post", "running", "succeeded", "posted INV-0042")
	b.event(id, 83*time.Second, "push", "succeeded", "succeeded", "the shop was told")
	b.exec(`UPDATE sync_run_events SET calls = '{call-1,call-2}' WHERE step = 'post'`)

	a := b.get("/dashboard/sync/" + id.String())
	require.Equal(t, http.StatusOK, a.status)
	body := unescape(a.body)
	order := 0
	for _, want := range []string{
		"+0.8 ms", "Accepted", "+12 ms", "+41 ms", "canonical stored, to be posted", "2026-04-29 10:11:11.386",
		"+412 ms", "posted INV-0042", "For the ledger's support: <code>call-1 call-2</code>", "+83.0 s", "the shop was told", "worker-1",
	} {
		at := strings.Index(body[order:], want)
		require.GreaterOrEqual(t, at, 0, "%q comes not, or not in order", want)
		order += at
	}
	for _, want := range []string{
		`href="https://go.xero.com/View?InvoiceID=1&x=2"`, ">INV-0042<", "100.00 GBP", "83.33 + 16.67 tax", "one line at 20 %",
		"no start date is set", `"grand_total": 100.00`, "https://shop.example", "11111111-2222-3333-4444-555555555555", "In Xero as INV-0042; the shop knows",
	} {
		require.Contains(t, body, want)
	}
	require.NotContains(t, body, "sealed-")
}

func Test_Run_says_that_a_document_may_exist(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("running", columns{"stage": "post"})
	insert := `INSERT INTO provider_intents (run_id, operation, object_key, binding_id, body_hash, tries, made_at, settled_at) VALUES ($1, $2, $3, $4, 'abcdef0123456789', 2, $5, $6)`
	b.exec(insert, id, "contact", "customer-7", b.binding, now.Add(-900*time.Millisecond), now)
	b.exec(insert, id, "invoice", "INV-0042", b.binding, now.Add(-800*time.Millisecond), nil)
	a := b.get("/dashboard/sync/" + id.String())
	require.Regexp(t, `(?s)contact <span class="id">customer-7</span>.*Ended, outcome not recorded.*invoice <span class="id">INV-0042</span>.*A document may exist`, a.body)
	require.Equal(t, 1, strings.Count(a.body, "A document may exist"))

	b.exec(`UPDATE provider_intents SET settled_at = now()`)
	require.NotContains(t, b.get("/dashboard/sync/"+id.String()).body, "A document may exist")
}

func Test_Run_shows_what_was_sent_and_answered_also_where_it_was_refused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("failed", columns{"error_code": "validation", "error_message": "Account code is not valid"})
	calls, err := provider.EncodeCalls([]provider.Call{{
		Operation: "invoice_create", Method: "PUT", Path: "/Invoices?unitdp=4", At: now, Took: 41.2, Status: 400, ID: "c0de-1", Together: 7,
		Sent: `{"Invoices":[{"Name":"<script>alert(1)</script>"}]}`, Answer: `{"Message":"Account code is not valid"}`,
	}, {Operation: "invoice_create", Method: "PUT", Path: "/Invoices", At: now, Error: "Xero could not be reached"},
		{Operation: "contact_create", Method: "POST", Path: "/Contacts", At: now, Status: 200}})
	require.NoError(t, err)
	b.exec(`INSERT INTO run_calls (run_id, attempt, calls) VALUES ($1, 3, $2), ($1, 4, '{"of another version":true}')`, id, calls)
	b.exec(`INSERT INTO provider_intents (run_id, operation, object_key, binding_id, body_hash, certain, settled_at) VALUES ($1, 'invoice', 'M-1', $2, '', true, now())`, id, b.binding)
	b.exec(`INSERT INTO provider_intents (run_id, operation, object_key, binding_id, body_hash, settled_at) VALUES ($1, 'contact', 'customer-7', $2, '', now())`, id, b.binding)
	body := unescape(b.get("/dashboard/sync/" + id.String()).body)
	require.Regexp(t, `(?s)customer-7</span>.{0,200}>Done<`, body, "its call was answered with success")
	for _, want := range []string{
		">400</span>", "invoice create", "took 41 ms, attempt 3, one call with 7 documents", "PUT /Invoices?unitdp=4", "c0de-1", "Sent: this document's part",
		`"Message": "Account code is not valid"`, "No answer", "Xero could not be reached", "Not written",
	} {
		require.Contains(t, body, want)
	}
	require.NotContains(t, b.get("/dashboard/sync/"+id.String()).body, "<script>alert")
}

// Of several documents in one call some may have been refused.
func Test_Run_does_not_take_the_answer_of_a_call_for_several_as_its_own(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("failed", nil)
	calls, err := provider.EncodeCalls([]provider.Call{{Operation: "invoice_create", Method: "PUT", Path: "/Invoices", At: now, Status: 200, Together: 7}})
	require.NoError(t, err)
	b.exec(`INSERT INTO run_calls (run_id, attempt, calls) VALUES ($1, 1, $2)`, id, calls)
	b.exec(`INSERT INTO provider_intents (run_id, operation, object_key, binding_id, body_hash, settled_at) VALUES ($1, 'invoice', 'M-1', $2, '', now())`, id, b.binding)
	require.Regexp(t, `(?s)M-1</span>.{0,200}Ended, outcome not recorded`, unescape(b.get("/dashboard/sync/"+id.String()).body))
}

func Test_Run_is_cancelled_by_its_button(t *testing.T) {
	t.Parallel()
	outcome := error(nil)
	var asked []uuid.UUID
	b := setup(t, func(c *dashboard.Config) {
		c.Cancel = func(_ context.Context, id uuid.UUID) error { asked = append(asked, id); return outcome }
	})
	live, ended := b.add("held", nil), b.add("failed", nil)
	require.Contains(t, b.get("/dashboard/sync/"+live.String()).body, "Cancel run")
	require.NotContains(t, b.get("/dashboard/sync/"+ended.String()).body, "Cancel run")
	a := b.send(http.MethodPost, "/dashboard/sync/"+live.String()+"/cancel", nil)
	require.Equal(t, http.StatusSeeOther, a.status)
	require.Contains(t, b.get(a.header.Get("Location")).body, "The run is cancelled")
	outcome = dashboard.ErrNothingToDo
	a = b.send(http.MethodPost, "/dashboard/sync/"+ended.String()+"/cancel", nil)
	require.Contains(t, b.get(a.header.Get("Location")).body, "There was nothing to cancel")
	require.Equal(t, []uuid.UUID{live, ended}, asked)
}

func Test_Run_names_the_run_that_comes_first(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.add("held", columns{"lane": "invoice:9", "occurred_at": now.Add(-time.Hour)})
	second := b.add("queued", columns{"lane": "invoice:9", "event": "invoice.paid"})
	link := `Comes after <a href="/dashboard/sync/` + first.String() + `"`
	require.Contains(t, b.get("/dashboard/sync/"+second.String()).body, link)
	require.NotContains(t, b.get("/dashboard/sync/"+first.String()).body, "Comes after")
	b.exec(`UPDATE sync_runs SET status = 'cancelled', hold_reason = NULL, stage = 'done', river_job_id = NULL, finished_at = now() WHERE id = $1`, first)
	require.NotContains(t, b.get("/dashboard/sync/"+second.String()).body, "Comes after")
}

func Test_Payment_names_the_invoice_that_it_waits_for(t *testing.T) {
	t.Parallel()
	b := setup(t)
	paid := b.add("queued", columns{"lane": "invoice:9", "event": "invoice.paid", "magento_entity_id": 9, "occurred_at": now.Add(-time.Hour)})
	invoice := b.add("held", columns{"lane": "invoice:9", "magento_entity_id": 9})
	link := `Comes after <a href="/dashboard/sync/` + invoice.String() + `"`
	require.Contains(t, b.get("/dashboard/sync/"+paid.String()).body, link, "also where the invoice's event came later")
	require.NotContains(t, b.get("/dashboard/sync/"+invoice.String()).body, "Comes after")
	b.exec(`UPDATE sync_runs SET status = 'failed', hold_reason = NULL, stage = 'done', river_job_id = NULL, finished_at = now() WHERE id = $1`, invoice)
	require.Contains(t, b.get("/dashboard/sync/"+paid.String()).body, link, "also where the invoice failed")
}

func Test_Run_that_was_held_for_weeks_shows_the_newest_steps(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("held", nil)
	b.exec(`INSERT INTO sync_run_events (run_id, step, to_status, why) SELECT $1, 'post', 'held', 'look ' || n FROM generate_series(1, 5000) AS n`, id)
	body := b.get("/dashboard/sync/" + id.String()).body
	require.Contains(t, body, "Only the newest steps are shown")
	require.Contains(t, body, "look 5000<")
	require.Contains(t, body, "look 4701<")
	require.NotContains(t, body, "look 4700<")
}

func Test_Run_over_a_shops_answer_that_cannot_be_read_is_no_fault_of_Towpath(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("failed", columns{"error_code": "internal", "error_message": "The shop's payment cannot be understood: increment_id is missing. It is read again"})
	body := unescape(b.get("/dashboard/sync/" + id.String()).body)
	require.Contains(t, body, "The shop's answer cannot be read; the shop knows")
	require.Contains(t, body, "Mend what the message names in the shop")
	require.NotContains(t, body, "fault of Towpath")
	require.NotContains(t, body, "Failed inside")
}

func Test_History_says_who_asked_for_the_run(t *testing.T) {
	t.Parallel()
	for who, want := range map[string]string{"shop": "webhook accepted", "cli:root": "asked for by backfill"} {
		b := setup(t)
		id := b.add("queued", nil)
		b.event(id, 0, "accept", "", "queued", "")
		b.exec(`UPDATE sync_run_events SET who = $1`, who)
		require.Contains(t, b.get("/dashboard/sync/"+id.String()).body, want)
	}
}

func Test_Held_run_shows_its_reason_as_chip_and_what_to_do(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("held", columns{"hold_reason": "currency_not_enabled", "error_code": "provider", "error_message": "Xero does not know CHF"})
	body := unescape(b.get("/dashboard/sync/" + id.String()).body)
	require.Contains(t, body, `<code class="code held">currency_not_enabled</code> Xero does not know CHF`)
	require.Contains(t, body, "Enable the currency in the ledger.")
	require.Contains(t, unescape(b.get("/dashboard/sync").body), `href="/dashboard/sync?error=currency_not_enabled" title="All runs with this error">currency_not_enabled</a>`)
}

func Test_Run_unknown_is_not_found(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{uuid.NewString(), "42", "%00", "{" + uuid.NewString() + "}", "urn:uuid:" + uuid.NewString()} {
		a := b.get("/dashboard/sync/" + path)
		require.Equal(t, http.StatusNotFound, a.status, path)
		require.Contains(t, a.body, "There is no such run")
	}
}

// Every text of a run that others wrote comes out as text.
func Test_Foreign_text_stays_text(t *testing.T) {
	t.Parallel()
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	b := setup(t)
	b.exec(`UPDATE tenants SET name = $1`, evil)
	id := b.add("failed", columns{
		"error_code": evil, "error_message": evil, "error_detail": evil, "provider_reference": evil, "provider_url": evil, "body": `{"payload":{"increment_id":"<script>alert(1)</script>"}}`,
		"document": `{"number":"x","notes":["<script>alert(1)</script>"],"total":"<script>"}`, "canonical": `{"a":"</pre><script>alert(1)</script>"}`,
		"decision": `{"rules":[{"name":"<script>","text":"<script>alert(1)</script>","hit":true}]}`,
	})
	b.event(id, 0, evil, evil, "failed", evil)
	for _, path := range []string{"/dashboard/sync", "/dashboard/sync/" + id.String(), "/dashboard/sync?tenant=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"} {
		body := b.get(path).body
		require.NotContains(t, body, "<script>", path)
		require.NotContains(t, body, "<img src=x", path)
		require.Equal(t, 1, strings.Count(body, "<script "), "only the page's own script: %s", path)
	}
}

func Test_Rows_of_older_versions_are_shown_without_their_marks(t *testing.T) {
	t.Parallel()
	const marks = "\x1b[31mred\u202egnp\u2066\u2028"
	b := setup(t)
	b.exec(`UPDATE tenants SET name = $1`, marks)
	id := b.add("failed", columns{"error_message": marks, "error_detail": marks, "provider_reference": marks, "canonical": `{"a":"\u202egnp"}`})
	b.event(id, 0, "post", "running", "failed", marks)
	for _, path := range []string{"/dashboard/sync", "/dashboard/sync/" + id.String()} {
		body := b.get(path).body
		require.Contains(t, body, "red", path)
		require.NotContains(t, body, "\x1b", path)
		require.NotRegexp(t, "[\u202a-\u202e\u2066-\u2069\u2028]", body, path)
	}
}

func Test_Only_web_addresses_become_links(t *testing.T) {
	t.Parallel()
	for address, linked := range map[string]bool{
		"https://go.xero.com/1":            true,
		"http://127.0.0.1:9000/invoices/1": true,
		"javascript:alert(1)":              false,
		"JaVaScRiPt:alert(1)":              false,
		"data:text/html,<script>":          false,
		"//evil.example/x":                 false,
		"https:go.xero.com":                false,
		"https://user:secret@xero.com/1":   false,
		"https://go.xero.com/\x01":         false,
		"":                                 false,
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.add("succeeded", columns{"provider_reference": "INV-7", "provider_url": address})
			for _, path := range []string{"/dashboard/sync", "/dashboard/sync/" + id.String()} {
				body := unescape(b.get(path).body)
				require.Contains(t, body, "INV-7")
				require.Equal(t, linked, strings.Contains(body, `href="`+address+`" rel="noopener noreferrer"`), path)
				require.Equal(t, linked, strings.Contains(body, ">INV-7<span class=\"aside\">"), path)
			}
		})
	}
}

func Test_Database_away_is_said_with_a_time(t *testing.T) {
	t.Parallel()
	b := setup(t, retry(func(context.Context, uuid.UUID) error { return context.DeadlineExceeded }))
	id := b.add("failed", nil)
	require.Equal(t, http.StatusOK, b.get("/dashboard/sync").status)
	require.Equal(t, http.StatusServiceUnavailable, b.send(http.MethodPost, "/dashboard/sync/"+id.String()+"/retry", nil).status)
	b.pool.Close()
	for _, path := range []string{"/dashboard/sync", "/dashboard/sync/" + id.String()} {
		a := b.get(path)
		require.Equal(t, http.StatusServiceUnavailable, a.status)
		require.Equal(t, "5", a.header.Get("Retry-After"))
		require.Contains(t, a.body, "The database does not answer")
		require.Contains(t, a.body, `<meta http-equiv="refresh" content="5">`)
	}
}

// Static files and redirects need no database.
func Test_Static_files_are_kept_by_their_version(t *testing.T) {
	t.Parallel()
	b := setup(t)
	page := b.get("/dashboard/sync").body
	for _, name := range []string{"dashboard.css", "dashboard.js", "icon.svg"} {
		at := strings.Index(page, "/dashboard/static/"+name)
		require.Positive(t, at)
		a := b.get(page[at : at+strings.IndexByte(page[at:], '"')])
		require.Equal(t, http.StatusOK, a.status)
		require.NotEmpty(t, a.body)
		require.Contains(t, a.header.Get("Cache-Control"), "immutable")
		require.Equal(t, "no-store", b.get("/dashboard/static/"+name+"?v=old").header.Get("Cache-Control"))
	}
	require.Equal(t, http.StatusNotFound, b.get("/dashboard/static/guard.go").status)
}

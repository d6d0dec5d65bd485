package dashboard_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dashboard"
)

// runsOn are the ids of the runs on a page, in order.
func runsOn(body string) []string {
	ids := []string{}
	for _, m := range regexp.MustCompile(`data-key="run-([0-9a-f-]{36})"`).FindAllStringSubmatch(body, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

func Test_List_without_runs_says_what_to_do(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.get("/dashboard/sync")
	require.Equal(t, http.StatusOK, a.status)
	require.Contains(t, a.body, "No runs yet")
	require.Contains(t, a.body, "towpath tenant pair")

	narrowed := b.get("/dashboard/sync?status=failed")
	require.Contains(t, narrowed.body, "No run fits this filter")
	require.NotContains(t, narrowed.body, "No runs yet")
}

func Test_List_filters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other, binding := b.addTenant("Other & Sons")
	at := func(s int) columns { return columns{"received_at": now.Add(-time.Duration(s) * time.Second)} }
	with := func(c columns, more columns) columns {
		for k, v := range more {
			c[k] = v
		}
		return c
	}
	queued := b.add("queued", at(1))
	failed := b.add("failed", with(at(2), columns{"error_code": "validation", "error_message": "Refused"}))
	waiting := b.add("queued", with(at(3), columns{"error_code": "http", "error_message": "timeout", "attempt": 2, "next_attempt_at": now.Add(12 * time.Second)}))
	theirs := b.add("succeeded", with(at(4), columns{"tenant_id": other, "binding_id": binding, "event": "invoice.paid"}))
	ids := func(list ...uuid.UUID) []string {
		out := []string{}
		for _, id := range list {
			out = append(out, id.String())
		}
		return out
	}
	for query, want := range map[string][]string{
		"":                         ids(queued, failed, waiting, theirs),
		"status=queued":            ids(queued, waiting),
		"status=failed":            ids(failed),
		"event=invoice.paid":       ids(theirs),
		"error=http":               ids(waiting),
		"tenant=" + other.String(): ids(theirs),
		"tenant=" + url.QueryEscape("Other & Sons"): ids(theirs),
		"tenant=Acme&status=queued":                 ids(queued, waiting),
		"tenant=nobody":                             {},
	} {
		a := b.get("/dashboard/sync?" + query)
		require.Equal(t, http.StatusOK, a.status, query)
		require.Equal(t, want, runsOn(a.body), query)
	}
	bogus := b.get("/dashboard/sync?status=nope")
	require.Equal(t, http.StatusBadRequest, bogus.status)
	require.Contains(t, bogus.body, "status=nope is not known; it is one of queued")
	require.Regexp(t, `Queued <span class="count">1</span>`, b.get("/dashboard/sync?error=http").body, "counts follow the other filters")
	require.Regexp(t, `All <span class="count">4</span>`, b.get("/dashboard/sync?status=failed").body, "and not the status")
	require.Contains(t, b.get("/dashboard/sync?status=queued").body, "in 12 s")
}

// Twenty runs, many of one moment, on pages of three: each is seen once, in order.
func Test_List_pages_show_every_run_once(t *testing.T) {
	t.Parallel()
	b := setup(t, pageSize(3))
	for i := range 20 {
		b.add("queued", columns{"received_at": now.Add(-time.Duration(i/8) * time.Microsecond)})
	}
	seen := map[string]bool{}
	path := "/dashboard/sync?status=queued"
	for page := 0; path != ""; page++ {
		require.Less(t, page, 8)
		a := b.get(path)
		require.Equal(t, http.StatusOK, a.status)
		for _, id := range runsOn(a.body) {
			require.False(t, seen[id], "twice: %s", id)
			seen[id] = true
		}
		path = ""
		if m := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(a.body); m != nil {
			path = unescape(m[1])
			require.Contains(t, path, "status=queued")
		}
	}
	require.Len(t, seen, 20)
}

func Test_List_refuses_what_it_cannot_search_for(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, query := range []string{"before=x", "before=" + url.QueryEscape("AAAA"), "tenant=%00", "status=%ff", "before=_________________________________w"} {
		a := b.get("/dashboard/sync?" + query)
		require.Equal(t, http.StatusBadRequest, a.status, query)
		require.Contains(t, a.body, "not understood")
	}
}

func Test_List_says_what_waits_for_what(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status string
		with   columns
		want   string
	}{
		"new":         {"queued", nil, "Waits for a worker to read the invoice from the shop"},
		"again":       {"queued", columns{"next_attempt_at": now.Add(90 * time.Second)}, "Waits to ask the shop again"},
		"ledger":      {"queued", columns{"stage": "post", "next_attempt_at": now.Add(90 * time.Second)}, "Waits to try Xero again"},
		"reading":     {"running", nil, "Reading the invoice from the shop"},
		"writing":     {"running", columns{"stage": "post"}, "Being written to Xero"},
		"mapping":     {"held", nil, "a setting that this document needs is missing"},
		"own word":    {"held", columns{"hold_reason": "some_new_reason"}, "Waits: some new reason"},
		"shop auth":   {"held", columns{"hold_reason": "auth", "stage": "fetch"}, "pair the shop again"},
		"ledger auth": {"held", columns{"hold_reason": "auth"}, "connect the organisation again"},
		"telling":     {"succeeded", columns{"stage": "push", "shop_told": "pending", "river_job_id": 7, "told_at": nil}, "In Xero; the shop is being told"},
		"told":        {"succeeded", nil, "In Xero; the shop knows"},
		"given up":    {"failed", columns{"error_code": "not_found", "shop_told": "given_up", "told_at": nil}, "The shop has no such document; the shop could not be told"},
		"skipped":     {"skipped_by_policy", columns{"skip_reason": "zero_value_invoice"}, "Left out on purpose: the invoice comes to zero; the shop knows"},
		"cancelled":   {"cancelled", nil, "Cancelled; the shop knows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.add(c.status, c.with)
			require.Contains(t, unescape(b.get("/dashboard/sync").body), c.want)
			require.Contains(t, unescape(b.get("/dashboard/sync/"+id.String()).body), c.want)
		})
	}
}

func Test_Paused_binding_is_named(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(`UPDATE bindings SET paused_until = $1`, now.Add(time.Minute))
	b.add("queued", columns{"stage": "post", "next_attempt_at": now.Add(time.Minute)})
	require.Contains(t, b.get("/dashboard/sync").body, "Xero asked for a pause; every run of this connection waits")
}

func Test_Numbers_of_documents_come_from_the_webhook(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, want := range map[string]string{
		`{"payload":{"increment_id":"000000042"}}`: ">Invoice 000000042<",
		`{"payload":{"increment_id":77}}`:          ">Invoice 77<",
		`{"payload":[]}`:                           ">Invoice #3001<",
		`{}`:                                       ">Invoice #3002<",
		`{"payload":{"increment_id":{"a":1}}}`:     ">Invoice #3003<",
		fmt.Sprintf(`{"payload":{"increment_id":"%0100d"}}`, 1):  ">Invoice #3004<",
		`{"x":"\u0000","payload":{"increment_id":"nul-inside"}}`: ">Invoice nul-inside<",
	} {
		id := int64(0)
		_, _ = fmt.Sscanf(want, ">Invoice #%d<", &id)
		b.entity = max(id-1, 0)
		if id == 0 {
			b.entity = int64(5000 + len(body))
		}
		b.add("queued", columns{"body": body})
		require.Contains(t, b.get("/dashboard/sync").body, want)
	}
}

// A clock that goes on by a second at each look makes every count take a while,
// so the next pages are served the same numbers.
func Test_Counts_that_took_long_are_kept_for_a_while(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	b := setup(t, func(c *dashboard.Config) {
		c.Now = func() time.Time { return now.Add(time.Duration(clock.Add(1)) * time.Second) }
	})
	b.add("queued", nil)
	require.Regexp(t, `All <span class="count">1</span>`, b.get("/dashboard/sync").body)
	b.add("queued", nil)
	a := b.get("/dashboard/sync")
	require.Regexp(t, `All <span class="count">1</span>`, a.body)
	require.Len(t, runsOn(a.body), 2, "the runs themselves are never old")
	require.Regexp(t, `All <span class="count">2</span>`, b.get("/dashboard/sync?event=invoice.created").body, "another filter is counted for itself")
	clock.Add(300)
	require.Regexp(t, `All <span class="count">2</span>`, b.get("/dashboard/sync").body)
}

func Test_List_finds_a_run_and_shows_its_buyer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	found := b.add("succeeded", columns{"received_at": now.Add(-48 * time.Hour)})
	other := b.add("succeeded", nil)
	b.exec(`INSERT INTO run_search VALUES ($1, $2, '100000001', 'Anna <Müller>', '119.00', 'EUR', array_to_tsvector('{100000001,müller,119.00}'))`,
		found, now.Add(-48*time.Hour))
	for _, q := range []string{"100000001", "M%C3%BCller", "119.00", found.String()} {
		a := b.get("/dashboard/sync?q=" + q)
		require.Equal(t, []string{found.String()}, runsOn(a.body), q)
		require.Contains(t, a.body, "119.00 EUR · Anna &lt;Müller&gt;")
	}
	require.Empty(t, runsOn(b.get("/dashboard/sync?q=nobody").body))
	require.Equal(t, []string{found.String()}, runsOn(b.get("/dashboard/sync?since=2026-04-27&until=2026-04-27").body))
	require.Equal(t, []string{other.String()}, runsOn(b.get("/dashboard/sync?since=2026-04-28").body))
	require.Equal(t, http.StatusBadRequest, b.get("/dashboard/sync?since=yesterday").status)
}

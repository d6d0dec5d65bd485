package dashboard_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const sent = `{"number":"INV-1","currency":"GBP","sub_total":"3207.02","total_tax":"641.4","total":"3848.42","rounding":"0"}`

func Test_Totals_that_differ_in_the_ledger_are_said(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("succeeded", columns{
		"provider_reference": "INV-1", "provider_url": "https://go.xero.com/1", "canonical": `{"grand_total":3848.42,"currency":"GBP"}`,
		"document": sent, "variance": `{"total":{"ours":"3848.42","theirs":"4204.2"},"total_tax":{"ours":"641.4","theirs":"997.18"}}`,
	})
	list, page := unescape(b.get("/dashboard/sync").body), unescape(b.get("/dashboard/sync/"+id.String()).body)
	for _, body := range []string{list, page} {
		require.Contains(t, body, ">Total differs</span>", "in words, beside the status")
		require.Contains(t, body, "with other sums than were sent (total sent 3848.42, in Xero 4204.20); the shop knows")
	}
	for _, want := range []string{
		"<dt>Total sent</dt><dd class=\"figures\">3848.42 GBP", "3207.02 + 641.40 tax",
		"<dt>Total in the ledger</dt><dd class=\"figures\"><strong>4204.20 GBP</strong>", "<dt>Total in the shop</dt><dd class=\"figures\">3848.42 GBP",
		`Tax sent <strong class="figures">641.40 GBP</strong>, in the ledger <strong class="figures">997.18 GBP</strong>`,
		"does not come to what the shop says", `Look at <a href="https://go.xero.com/1"`, "Towpath does not change it",
	} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "Total in Xero")
}

func Test_Tax_alone_that_differs_is_not_called_the_total(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("succeeded", columns{"document": sent, "variance": `{"total_tax":{"ours":"641.4","theirs":"641.41"},"sub_total":{"ours":"3207.02","theirs":"3207.01"}}`})
	page := unescape(b.get("/dashboard/sync/" + id.String()).body)
	require.Contains(t, page, ">Tax differs</span>")
	require.Contains(t, page, "(tax sent 641.40, in Xero 641.41)")
	require.Contains(t, page, "comes to the total that was sent")
	require.NotContains(t, page, "Total in the ledger")
	require.NotContains(t, page, "does not come to")
}

func Test_Totals_that_agree_are_not_called_different(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, variance := range []any{nil, `null`, `{}`, `[]`, `{"total":null}`} {
		id := b.add("succeeded", columns{"document": sent, "variance": variance})
		page := b.get("/dashboard/sync/" + id.String()).body
		require.NotContains(t, page, "differs")
		require.NotContains(t, page, "Total in the ledger")
		require.Contains(t, page, "<dt>Total sent</dt>")
	}
	require.NotContains(t, b.get("/dashboard/sync").body, "differs")
}

func Test_Figures_of_a_difference_stay_text(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("succeeded", columns{"variance": `{"total":{"ours":"<script>alert(1)</script>","theirs":{"a":1}}}`})
	for _, path := range []string{"/dashboard/sync", "/dashboard/sync/" + id.String()} {
		require.NotContains(t, b.get(path).body, "<script>")
	}
}

func Test_Failed_run_is_listed_with_the_ledgers_own_words(t *testing.T) {
	t.Parallel()
	refusal := columns{"error_code": "validation", "error_message": "Xero refused the data", "error_detail": "Email address\n must be <b>valid</b>."}
	b := setup(t)
	b.add("failed", refusal)
	body := b.get("/dashboard/sync").body
	require.Contains(t, body, "Email address must be &lt;b&gt;valid&lt;/b&gt;.")
	require.NotContains(t, body, "Xero refused the data")

	for name, c := range map[string]struct {
		status string
		detail any
		want   string
	}{
		"without a detail": {"failed", nil, "Xero refused the data"},
		"an empty detail":  {"failed", " \n", "Xero refused the data"},
		"one still held":   {"held", "more", "Xero refused the data"},
		"a long one":       {"failed", strings.Repeat("ü", 5000), strings.Repeat("ü", 300) + "…<"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.add(c.status, columns{"error_code": "validation", "error_message": "Xero refused the data", "error_detail": c.detail})
			require.Contains(t, b.get("/dashboard/sync").body, c.want)
		})
	}
}

func Test_Amounts_have_two_decimals_at_least(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for stored, shown := range map[string]string{
		`"956.7"`: "956.70 GBP", `956.7`: "956.70 GBP", `"12"`: "12.00 GBP", `"-3.5"`: "-3.50 GBP", `"1.2345"`: "1.2345 GBP",
		`"1e99999999"`: "1e99999999 GBP", `"n/a"`: "n/a GBP",
	} {
		id := b.add("succeeded", columns{"document": fmt.Sprintf(`{"currency":"GBP","sub_total":%s,"total_tax":"0","total":%[1]s,"rounding":"0.1"}`, stored),
			"canonical": fmt.Sprintf(`{"grand_total":%s,"currency":"GBP"}`, stored)})
		body := b.get("/dashboard/sync/" + id.String()).body
		require.Equal(t, 2, strings.Count(body, ">"+shown), "sent and in the shop: %s", shown)
		require.Contains(t, body, "+ 0.00 tax)")
		require.Contains(t, body, ">0.10<", "rounding line")
	}
}

func Test_Pause_of_a_binding_is_shown_until_it_is_over(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("queued", columns{"stage": "post"})
	for until, shown := range map[time.Duration]bool{time.Minute: true, 0: false, -time.Minute: false} {
		b.exec(`UPDATE bindings SET paused_until = $1`, now.Add(until))
		require.Equal(t, shown, strings.Contains(b.get("/dashboard/sync/"+id.String()).body, "Binding paused until"), "%s", until)
	}
}

package main

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/pgdb/pgtest"
)

var backfillInvoices = flag.Int("backfill.invoices", 60, "invoices of the backfill through Xero's own limits; the soak has 5,000")

// The estimate is an upper bound by the provider's limits of calls, so it is the calls
// that are compared with it: the time beside it is the machine's too.
func Test_A_backfill_posts_each_invoice_once_with_the_calls_of_its_estimate(t *testing.T) {
	pgtest.Long(t)
	t.Parallel()
	s := newSoak(t)
	s.process(t)
	totals := map[string]string{}
	for range *backfillInvoices {
		inv := s.shop.RaiseInvoice(demo.Cart())
		totals[inv.IncrementID] = inv.GrandTotal
	}
	var binding string
	require.NoError(t, s.pool.QueryRow(t.Context(), `SELECT id::text FROM bindings`).Scan(&binding))

	began := time.Now()
	var got filled
	decode(t, s.must(t, "backfill", "--binding", binding, "--event", "invoice.created",
		"--ids", fmt.Sprintf("1-%d", *backfillInvoices), "--wait", "--json"), &got)
	took := time.Since(began)
	calls := 0
	for _, n := range s.xero.AllCalls() {
		calls += n
	}
	t.Logf("%d invoices took %s and %d calls; the estimate was %.0f s at most", got.Accepted, took.Round(time.Second), calls, got.EstimateSeconds)
	require.LessOrEqual(t, float64(calls)/float64(xeroLimits.PerMinute)*60, got.EstimateSeconds, "seconds that these calls take by Xero's limit")
	require.Equal(t, map[string]int{"succeeded": *backfillInvoices}, got.Runs)
	require.Len(t, s.xero.Invoices(), *backfillInvoices)
	for _, inv := range s.xero.Invoices() {
		require.Equal(t, totals[inv.Number], inv.Total)
		delete(totals, inv.Number)
	}
	require.Empty(t, totals)
	s.must(t, "verify")
}

package xero_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
	"towpath/pkg/provider/xero/xerosim"
)

// lab posts drawn invoices into a simulated organisation that knows every rate
// that is drawn.
type lab struct {
	sim     *xerosim.Sim
	client  *xero.Client
	pol     policy.Policy
	ref     provider.Reference
	contact string
}

func newLab(t require.TestingT) *lab {
	l := &lab{sim: xerosim.New(xerosim.Config{OrgID: testOrg}), pol: samplePolicy()}
	l.pol.TaxRateMap = map[string]string{}
	for _, rate := range canontest.Rates() {
		taxType := "TAX" + rate.String()
		require.NoError(t, l.sim.AddTaxRate(taxType, rate.String()))
		l.pol.TaxRateMap[rate.StringFixed(2)] = taxType
	}
	l.client = directClient(t, l.sim)
	var err error
	l.ref, err = l.client.Reference(rapidContext())
	require.NoError(t, err)
	l.contact = l.sim.AddContact("1", "Somebody")
	return l
}

// post builds and posts inv under a number of its own; nil where it is held.
func (l *lab) post(t require.TestingT, inv canon.Invoice, number string) (*provider.Document, *provider.Failure) {
	inv.IncrementID = number
	doc, err := l.client.Document(inv, l.pol, l.ref, l.contact, runURL)
	if err != nil {
		return nil, failure(t, err)
	}
	_, err = ensureInvoice(rapidContext(), l.client, doc, provider.Try{Key: number})
	require.NoError(t, err, "%s", doc.Body)
	return &doc, nil
}

// For any invoice that a shop can compute: what is posted comes to the grand
// total by the simulated Xero's own arithmetic, which is the predicted one; or
// the run is held, and then for a reason that can be checked. The number of
// cases is -rapid.checks.
func Test_Any_invoice_is_exact_or_held(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := newLab(t)
		inv := canontest.DrawInvoice(t)
		doc, held := l.post(t, inv, inv.IncrementID)
		if held != nil {
			requireJustified(t, held, inv)
			return
		}
		posted := l.sim.Invoices()[0]
		require.Equal(t, inv.GrandTotal.StringFixed(2), posted.Total)
		require.Equal(t, doc.Total.StringFixed(2), posted.Total)
		require.Equal(t, doc.SubTotal.StringFixed(2), posted.SubTotal)
		require.Equal(t, doc.TotalTax.StringFixed(2), posted.TotalTax)
		require.False(t, doc.Rounding.Abs().GreaterThan(l.pol.RoundingTolerance))
		requireShopsTax(t, inv, posted)
		requireRatesExplain(t, posted)
	})
}

// requireJustified: of the shop's invoices with every rate mapped, only those
// are held whose rows and header differ by more than the tolerance. A header
// rounded otherwise than its rows can even come out below zero, under a discount
// of everything: no ledger takes that.
func requireJustified(t require.TestingT, held *provider.Failure, inv canon.Invoice) {
	if inv.GrandTotal.IsNegative() {
		require.Equal(t, provider.Refused, held.Kind)
		return
	}
	require.Equal(t, provider.Held, held.Kind)
	require.Equal(t, "total_mismatch", held.Reason, held.Error())
	require.True(t, rowsMissHeader(inv).GreaterThan(dec("0.05")), "%s, rows miss the header by %s", held, rowsMissHeader(inv))
}

func rowsMissHeader(inv canon.Invoice) decimal.Decimal {
	tax := inv.ShippingTax
	for _, l := range inv.Lines {
		tax = tax.Add(l.LineTax)
	}
	return tax.Sub(inv.TaxAmount).Abs()
}

// requireShopsTax: the tax in Xero is the sum of the shop's rows.
func requireShopsTax(t require.TestingT, inv canon.Invoice, posted xerosim.Invoice) {
	want := inv.ShippingTax
	for _, l := range inv.Lines {
		want = want.Add(l.LineTax)
	}
	require.Equal(t, want.StringFixed(2), posted.TotalTax)
}

// requireRatesExplain: no line with tax is of a zero rate.
func requireRatesExplain(t require.TestingT, posted xerosim.Invoice) {
	for _, line := range posted.Lines {
		if line.TaxType == "TAX0" || line.TaxType == "NONE" {
			require.Equal(t, "0.00", line.TaxAmount, line.Description)
		}
	}
}

var counted = flag.Int("invoices", 500, "how many random invoices to count")

// Of drawn invoices most need no rounding line. The figures are printed: `go
// test -run are_counted -v -invoices 10000`.
func Test_Random_invoices_are_counted(t *testing.T) {
	t.Parallel()
	draw := rapid.Custom(canontest.DrawInvoice)
	counts := map[string]int{}
	var l *lab
	n := *counted
	for i := range n {
		if i%500 == 0 {
			l = newLab(t) // the simulated Xero looks numbers up one by one
		}
		inv := draw.Example(i)
		doc, held := l.post(t, inv, fmt.Sprintf("N%d", i))
		switch {
		case held != nil:
			counts["held "+held.Reason]++
		case doc.Rounding.IsZero():
			counts["exact"]++
		default:
			counts["rounding line"]++
		}
	}
	t.Logf("of %d random invoices: %v", n, counts)
	require.Zero(t, counts["held tax_rate_not_mapped"])
	require.Greater(t, counts["exact"], n/3)
}

package xero_test

import (
	"encoding/json"
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/policy"
	"towpath/pkg/pricing/advice"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
	"towpath/pkg/provider/xero/xerosim"
)

// lab posts drawn invoices into a simulated organisation that knows every rate
// that is drawn, 20 % also for Austria.
type lab struct {
	sim     *xerosim.Sim
	client  *xero.Client
	pol     policy.Policy
	ref     provider.Reference
	contact string
	// percents of the tax types that may be chosen
	percents map[string]string
}

var drawnAt = time.Date(2026, 4, 29, 9, 59, 58, 0, time.UTC)

func newLab(t require.TestingT) *lab {
	l := &lab{sim: xerosim.New(xerosim.Config{OrgID: testOrg}), pol: samplePolicy(), percents: map[string]string{"AT20": "20"}}
	l.pol.TaxRateMap = map[string]string{}
	for _, rate := range canontest.Rates() {
		taxType := "TAX" + rate.String()
		require.NoError(t, l.sim.AddTaxRate(taxType, rate.String()))
		l.pol.TaxRateMap[policy.PercentText(rate)], l.percents[taxType] = taxType, rate.String()
	}
	require.NoError(t, l.sim.AddTaxRate("AT20", "20"))
	l.pol.TaxRateMap["AT:20.00"] = "AT20"
	l.pol.PaidOtherwiseAccount, l.pol.ChargesAccount = "880", "260"
	l.client = directClient(t, l.sim)
	var err error
	l.ref, err = l.client.Reference(rapidContext())
	require.NoError(t, err)
	l.contact = l.sim.AddContact("1", "Somebody")
	return l
}

// taxType is the one that the shop's rate of item has.
func (l *lab) taxType(cart magentosim.Cart, item magentosim.Item) string {
	if cart.ShippingAddress != nil && cart.ShippingAddress.CountryID == "AT" && item.TaxPercent.Equal(dec("20")) {
		return "AT20"
	}
	return "TAX" + item.TaxPercent.String()
}

// For any invoice that a shop can compute: the document comes to the grand total,
// half up to pence, and its tax to the header's; each line's tax type is that of
// the rate that was drawn, or one that explains the line's tax just as well; or the
// run is held, with advice that the policy's check accepts. One case in two hundred
// is posted, and the simulated Xero comes to the same sums by its own arithmetic.
// The number of cases is -rapid.checks.
func Test_Any_invoice_is_exact_or_held(t *testing.T) {
	t.Parallel()
	l, n := newLab(t), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		cart := canontest.DrawCart(t)
		inv := cart.Invoice(int64(n), drawnAt)
		doc, err := l.client.Document(inv, l.pol, l.ref, l.contact, runURL)
		if err != nil {
			requireHeld(t, err)
			advice.RequireAccepted(t, provider.AsFailure(err).Message, l.pol, l.ref, provider.WireAccounting)
			return
		}
		require.Equal(t, inv.GrandTotal.StringFixed(2), doc.Total.StringFixed(2))
		require.Equal(t, inv.TaxAmount.StringFixed(2), doc.TotalTax.StringFixed(2))
		require.False(t, doc.Rounding.Abs().GreaterThan(l.pol.RoundingTolerance))
		lines := linesIn(t, doc)
		requireSums(t, doc, lines)
		l.requireTypes(t, cart, inv, lines)
		if n%200 == 0 {
			l.requirePosts(t, doc)
		}
	})
}

// requireHeld: an invoice that is not posted is held for its amounts, or refused
// for a total below zero, which a header that is rounded otherwise than its rows
// comes to under a discount of everything.
func requireHeld(t require.TestingT, err error) {
	f := failure(t, err)
	if f.Kind == provider.Refused {
		require.Contains(t, f.Message, "negative")
		return
	}
	require.Equal(t, provider.Held, f.Kind, f.Error())
	require.Contains(t, []string{provider.HeldTotalMismatch, provider.HeldTaxRateNotMapped}, f.Reason, f.Error())
}

type bodyLine struct {
	Description, TaxType                            string
	Quantity, UnitAmount, DiscountAmount, TaxAmount json.Number
}

// gross and net are the line's amounts by Xero's arithmetic.
func (l bodyLine) gross() decimal.Decimal {
	return dec(l.Quantity.String()).Mul(dec(l.UnitAmount.String()))
}

func (l bodyLine) net() decimal.Decimal {
	if l.DiscountAmount == "" {
		return l.gross().Round(2)
	}
	return l.gross().Sub(dec(l.DiscountAmount.String())).Round(2)
}

func linesIn(t require.TestingT, doc provider.Document) []bodyLine {
	var body struct {
		Invoices []struct{ LineItems []bodyLine }
	}
	require.NoError(t, json.Unmarshal(doc.Body, &body))
	return body.Invoices[0].LineItems
}

// requireSums: the body comes to the document's sums by Xero's arithmetic.
func requireSums(t require.TestingT, doc provider.Document, lines []bodyLine) {
	net, tax := decimal.Zero, decimal.Zero
	for _, line := range lines {
		net, tax = net.Add(line.net()), tax.Add(dec(line.TaxAmount.String()))
	}
	require.True(t, net.Equal(doc.SubTotal) && tax.Equal(doc.TotalTax) && net.Add(tax).Equal(doc.Total), "%s", doc.Body)
}

// requireTypes: a product's tax type is the drawn one; where it is another, that
// one gives the shop's tax of the row on the line's net but for the shop's ways of
// rounding, so that nobody could tell. It is the row's tax that is asked: pennies
// by which the shop's header differs from its rows are on the lines' besides.
func (l *lab) requireTypes(t require.TestingT, cart magentosim.Cart, inv canon.Invoice, lines []bodyLine) {
	products := slices.DeleteFunc(slices.Clone(lines), func(line bodyLine) bool { return strings.HasPrefix(line.Description, "Discount on ") })
	rows := canontest.KeptRows(cart, inv)
	for n, item := range canontest.Kept(cart, inv) {
		line := products[n]
		if line.TaxType == l.taxType(cart, item) {
			continue
		}
		percent, tax := dec(l.percents[line.TaxType]).Shift(-2), rows[n].LineTax
		off := decimal.Min(line.net().Mul(percent).Sub(tax).Abs(), line.gross().Mul(percent).Sub(tax).Abs())
		allowed := decimal.Max(dec("0.03"), item.Qty.Shift(-2).Add(dec("0.01")))
		require.True(t, off.LessThanOrEqual(allowed), "line %+v for the shop's %+v as %s, drawn %s, in %+v", line, rows[n], line.TaxType, item.TaxPercent, inv)
	}
}

func (l *lab) requirePosts(t require.TestingT, doc provider.Document) {
	_, err := ensureInvoice(rapidContext(), l.client, doc, provider.Try{Key: doc.Number})
	require.NoError(t, err, "%s", doc.Body)
	all := l.sim.Invoices()
	posted := all[len(all)-1]
	require.Equal(t, doc.Number, posted.Number)
	require.Equal(t, doc.Total.StringFixed(2), posted.Total)
	require.Equal(t, doc.SubTotal.StringFixed(2), posted.SubTotal)
	require.Equal(t, doc.TotalTax.StringFixed(2), posted.TotalTax)
}

var counted = flag.Int("invoices", 500, "how many random invoices to count")

// Of drawn invoices most are exact. The figures are printed: `go test -run
// are_counted -v -invoices 10000`.
func Test_Random_invoices_are_counted(t *testing.T) {
	t.Parallel()
	draw := rapid.Custom(canontest.DrawInvoice)
	counts := map[string]int{}
	l, n := newLab(t), *counted
	for i := range n {
		doc, err := l.client.Document(draw.Example(i), l.pol, l.ref, l.contact, runURL)
		switch {
		case err != nil:
			f := failure(t, err)
			counts[strings.TrimSpace(string(f.Kind)+" "+f.Reason)]++
		case doc.Rounding.IsZero():
			counts["exact"]++
		default:
			counts["rounding line"]++
		}
	}
	t.Logf("of %d random invoices: %v", n, counts)
	require.Greater(t, counts["exact"], n*4/5)
}

package freeagent

import (
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/policy"
	"towpath/pkg/pricing/advice"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

// anyRate is a ledger and a policy with every rate that an invoice may be drawn
// with.
func anyRate() (freeagentsim.Config, policy.Policy) {
	cfg, pol := freeagentsim.Config{Now: testNow}, testPolicy()
	for _, rate := range canontest.Rates() {
		text := rate.String()
		if rate.IsInteger() {
			text += ".0"
		}
		cfg.Rates = append(cfg.Rates, text)
		pol.TaxRateMap[policy.PercentText(rate)] = "ANY"
	}
	pol.PaidOtherwiseAccount, pol.ChargesAccount = "051", "002"
	return cfg, pol
}

// Whatever a shop can compute: the document comes, by the wire's arithmetic, to the
// grand total, half up to pence, and its tax to the header's; each item's rate is
// the drawn one, or one that explains the line's tax just as well; or it is held,
// with advice that the policy's check accepts. One case in two hundred is posted,
// and the ledger comes to the same sums.
func TestAnyInvoice_posted_to_the_penny_or_held(t *testing.T) {
	t.Parallel()
	cfg, pol := anyRate()
	sim := freeagentsim.New(cfg)
	client := clientOf(t, sim)
	ref, err := client.Reference(t.Context())
	require.NoError(t, err)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		cart := canontest.DrawCart(rt)
		inv := cart.Invoice(int64(n), testNow())
		contact := testBase + "/v2/contacts/1"
		if n%200 == 0 {
			contact, err = ensureContact(t.Context(), client, policy.BuyerOf(inv, pol), provider.Try{})
			require.NoError(rt, err)
		}
		doc, err := client.Document(inv, pol, ref, contact, "")
		if err != nil {
			requireHeld(rt, err)
			advice.RequireAccepted(rt, provider.AsFailure(err).Message, pol, ref, provider.WireV2)
			return
		}
		requireEqual(rt, inv.GrandTotal.Round(2), doc.Total)
		requireEqual(rt, inv.TaxAmount.Round(2), doc.TotalTax)
		require.True(rt, doc.Rounding.Abs().LessThanOrEqual(pol.RoundingTolerance))
		items := requireSums(rt, doc)
		requireRates(rt, cart, inv, items)
		if n%200 == 0 {
			requirePosts(rt, client, sim, doc)
		}
	})
}

// requireHeld: what is not posted is held for its amounts, or refused for a total
// below zero, a penny by the shop's rounding.
func requireHeld(t require.TestingT, err error) {
	f := provider.AsFailure(err)
	if f.Kind == provider.Refused {
		require.Contains(t, f.Message, "negative")
		return
	}
	require.Equal(t, provider.Held, f.Kind, f.Error())
	require.Contains(t, []string{provider.HeldTotalMismatch, provider.HeldTaxRateNotMapped}, f.Reason, f.Error())
}

// requireSums: the body comes to the document's sums by the wire's arithmetic.
func requireSums(t require.TestingT, doc provider.Document) []itemBody {
	var body invoiceEnvelope
	require.NoError(t, json.Unmarshal(doc.Body, &body))
	net, tax := decimal.Zero, decimal.Zero
	for _, i := range body.Invoice.Items {
		amount := dec(i.Quantity).Mul(dec(i.Price)).Round(2)
		net, tax = net.Add(amount), tax.Add(amount.Mul(dec(i.SalesTaxRate)).Shift(-2).Round(2))
	}
	require.True(t, net.Equal(doc.SubTotal) && tax.Equal(doc.TotalTax) && net.Add(tax).Equal(doc.Total), "%s", doc.Body)
	return body.Invoice.Items
}

// requireRates: a product's rate is the drawn one; where it is another, that one
// gives the same tax on the line but for the shop's ways of rounding.
func requireRates(t require.TestingT, cart magentosim.Cart, inv canon.Invoice, items []itemBody) {
	taxes := canontest.KeptRows(cart, inv)
	for n, item := range canontest.Kept(cart, inv) {
		rate := dec(items[n].SalesTaxRate)
		if rate.Equal(item.TaxPercent) {
			continue
		}
		off := dec(items[n].Quantity).Mul(dec(items[n].Price)).Mul(rate).Shift(-2).Sub(taxes[n].LineTax).Abs()
		allowed := decimal.Max(dec("0.03"), item.Qty.Shift(-2).Add(dec("0.01")))
		require.True(t, off.LessThanOrEqual(allowed), "%s taxed %s at %s, drawn %s", items[n].Description, taxes[n].LineTax, rate, item.TaxPercent)
	}
}

func requirePosts(t require.TestingT, client *Client, sim *freeagentsim.Server, doc provider.Document) {
	posted, err := ensureInvoice(context.Background(), client, doc, provider.Try{})
	require.NoError(t, err)
	total, found := sim.Total(doc.Number)
	require.True(t, found)
	requireEqual(t, doc.Total, total)
	requireEqual(t, doc.SubTotal, posted.SubTotal.Decimal)
}

// Two runs over the same invoice give the same bytes: the intent's hash and a
// look-up after a crash rely on it.
func TestAnyInvoice_same_body_twice(t *testing.T) {
	t.Parallel()
	_, pol := anyRate()
	client := clientOf(t, http.NotFoundHandler())
	rapid.Check(t, func(rt *rapid.T) {
		inv := canontest.DrawInvoice(rt)
		one, errOne := client.Document(inv, pol, provider.Reference{}, "c", "")
		two, errTwo := client.Document(inv, pol, provider.Reference{}, "c", "")
		require.Equal(rt, errOne, errTwo)
		require.Equal(rt, string(one.Body), string(two.Body))
	})
}

var counted = flag.Int("invoices", 500, "how many random invoices to count")

// Of drawn invoices most are exact, a part of them with a correction of the tax.
// The figures are printed: `go test -run are_counted -v -invoices 10000`.
func TestRandomInvoices_are_counted(t *testing.T) {
	t.Parallel()
	_, pol := anyRate()
	client := clientOf(t, http.NotFoundHandler())
	draw := rapid.Custom(canontest.DrawInvoice)
	counts, n := map[string]int{}, *counted
	for seed := range n {
		doc, err := client.Document(draw.Example(seed), pol, provider.Reference{}, "c", "")
		corrected := slices.ContainsFunc(doc.Notes, func(note string) bool { return strings.HasPrefix(note, "tax at ") })
		switch {
		case err != nil:
			f := provider.AsFailure(err)
			counts[strings.TrimSpace(string(f.Kind)+" "+f.Reason)]++
		case !doc.Rounding.IsZero():
			counts["rounding item"]++
		case corrected:
			counts["exact, tax corrected"]++
		default:
			counts["exact"]++
		}
	}
	t.Logf("of %d random invoices: %v", n, counts)
	require.Greater(t, counts["exact"]+counts["exact, tax corrected"], n*4/5)
}

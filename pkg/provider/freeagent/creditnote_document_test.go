package freeagent

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/pricing/advice"
	"towpath/pkg/provider"
)

func buildCredit(t *testing.T, memo canon.CreditMemo, pol policy.Policy, ref provider.Reference) (provider.Document, creditNoteBody) {
	t.Helper()
	doc, err := clientOf(t, http.NotFoundHandler()).CreditNote(memo, pol, ref, "https://l.test/v2/contacts/1", "")
	require.NoError(t, err)
	var body creditNoteEnvelope
	require.NoError(t, json.Unmarshal(doc.Body, &body))
	return doc, body.CreditNote
}

// Each is the golden file's and comes to what the buyer got back, below nothing.
func TestCreditNote_comes_to_what_the_buyer_got_back(t *testing.T) {
	t.Parallel()
	for _, m := range canontest.Memos() {
		doc, _ := buildCredit(t, m.Memo, everyAccount(), provider.Reference{})
		golden(t, m.Name, doc)
		requireEqual(t, m.Memo.GrandTotal, doc.Total)
		requireCredited(t, doc)
	}
}

// requireCredited: the body comes, by the wire's arithmetic, to the document's sums
// below nothing.
func requireCredited(t require.TestingT, doc provider.Document) {
	var body creditNoteEnvelope
	require.NoError(t, json.Unmarshal(doc.Body, &body))
	net, tax := decimal.Zero, decimal.Zero
	for _, i := range body.CreditNote.Items {
		amount := dec(i.Quantity).Mul(dec(i.Price)).Round(2)
		net, tax = net.Add(amount), tax.Add(amount.Mul(dec(i.SalesTaxRate)).Shift(-2).Round(2))
	}
	require.True(t, net.Neg().Equal(doc.SubTotal) && tax.Neg().Equal(doc.TotalTax) && doc.SubTotal.Add(doc.TotalTax).Equal(doc.Total), "%s", doc.Body)
}

func TestCreditNote_header(t *testing.T) {
	t.Parallel()
	memo, pol := canontest.Sale().Row("Chair", "1", "60", "60", "12", "0").In("USD", "1.25").Memo("72", "0", "0"), testPolicy()
	pol.NumberPrefixByStore, pol.V2InvoiceStatus, pol.ShopBaseCurrency.Code = map[string]string{"2": "B-"}, "Sent", "GBP"
	memo.StoreID = 2
	ref := provider.Reference{Organisation: provider.Organisation{BaseCurrency: "GBP"}}
	doc, body := buildCredit(t, memo, pol, ref)
	require.Equal(t, []string{"B-900000009", "B-900000009", "Sent"}, []string{doc.Number, body.Reference, doc.Status})
	require.Equal(t, []string{"2026-05-07", "USD", "0.8", "Invoice: B-700000007"}, []string{body.DatedOn, body.Currency, body.ExchangeRate, body.Comments})
	require.Equal(t, "-60.00", body.Items[0].Price)
	memo.InvoiceID, memo.InvoiceIncrementID = nil, nil
	_, body = buildCredit(t, memo, pol, ref)
	require.Empty(t, body.Comments, "a refund from the order")
}

// For any credit memo that a shop can make: the credit note comes, by the wire's
// arithmetic, to the memo's grand total and its tax (or that of its invoice's header,
// where that takes all); or it is held, with advice that
// the policy's check accepts.
func TestAnyCreditMemo_to_the_penny_or_held(t *testing.T) {
	t.Parallel()
	_, pol := anyRate()
	client := clientOf(t, http.NotFoundHandler())
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		memo := canontest.DrawMemo(rt, int64(n))
		doc, err := client.CreditNote(memo, pol, provider.Reference{}, testBase+"/v2/contacts/1", "")
		if err != nil {
			f := provider.AsFailure(err)
			if f.Kind == provider.Refused {
				require.Contains(rt, f.Message, "gives nothing back")
				return
			}
			require.Contains(rt, []string{provider.HeldTotalMismatch, provider.HeldTaxRateNotMapped}, f.Reason, f.Error())
			advice.RequireAccepted(rt, f.Message, pol, provider.Reference{}, provider.WireV2)
			return
		}
		tax := memo.ShippingTax
		for _, line := range memo.Lines {
			tax = tax.Add(line.LineTax)
		}
		requireEqual(rt, memo.GrandTotal.Round(2), doc.Total)
		if !strings.Contains(strings.Join(doc.Notes, "\n"), "the rounding of its invoice's tax") {
			requireEqual(rt, tax.Round(2), doc.TotalTax)
		}
		require.True(rt, doc.Rounding.Abs().LessThanOrEqual(pol.RoundingTolerance))
		requireCredited(rt, doc)
	})
}

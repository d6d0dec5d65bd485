package xero_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/pricing/advice"
	"towpath/pkg/provider"
)

// For any credit memo that a shop can make: the credit note comes to the memo's grand
// total by Xero's arithmetic, its tax to the lines' and the shipping's (or to what its
// invoice's header had, where that takes all), without a discount on a line; or the run is held, with advice that the policy's check accepts.
func Test_Any_credit_memo_is_exact_or_held(t *testing.T) {
	t.Parallel()
	l, n := newLab(t), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		memo := canontest.DrawMemo(t, int64(n))
		doc, err := l.client.CreditNote(memo, l.pol, l.ref, l.contact, "")
		if err != nil {
			requireMemoHeld(t, err)
			advice.RequireAccepted(t, provider.AsFailure(err).Message, l.pol, l.ref, provider.WireAccounting)
			return
		}
		tax := memo.ShippingTax
		for _, line := range memo.Lines {
			tax = tax.Add(line.LineTax)
		}
		require.Equal(t, memo.GrandTotal.StringFixed(2), doc.Total.StringFixed(2))
		if !strings.Contains(strings.Join(doc.Notes, "\n"), "the rounding of its invoice's tax") {
			require.Equal(t, tax.StringFixed(2), doc.TotalTax.StringFixed(2))
		}
		require.False(t, doc.Rounding.Abs().GreaterThan(l.pol.RoundingTolerance))
		requireSums(t, doc, creditLinesIn(t, doc))
	})
}

func requireMemoHeld(t require.TestingT, err error) {
	f := failure(t, err)
	if f.Kind == provider.Refused {
		require.Contains(t, f.Message, "gives nothing back")
		return
	}
	require.Equal(t, provider.Held, f.Kind, f.Error())
	require.Contains(t, []string{provider.HeldTotalMismatch, provider.HeldTaxRateNotMapped}, f.Reason, f.Error())
}

func creditLinesIn(t require.TestingT, doc provider.Document) []bodyLine {
	var body struct {
		CreditNotes []struct{ LineItems []bodyLine }
	}
	require.NoError(t, json.Unmarshal(doc.Body, &body))
	for _, line := range body.CreditNotes[0].LineItems {
		require.Empty(t, line.DiscountAmount)
	}
	return body.CreditNotes[0].LineItems
}

// Of drawn memos most are exact. The figures are printed: `go test -run
// memos_are_counted -v -invoices 10000`.
func Test_Random_credit_memos_are_counted(t *testing.T) {
	t.Parallel()
	draw := rapid.Custom(func(t *rapid.T) canon.CreditMemo { return canontest.DrawMemo(t, 1) })
	counts := map[string]int{}
	l, n := newLab(t), *counted
	for i := range n {
		doc, err := l.client.CreditNote(draw.Example(i), l.pol, l.ref, l.contact, "")
		switch {
		case err != nil:
			f := failure(t, err)
			counts[string(f.Kind)+" "+f.Reason]++
		case doc.Rounding.IsZero():
			counts["exact"]++
		case doc.Rounding.Abs().Equal(decimal.New(1, -2)):
			counts["a cent off"]++
		default:
			counts["rounding line"]++
		}
	}
	t.Logf("of %d random credit memos: %v", n, counts)
	require.Greater(t, counts["exact"]+counts["a cent off"], n*4/5)
}

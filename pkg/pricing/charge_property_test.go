package pricing_test

import (
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/pricing"
)

func allRates() pricing.Settings {
	set := settings()
	set.Rates = pricing.Rates{}
	for _, p := range canontest.Rates() {
		set.Rates.Known = append(set.Rates.Known, pricing.Rate{Percent: decimal.NewNullDecimal(p), Type: "T" + p.String()})
	}
	set.Rates.Zero = &set.Rates.Known[0]
	return set
}

// Where the shop charged nothing beside the lines, and no gift card paid, no line of
// an invoice says so, and of a thousand credit memos at most one does: hundreds of
// pieces of pennies can be read in several ways.
func Test_Nothing_is_booked_as_a_charge_that_was_none(t *testing.T) {
	t.Parallel()
	set, n := allRates(), 2000
	draw := rapid.Custom(func(t *rapid.T) [2]pricing.Sale {
		cart := canontest.DrawCart(t)
		cart.Charge, cart.PaidOtherwise = decimal.Zero, decimal.Zero
		return [2]pricing.Sale{
			pricing.Invoice(cart.Invoice(1, time.Unix(1_777_000_000, 0))), pricing.CreditMemo(canontest.DrawMemoOf(t, cart, 1)),
		}
	})
	var booked, held [2]int
	for i := range n {
		for which, sale := range draw.Example(i) {
			got, err := pricing.Price(sale, set)
			if err != nil {
				held[which]++
			} else if slices.ContainsFunc(got.Lines, func(l pricing.Line) bool { return l.Kind == pricing.Charge || l.Kind == pricing.PaidOtherwise }) {
				booked[which]++
			}
		}
	}
	t.Logf("of %d invoices and as many memos held or refused %v, booked as a charge %v", n, held, booked)
	require.Zero(t, booked[0])
	require.LessOrEqual(t, booked[1]*1000, n)
}

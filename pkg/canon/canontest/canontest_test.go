package canontest_test

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
)

// What the contract says of every invoice holds for the samples and for all
// that is drawn.
func Test_Invoices_keep_the_contract(t *testing.T) {
	t.Parallel()
	for _, s := range canontest.Samples(t) {
		keepsTheContract(t, s.Invoice)
	}
	rapid.Check(t, func(t *rapid.T) {
		cart := canontest.DrawCart(t)
		cart.Charge, cart.PaidOtherwise, cart.CouponOnGross, cart.Decimals = decimal.Zero, decimal.Zero, false, 2
		keepsTheContract(t, canontest.Invoice(t, cart))
	})
}

func keepsTheContract(t require.TestingT, inv canon.Invoice) {
	sum := inv.Subtotal.Add(inv.TaxAmount).Add(inv.ShippingAmount).Add(inv.DiscountAmount)
	require.True(t, sum.Equal(inv.GrandTotal), "grand total %s of %s", inv.GrandTotal, sum)
	require.False(t, inv.DiscountAmount.IsPositive())
	require.False(t, inv.GrandTotal.IsNegative())
	subtotal, discounts := decimal.Zero, decimal.Zero
	for _, l := range inv.Lines {
		subtotal = subtotal.Add(l.LineSubtotal)
		discounts = discounts.Add(l.Discount())
		require.False(t, l.LineTax.IsNegative())
		require.False(t, l.Discount().IsNegative())
		for _, pennies := range []decimal.Decimal{l.LineSubtotal, l.LineTax, l.LineTotal} {
			require.True(t, pennies.Equal(pennies.Round(2)), "%s has more than two decimals", pennies)
		}
	}
	require.True(t, subtotal.Equal(inv.Subtotal))
	require.False(t, discounts.GreaterThan(inv.DiscountAmount.Neg()), "the lines' discounts exceed the header's")
}

// The drawn invoices are not all of one kind: each trap of the contract comes
// up among them. The seeds are fixed: by chance alone the rarest, one in thirty,
// would now and then be missing.
func Test_Drawn_invoices_show_every_trap(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	invoices := rapid.Custom(canontest.DrawInvoice)
	for seed := range 1_000 {
		inv := invoices.Example(seed)
		lineTax, lineDiscount := inv.ShippingTax, decimal.Zero
		for _, l := range inv.Lines {
			lineTax = lineTax.Add(l.LineTax)
			lineDiscount = lineDiscount.Add(l.Discount())
			note(seen, "discounted line", !l.Discount().IsZero())
			note(seen, "discount beyond the net line", l.Discount().GreaterThan(l.LineSubtotal))
			note(seen, "four decimals", !l.UnitPrice.Equal(l.UnitPrice.Round(2)))
			note(seen, "fractional quantity", !l.Qty.IsInteger())
			note(seen, "row is not quantity x price", !l.Qty.Mul(l.UnitPrice).Round(2).Equal(l.LineSubtotal))
			note(seen, "zero line", l.IsZero())
		}
		note(seen, "lines' tax misses the header's", !lineTax.Equal(inv.TaxAmount))
		note(seen, "discount on shipping", !lineDiscount.Neg().Equal(inv.DiscountAmount))
		note(seen, "untaxed shipping", inv.ShippingTax.IsZero() && !inv.ShippingAmount.IsZero())
		note(seen, "guest", inv.Customer.IsGuest())
		note(seen, "foreign currency", inv.Currency == "EUR")
		sum := inv.Subtotal.Add(inv.TaxAmount).Add(inv.ShippingAmount).Add(inv.DiscountAmount)
		note(seen, "grand total above the header's sum", inv.GrandTotal.GreaterThan(sum))
		note(seen, "grand total below the header's sum", inv.GrandTotal.LessThan(sum))
		note(seen, "grand total of more than two decimals", !inv.GrandTotal.Equal(inv.GrandTotal.Round(2)))
		note(seen, "delivered abroad", inv.ShippingAddress != nil && inv.ShippingAddress.CountryID == "AT")
	}
	for _, trap := range []string{
		"discounted line", "discount beyond the net line", "four decimals", "fractional quantity", "row is not quantity x price",
		"zero line", "lines' tax misses the header's", "discount on shipping", "untaxed shipping", "guest", "foreign currency",
		"grand total above the header's sum", "grand total below the header's sum", "grand total of more than two decimals", "delivered abroad",
	} {
		require.Positive(t, seen[trap], trap)
	}
}

func note(seen map[string]int, what string, is bool) {
	if is {
		seen[what]++
	}
}

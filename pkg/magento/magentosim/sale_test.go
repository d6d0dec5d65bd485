package magentosim_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
	"towpath/pkg/magento/magentosim"
)

func drawCart(t *rapid.T) magentosim.Cart {
	amount := func(label string, most int64) decimal.Decimal {
		return decimal.New(rapid.Int64Range(0, most*100).Draw(t, label), -2)
	}
	cart := magentosim.Cart{
		PricesIncludeTax: rapid.Bool().Draw(t, "gross"), CouponOnGross: rapid.Bool().Draw(t, "coupon on gross"),
		DiscountAfterTax: rapid.Bool().Draw(t, "after tax"), Shipping: amount("shipping", 20), ShippingTaxPercent: decimal.NewFromInt(20),
		ShippingDiscount: decimal.NewFromInt(rapid.SampledFrom([]int64{0, 50}).Draw(t, "shipping discount")),
		PaidOtherwise:    decimal.NewFromInt(rapid.SampledFrom([]int64{0, 0, 30, 100}).Draw(t, "paid otherwise")),
		Charge:           amount("charge", 3),
	}
	for range rapid.IntRange(1, 4).Draw(t, "items") {
		cart.Items = append(cart.Items, magentosim.Item{
			SKU: "A", Name: "Rope", Price: amount("price", 90).Add(decimal.New(1, -2)), Qty: decimal.NewFromInt(rapid.Int64Range(1, 5).Draw(t, "qty")),
			TaxPercent:      decimal.NewFromInt(rapid.SampledFrom([]int64{0, 5, 20}).Draw(t, "tax")),
			DiscountPercent: decimal.NewFromInt(rapid.SampledFrom([]int64{0, 10, 33}).Draw(t, "discount")),
			Configurable:    rapid.Bool().Draw(t, "configurable"),
		})
	}
	return cart
}

// However an invoice is refunded, its memos give back each row to the penny, and one
// that takes all at once gives back the grand total.
func Test_Refunds_of_all_pieces_come_to_the_invoices_rows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cart := drawCart(t)
		at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
		whole, err := cart.Sale(1, at).Refund(1, at, magentosim.Refund{})
		require.NoError(t, err)
		require.True(t, whole.GrandTotal.Equal(cart.Sale(1, at).Invoice.GrandTotal))

		sale := cart.Sale(1, at)
		part := sale.Nothing()
		for i, line := range sale.Invoice.Lines {
			part.Quantities[i] = decimal.NewFromInt(rapid.Int64Range(0, line.Qty.IntPart()).Draw(t, "refunded"))
		}
		first, err := sale.Refund(1, at, part)
		require.NoError(t, err)
		second, err := sale.Refund(2, at, magentosim.Refund{})
		require.NoError(t, err)
		for i, line := range sale.Invoice.Lines {
			sum := func(of func(canon.Line) decimal.Decimal) decimal.Decimal {
				return of(first.Lines[i]).Add(of(second.Lines[i]))
			}
			require.True(t, sum(func(l canon.Line) decimal.Decimal { return l.LineSubtotal }).Equal(line.LineSubtotal))
			require.True(t, sum(func(l canon.Line) decimal.Decimal { return l.LineTax }).Equal(line.LineTax))
			require.True(t, sum(func(l canon.Line) decimal.Decimal { return l.LineTotal }).Equal(line.LineTotal))
		}
		for _, memo := range []canon.CreditMemo{whole, first, second} {
			again, err := canon.DecodeCreditMemo(canon.EncodeCreditMemo(memo))
			require.NoError(t, err)
			require.True(t, again.GrandTotal.Equal(memo.GrandTotal))
		}
	})
}

func Test_No_more_is_refunded_than_is_left(t *testing.T) {
	t.Parallel()
	sale := magentosim.Cart{Items: []magentosim.Item{{SKU: "A", Price: decimal.NewFromInt(5), Qty: decimal.NewFromInt(2)}}}.Sale(1, time.Now())
	r := sale.Nothing()
	r.Quantities[0] = decimal.NewFromInt(1)
	for range 2 {
		_, err := sale.Refund(1, time.Now(), r)
		require.NoError(t, err)
	}
	_, err := sale.Refund(1, time.Now(), r)
	require.ErrorContains(t, err, "0 are left")
}

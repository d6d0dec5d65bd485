package canontest

import (
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
	"towpath/pkg/magento/magentosim"
)

// DrawMemo is any credit memo that a shop makes of a drawn invoice: of all of it, of
// half of a line, of the shipping alone, of an adjustment alone, or a second one of
// what the first left; with adjustment refunds and fees; and now and then a cent off
// its parts, as Magento's are.
func DrawMemo(t *rapid.T, id int64) canon.CreditMemo { return DrawMemoOf(t, DrawCart(t), id) }

// DrawMemoOf is DrawMemo of a given cart.
func DrawMemoOf(t *rapid.T, cart magentosim.Cart, id int64) canon.CreditMemo {
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	sale := cart.Sale(id, at)
	for {
		refund, left := drawRefund(t, sale)
		memo, err := sale.Refund(id, at.Add(24*time.Hour), refund)
		if err != nil { // less than nothing would go back: all goes
			memo, err = sale.Refund(id, at.Add(24*time.Hour), magentosim.Refund{})
		}
		if err != nil {
			t.Skip(err)
		}
		if !left {
			return offByACent(t, memo)
		}
	}
}

// drawRefund is one refund of what is left; more says whether the next is meant.
func drawRefund(t *rapid.T, sale *magentosim.Sale) (refund magentosim.Refund, more bool) {
	refund = sale.Nothing()
	switch rapid.IntRange(0, 4).Draw(t, "refund") {
	case 0:
		return magentosim.Refund{}, false
	case 1: // a part of one line
		n := rapid.IntRange(0, len(sale.Invoice.Lines)-1).Draw(t, "line")
		refund.Quantities[n] = partOf(t, sale.Invoice.Lines[n].Qty)
	case 2: // the shipping alone, or a part of it
		shipping := sale.Invoice.ShippingAmount.Mul(decimal.New(rapid.Int64Range(1, 4).Draw(t, "quarters"), 0)).DivRound(decimal.NewFromInt(4), 2)
		refund.Shipping = &shipping
	case 3: // every second line
		for n := range refund.Quantities {
			if n%2 == 0 {
				refund.Quantities[n] = sale.Invoice.Lines[n].Qty
			}
		}
	case 4:
		refund.AdjustmentPositive = cents(rapid.Int64Range(1, 5_000).Draw(t, "adjustment"))
		return refund, false
	}
	if rapid.IntRange(0, 3).Draw(t, "fee") == 3 {
		refund.AdjustmentNegative = cents(rapid.Int64Range(1, 500).Draw(t, "fee kept"))
	}
	return refund, rapid.IntRange(0, 3).Draw(t, "more") == 3
}

func partOf(t *rapid.T, qty decimal.Decimal) decimal.Decimal {
	if !qty.IsInteger() {
		return qty
	}
	return decimal.NewFromInt(rapid.Int64Range(0, qty.IntPart()).Draw(t, "pieces"))
}

func offByACent(t *rapid.T, memo canon.CreditMemo) canon.CreditMemo {
	off := rapid.SampledFrom([]int64{0, 0, 0, 0, 0, 0, 1, -1}).Draw(t, "off")
	if total := memo.GrandTotal.Add(decimal.New(off, -2)); !total.IsNegative() {
		memo.GrandTotal = total
	}
	return memo
}

package pricing

import (
	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
)

// item is something sold, in the shop's own decimals.
type item struct {
	kind     Kind
	line     canon.Line
	quantity decimal.Decimal
	unit     decimal.Decimal
	gross    decimal.Decimal // before discount, without tax
	discount decimal.Decimal // as the shop says it, with or without tax
	tax      decimal.Decimal
	places   int32 // that the shop rounds to
	byUnit   bool  // the tax can be a sum of rounded units
}

// itemsOf are the products in order, then shipping, then what of the header's
// discount neither of them carries. slack is what rows and header miss each other
// by in discounts, where that can be rounding.
func itemsOf(s Sale, h Header, rates Rates) (items []item, slack decimal.Decimal) {
	rest := h.Discount
	for i, l := range s.Lines {
		rest = rest.Sub(l.Discount())
		if i > 0 && foldable(s.Lines[i-1], l) {
			continue
		}
		items = append(items, item{
			kind: Product, line: l, quantity: l.Qty, unit: l.UnitPrice,
			gross: l.LineSubtotal, discount: l.Discount(), tax: l.LineTax,
		})
	}
	shipping := item{kind: Shipping, line: canon.Line{Name: "Shipping"}, quantity: one, unit: s.Shipping, gross: s.Shipping, tax: s.ShippingTax}
	if !shipping.gross.IsZero() || !shipping.tax.IsZero() {
		shipping.discount = shippingDiscount(shipping, rest, rates)
		rest = rest.Sub(shipping.discount)
		items = append(items, shipping)
	}
	if rest.GreaterThan(roundings(len(s.Lines))) {
		items = append(items, item{kind: Discount, line: canon.Line{Name: "Discount"}, quantity: one, unit: rest.Neg(), gross: rest.Neg()})
		rest = decimal.Zero
	}
	places := placesOf(items)
	for i := range items {
		items[i].places = places
		items[i].byUnit = items[i].roundedByUnit()
	}
	return items, rest
}

// foldable reports whether l is the child row of a configurable product: the
// same SKU as the row before it, and no money.
func foldable(before, l canon.Line) bool { return l.IsZero() && l.SKU == before.SKU }

// shippingDiscount is what of rest, the header's discount that no line has, was
// taken off shipping: up to the shipping without tax, and beyond that only what
// the shipping's tax bears out: a coupon on prices with tax may take that too.
func shippingDiscount(shipping item, rest decimal.Decimal, rates Rates) decimal.Decimal {
	if !rest.IsPositive() || rest.LessThanOrEqual(shipping.gross) {
		return decimal.Max(rest, decimal.Zero)
	}
	shipping.discount = rest
	afterTax := rest.LessThanOrEqual(shipping.gross.Add(shipping.tax)) && len(shipping.fits(beforeDiscount, rates)) > 0
	if afterTax || len(shipping.fits(withTax, rates)) > 0 {
		return rest
	}
	return decimal.Max(shipping.gross, decimal.Zero)
}

// placesOf is how many decimals the shop rounds to: two, or as many as it shows.
func placesOf(items []item) int32 {
	places := int32(2)
	for _, it := range items {
		for _, d := range []decimal.Decimal{it.gross, it.tax} {
			for places < 4 && !d.Equal(d.Round(places)) {
				places++
			}
		}
	}
	return places
}

// roundings is how far n rounded amounts may miss their rounded sum.
func roundings(n int) decimal.Decimal { return count(n + 1).Mul(decimal.New(5, -3)) }

// fine reports whether d has more decimals than a ledger's document.
func fine(d decimal.Decimal) bool { return !d.Equal(money(d)) }

package pricing

import (
	"errors"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/provider"
)

// Refund is what a credit memo has beside goods and shipping. The shop tells no tax
// on either.
type Refund struct {
	Adjustment decimal.Decimal // given back
	Fee        decimal.Decimal // kept, not negative
}

// CreditMemo is the sale that a credit memo takes back: its amounts are those of the
// goods that come back, positive. It has no header, so the lines' sums stand for it,
// and the discount of its shipping shows only in what the grand total lacks.
func CreditMemo(memo canon.CreditMemo) Sale {
	s := Sale{
		Shipping: memo.ShippingAmount, ShippingTax: memo.ShippingTax, GrandTotal: memo.GrandTotal,
		Refund: &Refund{Adjustment: memo.AdjustmentPositive, Fee: memo.AdjustmentNegative},
	}
	for _, l := range memo.Lines {
		if !l.Qty.IsZero() || !l.IsZero() { // the rows of what stays with the buyer are there too
			s.Lines = append(s.Lines, l)
		}
	}
	return s
}

// adjustment is what the refund adds to the grand total.
func (s Sale) adjustment() decimal.Decimal {
	if s.Refund == nil {
		return decimal.Zero
	}
	return s.Refund.Adjustment.Sub(s.Refund.Fee)
}

// headerOf is the sale's header. Where a memo's total lacks an amount by which the
// shipping's tax is right, and is not without, that is the shipping's discount.
func headerOf(s Sale, rates Rates) Header {
	h := s.header()
	if s.Refund == nil || s.ShippingTax.IsZero() {
		return h
	}
	lacking := h.Subtotal.Add(h.Tax).Add(s.Shipping).Sub(h.Discount).Add(s.adjustment()).Sub(s.GrandTotal)
	shipping := item{kind: Shipping, quantity: one, unit: s.Shipping, gross: s.Shipping, tax: s.ShippingTax}
	if !lacking.IsPositive() || lacking.GreaterThan(s.Shipping) || len(shipping.fits(afterDiscount, rates)) > 0 {
		return h
	}
	shipping.discount = lacking
	if len(shipping.fits(afterDiscount, rates)) > 0 {
		h.Discount = h.Discount.Add(lacking)
	}
	return h
}

// addRefund adds the lines of what a memo has beside goods and shipping.
func (p *pricer) addRefund() {
	if p.sale.Refund == nil {
		return
	}
	add := func(kind Kind, name, why string, net decimal.Decimal) {
		if !net.IsZero() {
			p.lines = append(p.lines, priced{Line: Line{Kind: kind, Name: name, Quantity: one, Unit: net, Gross: net, Rate: noTax(), Why: why}})
		}
	}
	add(Adjustment, "Adjustment refund", "given back beside the goods; the shop tells no tax on it", money(p.sale.Refund.Adjustment))
	add(Fee, "Adjustment fee", "kept of the refund; the shop tells no tax on it", money(p.sale.Refund.Fee).Neg())
}

// explainRefund says what a memo's grand total has that its parts do not come to.
// It is what the buyer got back, so it is booked: within the tolerance as the odd
// part that Magento's own memos are off by at times. Beyond, what was not given back
// in money (a gift card paid it) or is of no line (a fee of the sale) is told by its
// sign. A memo that has an adjustment or no goods may bear a tax that the shop took from
// the whole order: that is held.
func (p *pricer) explainRefund(r reading) error {
	left := money(r.left)
	if left.Abs().LessThanOrEqual(p.set.Tolerance) {
		if !left.IsZero() {
			p.notes = append(p.notes, "the memo's grand total, which the buyer got back, is "+amount(left)+" off its parts: a line of its own")
		}
		return nil
	}
	var err error
	switch {
	case p.isRoundingOfTax(r, left):
		p.header.Tax = p.header.Tax.Add(left)
		p.notes = append(p.notes, "the memo's grand total is "+amount(left)+" off its parts: the rounding of its invoice's tax")
	case left.IsNegative() && left.Neg().LessThanOrEqual(p.sale.Shipping):
		return mismatch(p.bothSums(left), left, "a discount of the shipping, which no field shows, or a gift card")
	case left.IsNegative():
		err = p.addPaidOtherwise(left.Neg())
	case len(p.sale.Lines) == 0 || p.sale.Refund.Adjustment.IsPositive():
		return mismatch(p.bothSums(left), left, "the tax of the whole order on an adjustment of a part: correct the memo in the shop, or book it by hand")
	default:
		err = p.addCharge(left)
	}
	if f := (*provider.Failure)(nil); errors.As(err, &f) {
		return provider.Hold(f.Reason, p.bothSums(left)+": "+f.Message)
	}
	return err
}

// isRoundingOfTax reports whether left can be what the invoice's header, which
// rounded the tax on the sums of its rates, had beside its rows: a memo that takes all
// back takes that too, and has no header to show it. Whether the rates come to it
// settleTax sees.
func (p *pricer) isRoundingOfTax(r reading, left decimal.Decimal) bool {
	items := make([]item, len(r.items))
	for i, t := range r.items {
		items[i] = t.item
	}
	off := p.totalsTax().Sub(p.rowsTax()).Sub(left)
	return len(p.sale.Lines) > 0 && off.Abs().LessThanOrEqual(penny) || left.Abs().LessThanOrEqual(taxOfPieces(items))
}

// taxOfPieces is what taxes that were rounded by the piece may miss those on the sums
// by: of a thousand pieces of pennies it is pounds.
func taxOfPieces(items []item) decimal.Decimal {
	sum := decimal.Zero
	for _, it := range items {
		if it.byUnit {
			sum = sum.Add(it.quantity.Mul(unitOff(quarter)))
		}
	}
	return sum
}

// quarter is above the rates of most countries.
var quarter = decimal.NewFromInt(25)

func (p *pricer) bothSums(left decimal.Decimal) string {
	return "the memo's parts come to " + amount(p.sale.GrandTotal.Sub(left)) + " and its grand total to " + amount(p.sale.GrandTotal)
}

func nothingBack() error {
	return &provider.Failure{Kind: provider.Refused, Code: provider.CodeValidation, Message: "the credit memo gives nothing back"}
}

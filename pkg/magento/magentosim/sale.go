package magentosim

import (
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
)

// Sale is an invoice with what none of its fields shows, and with what is left of
// it to be refunded. Its refunds are computed as Magento does: of what is left of a
// row, the share of the quantity, rounded; the last piece takes the rest. It is not
// safe for concurrent use.
type Sale struct {
	Invoice canon.Invoice

	left          []part // by line of the invoice
	shipping      part
	refunded      bool
	paidOtherwise decimal.Decimal // percent of each total
	places        int32
}

// part is what is left of a row: all of it is for qty pieces. hidden is the
// compensation for the tax within its discount, which no field shows.
type part struct{ qty, subtotal, tax, discount, hidden decimal.Decimal }

func partOf(l canon.Line, hidden decimal.Decimal) part {
	return part{qty: l.Qty, subtotal: l.LineSubtotal, tax: l.LineTax, discount: l.Discount(), hidden: hidden}
}

func (p part) total() decimal.Decimal {
	return p.subtotal.Add(p.tax).Sub(p.discount).Add(p.hidden)
}

// saleOf is the sale of an invoice of which only the canonical form is known: what
// that does not show is refunded with the first refund that takes all.
func saleOf(inv canon.Invoice) *Sale {
	s := &Sale{Invoice: inv, places: 2}
	for _, l := range inv.Lines {
		s.left = append(s.left, partOf(l, decimal.Zero))
	}
	s.shipping = part{qty: one, subtotal: inv.ShippingAmount, tax: inv.ShippingTax}
	return s
}

// Refund is what goes back to the buyer.
type Refund struct {
	// Quantities are by line of the invoice; nil: all that is left.
	Quantities []decimal.Decimal
	Shipping   *decimal.Decimal // net; nil: all that is left
	// AdjustmentPositive is given back beside the lines, AdjustmentNegative kept.
	AdjustmentPositive, AdjustmentNegative decimal.Decimal
	Reason                                 string
	// FromOrder: the memo names no invoice.
	FromOrder bool
}

// Nothing is a refund of neither goods nor shipping, to be filled in.
func (s *Sale) Nothing() Refund {
	return Refund{Quantities: make([]decimal.Decimal, len(s.left)), Shipping: new(decimal.Decimal)}
}

// Refund makes the memo with that id, and keeps what is left. A memo that takes
// all at once comes to the invoice's grand total, whatever that is made of.
func (s *Sale) Refund(id int64, at time.Time, r Refund) (canon.CreditMemo, error) {
	if r.Quantities != nil && len(r.Quantities) != len(s.left) {
		return canon.CreditMemo{}, fmt.Errorf("refund invoice %d: %d quantities for %d lines", s.Invoice.MagentoID, len(r.Quantities), len(s.left))
	}
	next, all := *s, true
	memo := s.header(id, at, r)
	next.left = slices.Clone(s.left)
	for i, line := range s.Invoice.Lines {
		qty := s.left[i].qty
		if r.Quantities != nil {
			qty = r.Quantities[i]
		}
		if qty.IsNegative() || qty.GreaterThan(s.left[i].qty) {
			return canon.CreditMemo{}, fmt.Errorf("refund invoice %d: %s are left of line %d, not %s", s.Invoice.MagentoID, s.left[i].qty, i, qty)
		}
		var taken part
		taken, next.left[i] = s.left[i].take(qty, s.places)
		all = all && next.left[i].qty.IsZero()
		memo.GrandTotal = memo.GrandTotal.Add(taken.total())
		memo.Lines = append(memo.Lines, taken.line(line))
	}
	carried, err := next.takeShipping(r)
	if err != nil {
		return canon.CreditMemo{}, err
	}
	memo.ShippingAmount, memo.ShippingTax = carried.subtotal, carried.tax
	adjustment := r.AdjustmentPositive.Sub(r.AdjustmentNegative)
	memo.GrandTotal = memo.GrandTotal.Add(carried.total()).Add(adjustment)
	memo.GrandTotal = memo.GrandTotal.Sub(memo.GrandTotal.Mul(ratio(s.paidOtherwise)).Round(s.places))
	if all && next.shipping.qty.IsZero() && !s.refunded {
		memo.GrandTotal = s.Invoice.GrandTotal.Add(adjustment)
	}
	if memo.GrandTotal.IsNegative() {
		return canon.CreditMemo{}, fmt.Errorf("refund invoice %d: the memo comes to %s", s.Invoice.MagentoID, memo.GrandTotal)
	}
	next.refunded = true
	*s = next
	return memo, nil
}

// takeShipping takes what r gives back of the shipping.
func (s *Sale) takeShipping(r Refund) (part, error) {
	share := s.shipping.qty
	if r.Shipping != nil && s.shipping.subtotal.IsPositive() {
		share = r.Shipping.Mul(share).DivRound(s.shipping.subtotal, 16)
	} else if r.Shipping != nil {
		share = decimal.Zero
	}
	if share.IsNegative() || share.GreaterThan(s.shipping.qty) {
		return part{}, fmt.Errorf("refund invoice %d: %s is left of the shipping", s.Invoice.MagentoID, s.shipping.subtotal)
	}
	var taken part
	taken, s.shipping = s.shipping.take(share, s.places)
	return taken, nil
}

func (s *Sale) header(id int64, at time.Time, r Refund) canon.CreditMemo {
	inv := s.Invoice
	memo := canon.CreditMemo{
		MagentoID: canon.Int(id), IncrementID: fmt.Sprintf("%09d", 300_000_000+id), WebsiteID: inv.WebsiteID,
		Currency: inv.Currency, Customer: inv.Customer, Lines: []canon.Line{},
		AdjustmentPositive: r.AdjustmentPositive, AdjustmentNegative: r.AdjustmentNegative,
		Reason: optional(r.Reason), CreatedAt: at.UTC().Truncate(time.Second), BaseToOrderRate: inv.BaseToOrderRate,
	}
	if !r.FromOrder {
		created := inv.CreatedAt
		memo.InvoiceID, memo.InvoiceIncrementID, memo.InvoiceCreatedAt = &inv.MagentoID, &inv.IncrementID, &created
	}
	return memo
}

// take divides p into what belongs to qty pieces and the rest.
func (p part) take(qty decimal.Decimal, places int32) (taken, left part) {
	switch {
	case qty.IsZero():
		return part{}, p
	case qty.Equal(p.qty):
		return p, part{}
	}
	share := func(d decimal.Decimal) decimal.Decimal { return d.Mul(qty).DivRound(p.qty, 12).Round(places) }
	taken = part{qty: qty, subtotal: share(p.subtotal), tax: share(p.tax), discount: share(p.discount), hidden: share(p.hidden)}
	left = part{
		qty: p.qty.Sub(qty), subtotal: p.subtotal.Sub(taken.subtotal), tax: p.tax.Sub(taken.tax),
		discount: p.discount.Sub(taken.discount), hidden: p.hidden.Sub(taken.hidden),
	}
	return taken, left
}

// line is the memo's for an invoice's.
func (p part) line(of canon.Line) canon.Line {
	line := canon.Line{
		SKU: of.SKU, Name: of.Name, Qty: p.qty, UnitPrice: of.UnitPrice, LineSubtotal: p.subtotal, LineTax: p.tax,
		LineTotal: p.subtotal.Add(p.tax).Sub(p.discount), ProductType: of.ProductType,
	}
	setRate(&line)
	return line
}

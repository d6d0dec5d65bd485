package pricing

import (
	"github.com/shopspring/decimal"

	"towpath/pkg/provider"
)

// Price works out the lines of a sale. It fails Held, with what would help, where
// no rate explains a tax, where the grand total has a part that nothing explains,
// or whose account is not set; and Refused where there is nothing on the document.
func Price(s Sale, set Settings) (Priced, error) {
	p := pricer{sale: s, set: set, header: headerOf(s, set.Rates)}
	items, slack := itemsOf(s, p.header, set.Rates)
	if len(items) == 0 && s.Refund == nil {
		return Priced{}, &provider.Failure{Kind: provider.Refused, Code: provider.CodeValidation, Message: "the document has no lines"}
	}
	if err := p.checkHeader(slack); err != nil {
		return Priced{}, err
	}
	off := p.beside(items)
	r, doubt, failed := read(items, set.Rates, off)
	if failed != nil {
		return Priced{}, missingRate(items, *failed, set.Rates, off)
	}
	switch {
	case r.unclear:
		return Priced{}, unclearPennies(r.left)
	case doubt.GreaterThan(set.Tolerance):
		return Priced{}, twoReadings(r, doubt)
	}
	p.alone = r.alone
	p.addLines(r)
	p.addRefund()
	if err := p.settle(r); err != nil {
		return Priced{}, err
	}
	return p.finish()
}

// settle brings what the reading leaves, and the header's tax, onto the lines.
func (p *pricer) settle(r reading) error {
	if err := p.settleDiscount(); err != nil {
		return err
	}
	if err := p.explain(r); err != nil {
		return err
	}
	return p.settleTax()
}

type pricer struct {
	sale   Sale
	set    Settings
	header Header
	lines  []priced
	notes  []string
	alone  bool // no other reading leaves another charge
}

// priced is a line with what its tax is on, in the shop's own decimals.
type priced struct {
	Line
	taxedOn decimal.Decimal
	shopTax decimal.Decimal
}

// residue is what the grand total has beyond the header's own figures. In Magento
// those add up to the penny, so it is never a rounding of pence.
func (p *pricer) residue() decimal.Decimal {
	h := p.header
	return p.sale.GrandTotal.Sub(p.sale.adjustment()).Sub(h.Subtotal).Sub(h.Tax).Sub(p.sale.Shipping).Add(h.Discount)
}

// beside is what the header has that no item shows.
func (p *pricer) beside(items []item) beside {
	off := beside{residue: p.residue(), tax: p.header.Tax}
	for _, it := range items {
		off.tax = off.tax.Sub(it.tax)
	}
	if off.tax.Abs().LessThanOrEqual(roundings(2 * len(items))) {
		off.tax = decimal.Zero
	}
	if p.sale.Refund != nil {
		off.near = decimal.Max(p.set.Tolerance, taxOfPieces(items))
	}
	return off
}

// checkHeader holds a document whose header does not sum up its lines.
func (p *pricer) checkHeader(discountSlack decimal.Decimal) error {
	sum := decimal.Zero
	for _, l := range p.sale.Lines {
		sum = sum.Add(l.LineSubtotal)
	}
	allowed := roundings(len(p.sale.Lines))
	if off := p.header.Subtotal.Sub(sum); off.Abs().GreaterThan(allowed) {
		return mismatch("the lines' subtotals come to "+amount(sum)+", the shop's subtotal is "+amount(p.header.Subtotal), off,
			"an amount that no line shows, or a row that is counted twice, as a bundle's may be")
	}
	if discountSlack.Abs().GreaterThan(allowed) {
		return mismatch("the lines' discounts come to "+amount(p.header.Discount.Sub(discountSlack))+", the shop's discount is "+amount(p.header.Discount),
			discountSlack, "a coupon that was counted on a line and not on the document")
	}
	return nil
}

func (p *pricer) addLines(r reading) {
	for _, t := range r.items {
		if t.split != nil {
			p.addPortions(r.basis, t)
			continue
		}
		net := money(t.gross.Sub(t.discount).Add(t.fixed))
		l := priced{Line: Line{
			Kind: t.kind, Name: t.line.Name, SKU: t.line.SKU, Quantity: t.quantity, Unit: t.unit,
			Gross: money(t.gross), Tax: money(t.tax), Rate: t.rate,
		}, shopTax: t.tax}
		if t.line.ProductType != nil {
			l.ProductType = *t.line.ProductType
		}
		l.Discount = l.Gross.Sub(net)
		l.taxedOn = net
		if r.basis == beforeDiscount && !t.discount.IsZero() {
			l.Untaxed, l.taxedOn = l.Discount, l.Gross
		}
		if !t.fixed.IsZero() {
			l.Why = "the coupon of " + amount(t.discount) + " came off the price with tax; " + amount(t.fixed) + " of it is tax"
		}
		p.lines = append(p.lines, l)
	}
}

func (p *pricer) addPortions(b basis, t taxed) {
	for i, part := range t.split {
		l := priced{Line: Line{
			Kind: t.kind, Name: t.line.Name, Quantity: one, Unit: part.gross, Gross: part.gross, Tax: part.tax, Rate: part.rate,
			Why: "no one rate explains the shipping's tax of " + amount(t.tax) + "; its parts are taxed as the lines are, in proportion",
		}, taxedOn: part.gross, shopTax: part.tax}
		if i == 0 && b == beforeDiscount && !t.discount.IsZero() {
			l.Discount, l.Untaxed = money(t.discount), money(t.discount)
		}
		p.lines = append(p.lines, l)
	}
}

// finish closes what is left by rounding. Nothing else is: the residue is
// explained, the header sums up its lines.
func (p *pricer) finish() (Priced, error) {
	if len(p.lines) == 0 && money(p.sale.GrandTotal).IsZero() {
		return Priced{}, nothingBack()
	}
	out := Priced{Total: money(p.sale.GrandTotal), Notes: p.notes}
	sum := decimal.Zero
	for _, l := range p.lines {
		out.Lines = append(out.Lines, l.Line)
		out.Tax = out.Tax.Add(l.Tax)
		sum = sum.Add(l.Net()).Add(l.Tax)
	}
	out.Rounding = out.Total.Sub(sum)
	if out.Rounding.Abs().GreaterThan(p.set.Tolerance) {
		return Priced{}, beyondTolerance(sum, out.Total, out.Rounding, p.set.Tolerance)
	}
	return out, nil
}

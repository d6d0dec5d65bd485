package pricing

import "github.com/shopspring/decimal"

// settleDiscount gives the discount that no line carries the rate and the tax that
// the header's tax tells: it lowered the tax, or it was taken after it. Under no
// rate it would lower what was sold without tax, so where lines of several rates
// leave it open, the document is held.
func (p *pricer) settleDiscount() error {
	at := len(p.lines) - 1
	for at >= 0 && p.lines[at].Kind != Discount {
		at--
	}
	if at < 0 {
		return nil
	}
	l, lowered := &p.lines[at], p.rowsTax().Sub(p.header.Tax)
	rates := p.ratesOfProducts()
	afterTax := lowered.Abs().LessThanOrEqual(p.taxSlack())
	var fits []Rate
	for _, r := range rates {
		tax := l.Net().Neg().Mul(r.Percent.Decimal).Shift(-2)
		if !afterTax && r.positive() && tax.Sub(lowered).Abs().LessThanOrEqual(p.taxSlack().Add(halfPenny)) {
			fits = append(fits, r)
		}
	}
	switch {
	case afterTax && len(rates) == 1:
		l.Rate, l.taxedOn = rates[0], decimal.Zero
		l.Why = "on no line; it did not lower the shop's tax"
	case len(fits) == 1:
		l.Rate, l.Tax = fits[0], lowered.Neg()
		l.shopTax = l.Tax
		l.Why = "on no line; the shop's tax is lower by " + amount(lowered) + " for it"
	default:
		return mismatch("a discount of "+amount(l.Net().Neg())+" is on no line, and the shop's tax is "+amount(lowered)+" lower than its lines'", l.Net(),
			"a coupon on lines of several tax rates")
	}
	return nil
}

// ratesOfProducts are those of the lines that came to something.
func (p *pricer) ratesOfProducts() []Rate {
	var list []Rate
	for _, l := range p.lines {
		if l.Kind == Product && !l.Net().IsZero() && !hasType(list, l.Rate) {
			list = append(list, l.Rate)
		}
	}
	return list
}

func hasType(list []Rate, rate Rate) bool {
	for _, r := range list {
		if r.Type == rate.Type && r.Percent.Decimal.Equal(rate.Percent.Decimal) {
			return true
		}
	}
	return false
}

package pricing

import (
	"github.com/shopspring/decimal"
)

// explain says what the residue is that the reading leaves: nothing, a charge that
// no line shows, or a payment by other means. Never two of them: what a fee and a
// gift card come to together nobody can take apart.
func (p *pricer) explain(r reading) error {
	p.noteBasis(r)
	if p.sale.Refund != nil {
		return p.explainRefund(r)
	}
	if r.settled() {
		return nil
	}
	amount := money(r.left)
	if amount.IsPositive() {
		return p.addCharge(amount)
	}
	return p.addPaidOtherwise(amount.Neg())
}

func (p *pricer) noteBasis(r reading) {
	if c := r.compensation(); !c.IsZero() {
		p.notes = append(p.notes, "coupons came off prices with tax: "+amount(c)+" of the discounts is tax, by which the grand total is higher")
	}
}

// addPaidOtherwise books the whole sale, and takes off what a gift card paid.
func (p *pricer) addPaidOtherwise(paid decimal.Decimal) error {
	extra := decimal.Min(p.header.Tax.Sub(p.rowsTax()), p.header.Tax.Sub(p.totalsTax()).Abs())
	if extra.GreaterThan(p.taxSlack()) {
		return mismatch("the grand total is "+amount(paid)+" lower than what the lines come to, and "+amount(extra)+" of the tax is on no line",
			paid.Neg(), "a charge and a gift card at once, which cannot be told apart")
	}
	if !p.set.PaidOtherwise {
		return missingPaidOtherwise(paid)
	}
	p.lines = append(p.lines, priced{Line: Line{
		Kind: PaidOtherwise, Name: "Paid otherwise", Quantity: one, Unit: paid.Neg(), Gross: paid.Neg(), Rate: noTax(),
		Why: "gift card, store credit or points: the grand total is lower by it, the sale is whole",
	}})
	return nil
}

// addCharge books what the header has more than lines, shipping and discount.
func (p *pricer) addCharge(net decimal.Decimal) error {
	rate, tax, err := p.chargeTax(net)
	if err != nil {
		return err
	}
	if !p.set.Charges {
		return missingCharges(net, tax)
	}
	p.lines = append(p.lines, priced{Line: Line{
		Kind: Charge, Name: "Other charges", Quantity: one, Unit: net, Gross: net, Tax: tax, Rate: rate,
		Why: "in the grand total and on no line: a fixed product tax, a payment fee or the like",
	}, taxedOn: net, shopTax: tax})
	return nil
}

// chargeTax is the tax of no line, and the rate that explains it on net. What the
// header's tax misses the rows' by in rounding is no tax of the charge.
func (p *pricer) chargeTax(net decimal.Decimal) (Rate, decimal.Decimal, error) {
	for _, ofLines := range []decimal.Decimal{p.rowsTax(), p.totalsTax()} {
		tax := money(p.header.Tax.Sub(ofLines))
		if tax.IsZero() {
			return p.untaxed(), decimal.Zero, nil
		}
		if rate, ok := p.rateOf(net, tax, halfPenny); ok {
			return rate, tax, nil
		}
	}
	tax := p.header.Tax.Sub(p.rowsTax())
	if tax.Abs().LessThanOrEqual(p.taxSlack()) {
		return p.untaxed(), decimal.Zero, nil
	}
	if tax.IsNegative() {
		return Rate{}, decimal.Zero, p.taxMismatch()
	}
	if rate, ok := p.rateOf(net, tax, p.taxSlack()); ok {
		return rate, money(net.Mul(rate.Percent.Decimal).Shift(-2)), nil
	}
	return Rate{}, decimal.Zero, chargeRateMissing(net, tax, p.set.Rates, p.alone)
}

// rateOf is the known rate that gives tax on net within slack: one that the lines
// have too, else the nearest.
func (p *pricer) rateOf(net, tax, slack decimal.Decimal) (found Rate, ok bool) {
	var off decimal.Decimal
	var used bool
	for _, rate := range p.set.Rates.Known {
		if !rate.positive() {
			continue
		}
		miss := net.Mul(rate.Percent.Decimal).Shift(-2).Sub(tax).Abs()
		if miss.GreaterThan(slack) {
			continue
		}
		inLines := p.uses(rate)
		if !ok || inLines && !used || inLines == used && miss.LessThan(off) {
			found, off, used, ok = rate, miss, inLines, true
		}
	}
	return found, ok
}

func (p *pricer) uses(rate Rate) bool {
	for _, l := range p.lines {
		if l.Rate.Type == rate.Type && l.Rate.Percent.Decimal.Equal(rate.Percent.Decimal) {
			return true
		}
	}
	return false
}

// untaxed is the rate of a charge without tax.
func (p *pricer) untaxed() Rate {
	if p.set.Rates.Zero != nil {
		return *p.set.Rates.Zero
	}
	return noTax()
}

// noTax is outside the scope of tax; a ledger has its own type for it.
func noTax() Rate { return Rate{Percent: decimal.NewNullDecimal(decimal.Zero)} }

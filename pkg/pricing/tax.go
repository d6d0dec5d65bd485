package pricing

import (
	"slices"

	"github.com/shopspring/decimal"
)

// settleTax makes the lines' tax come to the header's, which is what the buyer was
// charged. A shop rounds its header's tax otherwise than its rows': by pennies
// where it rounds rows, by far more where it rounds units of cheap pieces; then
// each line has what its rate gives, if the rates on the lines' sums come to the
// header's tax: that is the proof.
func (p *pricer) settleTax() error {
	target := money(p.header.Tax)
	missing := target.Sub(p.postedTax())
	if missing.Abs().GreaterThan(p.taxSlack()) {
		for i := range p.lines {
			if l := &p.lines[i]; l.Rate.positive() && l.Kind != Discount {
				l.Tax = money(l.taxedOn.Mul(l.Rate.Percent.Decimal).Shift(-2))
			}
		}
		missing = target.Sub(p.postedTax())
	}
	if missing.IsZero() {
		return nil
	}
	groups := p.taxGroups()
	if missing.Abs().GreaterThan(p.taxSlack()) || len(groups) == 0 {
		return p.taxMismatch()
	}
	p.notes = append(p.notes, "the shop's tax of "+target.StringFixed(2)+" is not the sum of its rows'; "+missing.StringFixed(2)+" is put on the lines")
	p.spread(missing, groups)
	if !p.postedTax().Equal(target) {
		return p.taxMismatch()
	}
	return nil
}

func (p *pricer) taxMismatch() error {
	return mismatch("the tax of the lines comes to "+amount(p.rowsTax())+", the shop's tax is "+amount(p.header.Tax),
		p.header.Tax.Sub(p.rowsTax()), "a tax of something that no line shows, or of cheap pieces that was rounded by unit on the lines only")
}

// spread adds the missing pennies: to each rate what the header has on its sum,
// where that comes to all that is missing; else to all lines.
func (p *pricer) spread(missing decimal.Decimal, groups []taxGroup) {
	sum := decimal.Zero
	for _, g := range groups {
		sum = sum.Add(g.missing())
	}
	if sum.Equal(missing) {
		for _, g := range groups {
			addPennies(g.missing(), g.lines)
		}
		return
	}
	var all []*priced
	for _, g := range groups {
		all = append(all, g.lines...)
	}
	addPennies(missing, all)
}

// addPennies gives the lines a penny at a time, each to the one whose tax misses
// its rate's by most. A tax below nothing is no tax: where all are at nothing, what
// is left stays.
func addPennies(missing decimal.Decimal, lines []*priced) {
	step := penny
	if missing.IsNegative() {
		step = penny.Neg()
	}
	short := make([]decimal.Decimal, len(lines)) // in the direction of step
	for i, l := range lines {
		short[i] = l.taxedOn.Mul(l.Rate.Percent.Decimal).Shift(-2).Sub(l.Tax).Mul(step)
	}
	for missing.Abs().GreaterThanOrEqual(penny) {
		at := -1
		for i, l := range lines {
			if step.IsNegative() && l.Tax.LessThan(penny) {
				continue
			}
			if at < 0 || short[i].GreaterThan(short[at]) {
				at = i
			}
		}
		if at < 0 {
			return
		}
		lines[at].Tax, missing = lines[at].Tax.Add(step), missing.Sub(step)
		short[at] = short[at].Sub(penny.Mul(penny))
	}
}

// taxGroup is the lines of one rate.
type taxGroup struct {
	rate  Rate
	lines []*priced
}

// missing is what the tax on the group's sum has more than its lines'.
func (g taxGroup) missing() decimal.Decimal {
	base, tax := decimal.Zero, decimal.Zero
	for _, l := range g.lines {
		base, tax = base.Add(l.taxedOn), tax.Add(l.Tax)
	}
	return money(base.Mul(g.rate.Percent.Decimal).Shift(-2)).Sub(tax)
}

// taxGroups are the lines that bear tax by their rates, in the lines' order.
func (p *pricer) taxGroups() []taxGroup {
	var groups []taxGroup
	for i := range p.lines {
		l := &p.lines[i]
		if !l.Rate.positive() || l.Kind == Discount {
			continue
		}
		at := slices.IndexFunc(groups, func(g taxGroup) bool {
			return g.rate.Type == l.Rate.Type && g.rate.Percent.Decimal.Equal(l.Rate.Percent.Decimal)
		})
		if at < 0 {
			at, groups = len(groups), append(groups, taxGroup{rate: l.Rate})
		}
		groups[at].lines = append(groups[at].lines, l)
	}
	return groups
}

// taxSlack is what rounding may part the header's tax and the rows' by: of each
// row, and of each rate's sum.
func (p *pricer) taxSlack() decimal.Decimal {
	n := 0
	for _, l := range p.lines {
		if l.Rate.positive() || !l.Rate.Percent.Valid {
			n++
		}
	}
	return roundings(2 * n)
}

// rowsTax is the sum of the shop's rows.
func (p *pricer) rowsTax() decimal.Decimal {
	sum := decimal.Zero
	for _, l := range p.lines {
		sum = sum.Add(l.shopTax)
	}
	return sum
}

// totalsTax is what the rates come to on the sums of their lines.
func (p *pricer) totalsTax() decimal.Decimal {
	sum := decimal.Zero
	for _, g := range p.taxGroups() {
		for _, l := range g.lines {
			sum = sum.Add(l.Tax)
		}
		sum = sum.Add(g.missing())
	}
	return sum
}

func (p *pricer) postedTax() decimal.Decimal {
	sum := decimal.Zero
	for _, l := range p.lines {
		sum = sum.Add(l.Tax)
	}
	return sum
}

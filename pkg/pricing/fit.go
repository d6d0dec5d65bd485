package pricing

import "github.com/shopspring/decimal"

// basis is how a shop takes its discounts, one way for the whole document.
type basis int

const (
	// afterDiscount: the tax is on what the discount leaves. Magento's default.
	afterDiscount basis = iota
	// withTax: likewise, but the discount came off the price with tax, so a part
	// of it, rate / (100 + rate), is tax (Magento's discount tax compensation).
	withTax
	// beforeDiscount: the tax is on the undiscounted amount.
	beforeDiscount
)

// The classes of a fit, best first.
const (
	byRow   = iota // the tax on the row's net, rounded: what the ledger itself would say
	byUnit         // the tax of one unit, rounded, times the quantity
	carried        // off by what rounding carries from row to row
	doubled        // off by two roundings up: two taxes under one rate
)

// fit is a rate that explains an item's tax but for off.
type fit struct {
	rate  *Rate
	class int
	off   decimal.Decimal
}

var (
	// halfPenny is what one rounding can be off, with a little for the rounding of
	// the net behind it; grossSlack adds that of a net taken out of a gross price.
	halfPenny  = decimal.New(51, -4)
	grossSlack = decimal.New(70, -4)
	// carriedOff is how far a row's tax may be from the rate where the shop carries
	// the rounding from row to row: two roundings of the tax and one of the net.
	carriedOff = decimal.New(15, -3)
	// doubledOff: GST and PST, each rounded up, under a ledger's combined rate.
	doubledOff = decimal.New(2, -2)
	// smallest is beyond the decimals of any percentage.
	smallest = decimal.New(1, -6)
)

// base is the amount that the tax is on, if the rate is percent.
func (it item) base(b basis, percent decimal.Decimal) decimal.Decimal {
	switch {
	case it.discount.IsZero() || b == beforeDiscount:
		return it.gross
	case b == withTax:
		return it.gross.Sub(it.discount).Add(share(it.discount, percent))
	}
	return it.gross.Sub(it.discount)
}

// share is the tax within an amount that includes it.
func share(amount, percent decimal.Decimal) decimal.Decimal {
	return amount.Mul(percent).DivRound(hundred.Add(percent), 8)
}

// fits are the rates that explain the item's tax under b, in the order known.
// A base below nothing bears no tax.
func (it item) fits(b basis, rates Rates) []fit {
	if it.tax.IsZero() {
		return it.untaxed(b, rates)
	}
	if rates.Only != nil {
		return []fit{{rate: rates.Only}}
	}
	var list []fit
	lowest, highest, bounded := it.window(b)
	for i := range rates.Known {
		percent := rates.Known[i].Percent.Decimal
		if bounded && (percent.LessThan(lowest) || percent.GreaterThan(highest)) {
			continue
		}
		if f, ok := it.explainedBy(&rates.Known[i], b); ok {
			list = append(list, f)
		}
	}
	return list
}

// window is where the percentages lie that can explain the tax: two divisions
// spare the closer look at all others. It is not bounded where the base itself
// depends on the rate.
func (it item) window(b basis) (lowest, highest decimal.Decimal, bounded bool) {
	base := it.base(b, decimal.Zero)
	if b == withTax && !it.discount.IsZero() || !base.IsPositive() {
		return lowest, highest, false
	}
	slack := doubledOff
	if it.byUnit {
		slack = decimal.Max(slack, it.quantity.Shift(-2))
	}
	lowest = it.tax.Sub(slack).Shift(2).DivRound(base, 6).Sub(smallest)
	highest = it.tax.Add(slack).Shift(2).DivRound(base, 6).Add(smallest)
	return lowest, highest, true
}

func (it item) explainedBy(rate *Rate, b basis) (fit, bool) {
	if !rate.positive() {
		return fit{}, false
	}
	percent := rate.Percent.Decimal
	base := it.base(b, percent)
	above := it.tax.Sub(base.Mul(percent).Shift(-2))
	off := above.Abs()
	strict := halfPenny
	if b == withTax && !it.discount.IsZero() {
		strict = grossSlack
	}
	f := fit{rate: rate, off: off}
	units := it.byUnit && off.LessThanOrEqual(it.quantity.Mul(unitOff(percent)))
	switch {
	case off.LessThanOrEqual(strict):
		f.class = byRow
	case units && it.unitGives(base, percent):
		f.class = byUnit
	case off.LessThanOrEqual(carriedOff), units:
		f.class = carried
	case above.IsPositive() && above.LessThanOrEqual(doubledOff):
		f.class = doubled
	default:
		return fit{}, false
	}
	return f, !base.IsNegative() || it.gross.IsNegative()
}

// unitOff is what rounding a unit's tax and the net that it is on can come to.
func unitOff(percent decimal.Decimal) decimal.Decimal {
	return halfPenny.Add(halfPenny.Mul(percent).Shift(-2))
}

// unitGives reports whether the tax of one unit, rounded, times the quantity is
// the item's.
func (it item) unitGives(base, percent decimal.Decimal) bool {
	return it.sumOfUnits(base.Mul(percent).Shift(-2)).Equal(it.tax)
}

// roundedByUnit reports whether the tax can be a sum of rounded units: else a
// penny a unit would let 20 % pass for 19 % on any hundred pieces.
func (it item) roundedByUnit() bool {
	if it.quantity.LessThanOrEqual(one) {
		return false
	}
	return it.sumOfUnits(it.tax).Equal(it.tax)
}

// sumOfUnits is d by unit, rounded, times the quantity, rounded.
func (it item) sumOfUnits(d decimal.Decimal) decimal.Decimal {
	perUnit := d.DivRound(it.quantity, 8).Round(it.places)
	return perUnit.Mul(it.quantity).Round(it.places)
}

// untaxed are the rates of an item without tax: none, or one whose tax on so
// little rounds to nothing. A coupon that takes the price with its tax leaves
// neither; there the discount tells the rate.
func (it item) untaxed(b basis, rates Rates) []fit {
	var list []fit
	left := it.gross.Sub(it.discount)
	if rates.Zero != nil && (!left.IsNegative() || it.gross.IsNegative() || it.kind == Discount) {
		list = append(list, fit{rate: rates.Zero})
	}
	if it.kind == Discount {
		return list
	}
	for i := range rates.Known {
		rate := &rates.Known[i]
		if !rate.positive() {
			continue
		}
		base := it.base(b, rate.Percent.Decimal)
		off := base.Mul(rate.Percent.Decimal).Shift(-2).Abs()
		allOff := b == withTax && left.IsNegative() && it.gross.IsPositive() // the coupon's own tax tells the rate
		switch {
		case allOff && base.Abs().LessThanOrEqual(halfPenny):
			list = append(list, fit{rate: rate, off: base.Abs()})
		case allOff && base.Abs().LessThanOrEqual(it.quantity.Mul(halfPenny)):
			list = append(list, fit{rate: rate, off: base.Abs(), class: byUnit}) // its tax rounded by unit
		case off.LessThanOrEqual(halfPenny):
			class := byRow
			if allOff {
				class = doubled
			}
			list = append(list, fit{rate: rate, off: off, class: class})
		}
	}
	if len(list) == 0 && rates.Only != nil {
		list = append(list, fit{rate: rates.Only})
	}
	return list
}

// best keeps the fits of the lowest class, or those up to the one by which the
// shop is seen to round.
func best(list []fit, upTo int) []fit {
	lowest := lowestClass(list)
	var kept []fit
	for _, f := range list {
		if f.class <= max(lowest, upTo) {
			kept = append(kept, f)
		}
	}
	return kept
}

func lowestClass(list []fit) int {
	lowest := doubled
	for _, f := range list {
		lowest = min(lowest, f.class)
	}
	return lowest
}

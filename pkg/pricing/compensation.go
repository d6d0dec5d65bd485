package pricing

import (
	"cmp"
	"slices"

	"github.com/shopspring/decimal"
)

// compensate works out what of the residue is the tax within discounts on prices
// with tax, and shares it out to the items: all of the residue where that comes to
// it within the roundings, so that no penny of the buyer's is booked as a rounding.
func (r *reading) compensate(residue decimal.Decimal) {
	r.left = residue
	if r.basis != withTax {
		return
	}
	// The shop's own way first: tax before the coupon less tax after it, by row or
	// by unit; then the share of the discount, which is within a penny a row.
	ways := []func(taxed) decimal.Decimal{taxByRow, taxByUnit, taxByShare}
	if slices.ContainsFunc(r.items, taxed.couponByUnit) {
		ways[0], ways[1] = ways[1], ways[0]
	}
	var chosen []decimal.Decimal
	for _, way := range ways {
		parts, left := make([]decimal.Decimal, len(r.items)), residue
		for i, t := range r.items {
			if t.couponed() {
				parts[i] = t.notBelowNothing(way(t))
				left = left.Sub(parts[i])
			}
		}
		// Away from the residue (something else is in it too) the first way stands.
		if chosen == nil || left.Abs().LessThan(r.left.Abs()) && left.Abs().LessThanOrEqual(r.slack()) {
			chosen, r.left = parts, left
		}
	}
	if !r.left.IsZero() && slices.ContainsFunc(r.items, taxed.couponByUnit) {
		if parts := combine(r.items, residue); parts != nil {
			chosen, r.left = parts, decimal.Zero
		}
	}
	for i := range r.items {
		r.items[i].fixed = chosen[i]
	}
	if r.settled() {
		r.shareOut()
	}
}

// couponed reports whether some of the item's discount can be tax.
func (t taxed) couponed() bool {
	return t.kind != Discount && !t.discount.IsZero() && t.rate.positive()
}

func (t taxed) couponByUnit() bool { return t.byUnit && t.couponed() }

// notBelowNothing is part, or what leaves nothing of an item that a coupon took all
// of: a penny below is the rounding's.
func (t taxed) notBelowNothing(part decimal.Decimal) decimal.Decimal {
	net := t.gross.Sub(t.discount).Add(part)
	if t.gross.IsPositive() && net.IsNegative() && net.Abs().LessThanOrEqual(decimal.Max(penny, t.quantity.Shift(-2))) {
		return part.Sub(net)
	}
	return part
}

func taxByRow(t taxed) decimal.Decimal {
	return money(t.gross.Mul(t.rate.Percent.Decimal).Shift(-2)).Sub(t.tax)
}

func taxByUnit(t taxed) decimal.Decimal {
	if t.quantity.LessThanOrEqual(one) {
		return taxByRow(t)
	}
	withTax := one.Add(t.rate.Percent.Decimal.Shift(-2))
	unit := money(t.gross.DivRound(t.quantity, 8).Mul(withTax))
	return money(unit.Mul(t.quantity)).Sub(t.gross).Sub(t.tax)
}

func taxByShare(t taxed) decimal.Decimal { return money(share(t.discount, t.rate.Percent.Decimal)) }

// slack is what the roundings of the compensation can come to.
func (r reading) slack() decimal.Decimal {
	if r.basis != withTax {
		return penny
	}
	n := 0
	for _, t := range r.items {
		if !t.discount.IsZero() && t.rate.positive() {
			n++
		}
	}
	return penny.Add(roundings(n))
}

// settled reports whether the reading leaves nothing of the residue but what is
// rounding. A compensation must explain most of what it is taken for.
func (r reading) settled() bool {
	left := r.left.Abs()
	if left.GreaterThan(r.slack()) {
		return false
	}
	return r.basis != withTax || left.LessThanOrEqual(decimal.Max(penny, r.compensation().Shift(-1).Mul(decimal.NewFromInt(3))))
}

func (r reading) compensation() decimal.Decimal {
	sum := decimal.Zero
	for _, t := range r.items {
		sum = sum.Add(t.fixed)
	}
	return sum
}

// shareOut gives the pennies that are left to the largest discounts, one each in
// turn: at a tax of 20 % a net may be two pennies off before its tax changes.
func (r *reading) shareOut() {
	order := make([]int, 0, len(r.items))
	for i, t := range r.items {
		if !t.fixed.IsZero() {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(r.items[b].discount.Cmp(r.items[a].discount), cmp.Compare(a, b))
	})
	if len(order) == 0 {
		return
	}
	for n := 0; !r.left.IsZero(); n++ {
		step := decimal.Min(penny, r.left.Abs())
		if r.left.IsNegative() {
			step = step.Neg()
		}
		t := &r.items[order[n%len(order)]]
		t.fixed = t.fixed.Add(step)
		r.left = r.left.Sub(step)
	}
}

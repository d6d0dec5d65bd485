package pricing

import (
	"cmp"
	"slices"

	"github.com/shopspring/decimal"
)

// reading is the sale under one basis: the rate of each item, and what of the
// grand total's residue the discounts' own tax is.
type reading struct {
	basis basis
	items []taxed
	weak  int             // discounted items whose tax no single rounding gives
	left  decimal.Decimal // of the residue, beside the compensation
	// explainsTax: what is left is a charge that a known rate gives the tax of no line on
	explainsTax bool
	near        bool // what is left is no more than a memo may be off by
	alone       bool // no other reading leaves something else
	// unclear: what is left may be the rounding of the tax within coupons, by the piece
	unclear bool
}

// taxed is an item with the rate that explains its tax.
type taxed struct {
	item
	rate  Rate
	fixed decimal.Decimal // of the discount, the part that is tax; only withTax
	split []portion       // shipping under several rates; else nil
}

// portion is a part of the shipping, taxed as the lines of its rate.
type portion struct {
	rate       Rate
	gross, tax decimal.Decimal
}

// beside is what the header has that no line shows: of the grand total, and of the
// tax.
type beside struct {
	residue decimal.Decimal
	tax     decimal.Decimal // nothing where it can be rounding
	near    decimal.Decimal // what the residue may be off by all the same: a memo's
}

// read finds the reading that explains the taxes of all items, and with them the
// residue. A shop has one setting, so an item that leaves no doubt decides for its
// neighbours: the others cannot be read its way. doubt is what another reading, just
// as good, would leave of the residue otherwise.
func read(items []item, rates Rates, off beside) (r reading, doubt decimal.Decimal, failed *unexplained) {
	var readings []reading
	for _, b := range basesOf(items) {
		next, fails := readBy(b, items, rates)
		if fails != nil {
			if failed == nil || fails.count < failed.count {
				failed = fails
			}
			continue
		}
		next.compensate(off.residue)
		next.near = next.left.Abs().LessThanOrEqual(off.near)
		next.explainsTax = explainsTax(next.left, off.tax, rates)
		readings = append(readings, next)
	}
	if len(readings) == 0 {
		return reading{}, doubt, failed
	}
	slices.SortStableFunc(readings, reading.compare)
	r = readings[0]
	r.alone = !slices.ContainsFunc(readings, func(other reading) bool { return !other.left.Equal(r.left) })
	r.unclear = !r.settled() && !r.near && slices.ContainsFunc(readings, reading.withinPieces)
	if len(readings) > 1 && !r.settled() && r.compare(readings[1]) == 0 {
		doubt = readings[1].left.Sub(r.left).Abs()
	}
	return r, doubt, nil
}

// withinPieces reports whether what is left is no more than a penny for each
// discounted piece of prices with tax: the shop may have rounded its tax by unit.
func (r reading) withinPieces() bool {
	pieces := decimal.Zero
	for _, t := range r.items {
		if t.kind != Discount && !t.discount.IsZero() {
			pieces = pieces.Add(decimal.Max(t.quantity, one))
		}
	}
	return r.basis == withTax && r.left.Abs().LessThanOrEqual(pieces.Shift(-2))
}

// basesOf are the ways that the items' discounts can have been taken.
func basesOf(items []item) []basis {
	if slices.ContainsFunc(items, func(it item) bool { return it.kind != Discount && !it.discount.IsZero() }) {
		return []basis{afterDiscount, beforeDiscount, withTax}
	}
	return []basis{afterDiscount}
}

// compare orders readings (half the price at 20 % has the tax of the whole at
// 10 %): first that leaves nothing of the residue (of a memo's, next to nothing), or a
// charge that bears the tax of no line; then the one with the fewest taxes that a
// single rounding does not give; then the one by which the tax is right on the net that
// is posted; then the one by which more discounts are a whole percentage.
func (r reading) compare(other reading) int {
	if r.settled() && other.settled() {
		return cmp.Or(cmp.Compare(r.weak, other.weak), r.left.Abs().Cmp(other.left.Abs()))
	}
	return cmp.Or(
		first(r.settled(), other.settled()),
		first(r.near, other.near),
		first(r.explainsTax, other.explainsTax),
		cmp.Compare(r.weak, other.weak),
		first(r.basis != beforeDiscount, other.basis != beforeDiscount),
		cmp.Compare(other.wholePercentages(), r.wholePercentages()),
	)
}

// explainsTax reports whether a known rate gives the tax of no line on a charge.
func explainsTax(charge, tax decimal.Decimal, rates Rates) bool {
	return tax.IsPositive() && charge.IsPositive() && slices.ContainsFunc(rates.Known, func(r Rate) bool {
		return r.positive() && charge.Mul(r.Percent.Decimal).Shift(-2).Sub(tax).Abs().LessThanOrEqual(halfPenny)
	})
}

// wholePercentages counts the discounts that are a whole percentage of what the
// basis says they came off.
func (r reading) wholePercentages() int {
	n := 0
	for _, t := range r.items {
		off := t.gross
		if r.basis == withTax {
			off = money(off.Mul(one.Add(t.rate.Percent.Decimal.Shift(-2))))
		}
		if t.discount.IsPositive() && off.IsPositive() &&
			money(off.Mul(t.discount.Shift(2).DivRound(off, 0)).Shift(-2)).Equal(money(t.discount)) {
			n++
		}
	}
	return n
}

// first orders what has a property before what has not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// unexplained is an item whose tax no rate explains; count is how many there are.
type unexplained struct {
	item  item
	basis basis
	count int
}

func readBy(b basis, items []item, rates Rates) (reading, *unexplained) {
	found := make([][]fit, len(items))
	var failed *unexplained
	all := make([][]fit, len(items))
	upTo := byRow // how the shop rounds, by the items that only that explains
	for i, it := range items {
		all[i] = it.fits(b, rates)
		found[i] = best(all[i], byRow)
		if lowest := lowestClass(found[i]); it.kind == Product && lowest <= carried {
			upTo = max(upTo, lowest)
		}
	}
	for i := range items {
		if upTo != byRow {
			found[i] = best(all[i], upTo)
		}
	}
	r := reading{basis: b, items: make([]taxed, len(items))}
	proven := provenBy(items, found)
	for i, it := range items {
		r.items[i].item = it
		if len(found[i]) == 0 || it.kind == Shipping && lowestClass(found[i]) > byRow {
			continue // shipping may be in proportion: see below
		}
		r.items[i].rate = *choose(it, found[i], proven)
		if !it.discount.IsZero() && lowestClass(found[i]) > byUnit {
			r.weak++
		}
	}
	for i, it := range items {
		switch {
		case it.kind == Shipping && (len(found[i]) == 0 || lowestClass(found[i]) > byRow):
			if r.items[i].split = inProportion(it, b, r.items); r.items[i].split != nil {
				continue
			}
			if len(found[i]) > 0 {
				r.items[i].rate = *choose(it, found[i], proven)
				if !it.discount.IsZero() && lowestClass(found[i]) > byUnit {
					r.weak++
				}
				continue
			}
			failed = failed.and(it, b)
		case len(found[i]) == 0:
			failed = failed.and(it, b)
		}
	}
	return r, failed
}

func (u *unexplained) and(it item, b basis) *unexplained {
	if u == nil {
		return &unexplained{item: it, basis: b, count: 1}
	}
	u.count++
	return u
}

// provenBy are the rates that some item's tax leaves no doubt of.
func provenBy(items []item, found [][]fit) map[*Rate]bool {
	proven := map[*Rate]bool{}
	for i, list := range found {
		if len(list) == 1 && !items[i].tax.IsZero() {
			proven[list[0].rate] = true
		}
	}
	return proven
}

// choose is the rate of an item: of those that explain its tax one that others
// prove, else the nearest. What comes to nothing takes the rate of nothing.
func choose(it item, list []fit, proven map[*Rate]bool) *Rate {
	nothing := it.tax.IsZero() && it.gross.Equal(it.discount)
	return slices.MinFunc(list, func(a, b fit) int {
		return cmp.Or(
			first(nothing && !a.rate.positive(), nothing && !b.rate.positive()),
			first(proven[a.rate], proven[b.rate]),
			cmp.Compare(a.class, b.class),
			a.off.Cmp(b.off),
		)
	}).rate
}

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

// read finds the reading that explains the taxes of all items, and with them the
// residue. A shop has one setting, so an item that leaves no doubt decides for its
// neighbours: the others cannot be read its way. Of several readings that do
// (half the price at 20 % has the tax of the whole at 10 %) the one goes first
// that leaves nothing of the residue, then the one with the fewest taxes that a
// single rounding does not give, then the one by which the tax is right on the
// net that is posted.
func read(items []item, rates Rates, residue decimal.Decimal) (reading, *unexplained) {
	bases := []basis{afterDiscount}
	if slices.ContainsFunc(items, func(it item) bool { return it.kind != Discount && !it.discount.IsZero() }) {
		bases = []basis{afterDiscount, beforeDiscount, withTax}
	}
	var readings []reading
	var nearest *unexplained
	for _, b := range bases {
		r, failed := readBy(b, items, rates)
		if failed != nil {
			if nearest == nil || failed.count < nearest.count {
				nearest = failed
			}
			continue
		}
		r.compensate(residue)
		readings = append(readings, r)
	}
	if len(readings) == 0 {
		return reading{}, nearest
	}
	return slices.MinFunc(readings, func(a, b reading) int {
		return cmp.Or(
			first(a.settled(), b.settled()),
			cmp.Compare(a.weak, b.weak),
			a.openPennies(b),
			a.openRates(b),
		)
	}), nil
}

// openRates prefers the reading by which the tax is right on the net that is
// posted, where both leave a charge or what was paid otherwise: a deep coupon on
// prices with tax has the tax of a lower rate on the whole.
func (r reading) openRates(other reading) int {
	if r.settled() || other.settled() {
		return 0
	}
	return first(r.basis != beforeDiscount, other.basis != beforeDiscount)
}

// openPennies prefers the reading that leaves less of a residue that both leave
// next to nothing of.
func (r reading) openPennies(other reading) int {
	if !r.settled() || !other.settled() {
		return 0
	}
	return r.left.Abs().Cmp(other.left.Abs())
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

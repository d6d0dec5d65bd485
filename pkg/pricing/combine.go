package pricing

import (
	"slices"

	"github.com/shopspring/decimal"
)

// A shop that keeps prices with tax rounds the net out of them, so several prices
// with tax have one net: 17.06 and 17.07 at 20 % both leave 14.22. On seven pieces
// that is 0.07 of compensation, which is in no field; only the residue tells.

// maxSpread bounds the pennies that the choices of all items may differ by.
const maxSpread = 5_000

// combine chooses the compensation of each item out of those that the shop can have
// computed, such that they come to the residue exactly; the nearest to the plain way
// first. nil where none do, or where the amounts are not in pence.
func combine(items []taxed, residue decimal.Decimal) []decimal.Decimal {
	if fine(residue) {
		return nil
	}
	choices, low, high := make([][]int64, len(items)), int64(0), int64(0)
	for i, t := range items {
		if choices[i] = t.compensations(); choices[i] == nil {
			return nil
		}
		low, high = low+slices.Min(choices[i]), high+slices.Max(choices[i])
	}
	target := residue.Shift(2).IntPart()
	if target < low || target > high || high-low > maxSpread {
		return nil
	}
	return walk(choices, low, high-low+1, target)
}

// walk is the cheapest way through the choices that comes to target: a choice costs
// its place in its list.
func walk(choices [][]int64, low, width, target int64) []decimal.Decimal {
	const none = -1
	taken := make([][]int, len(choices)) // by item and sum: the choice that led there
	cost := map[int64]int{0: 0}
	offset := int64(0) // of the sums so far
	for i, list := range choices {
		next := map[int64]int{}
		taken[i] = make([]int, width)
		for at := range taken[i] {
			taken[i][at] = none
		}
		least := slices.Min(list)
		for sum, spent := range cost {
			for n, part := range list {
				to := sum + part - least
				if known, ok := next[to]; !ok || spent+n < known || spent+n == known && n < taken[i][to] {
					next[to], taken[i][to] = spent+n, n
				}
			}
		}
		cost, offset = next, offset+least
	}
	at := target - offset
	if _, ok := cost[at]; !ok {
		return nil
	}
	parts := make([]decimal.Decimal, len(choices))
	for i := len(choices) - 1; i >= 0; i-- {
		part := choices[i][taken[i][at]]
		parts[i] = decimal.New(part, -2)
		at -= part - slices.Min(choices[i])
	}
	return parts
}

// compensations are what the shop can have computed, in pence, the plain one first;
// nil where an amount is not in pence.
func (t taxed) compensations() []int64 {
	if !t.couponed() {
		return []int64{0}
	}
	var list []int64
	add := func(withTax decimal.Decimal) bool {
		part := t.notBelowNothing(withTax.Sub(t.gross).Sub(t.tax))
		if fine(part) {
			return false
		}
		if pence := part.Shift(2).IntPart(); !slices.Contains(list, pence) {
			list = append(list, pence)
		}
		return true
	}
	percent := t.rate.Percent.Decimal
	if t.byUnit {
		for _, unit := range pricesOf(t.gross.DivRound(t.quantity, 2), percent) {
			if !add(money(unit.Mul(t.quantity))) {
				return nil
			}
		}
	}
	for _, row := range pricesOf(money(t.gross), percent) {
		if !add(row) {
			return nil
		}
	}
	return list
}

// pricesOf are the prices with tax whose net, rounded, is net; the nearest first.
func pricesOf(net, percent decimal.Decimal) []decimal.Decimal {
	nearest := money(net.Mul(one.Add(percent.Shift(-2))))
	list := []decimal.Decimal{nearest}
	for _, price := range []decimal.Decimal{nearest.Add(penny), nearest.Sub(penny)} {
		if price.Sub(money(share(price, percent))).Equal(net) {
			list = append(list, price)
		}
	}
	return list
}

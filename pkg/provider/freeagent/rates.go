package freeagent

import (
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// taxation is how the shop taxed an invoice's lines: the rate of each line, and
// whether the discount was taken before the tax or after it.
type taxation struct {
	rates         []decimal.Decimal // percent, one for each line
	discountFirst bool
}

// knownRates are the percentages that may be chosen, by who knows best: the
// merchant's tax_rate_map, the company's own rates, and where neither tells,
// Britain's.
func knownRates(pol policy.Policy, ref provider.Reference) []decimal.Decimal {
	var rates []decimal.Decimal
	for key := range pol.TaxRateMap {
		if rate, err := decimal.NewFromString(key); err == nil {
			rates = append(rates, rate)
		}
	}
	if len(rates) == 0 {
		for _, t := range ref.TaxRates {
			rates = append(rates, t.EffectiveRate)
		}
	}
	if len(rates) == 0 && ref.TaxRates == nil {
		rates = []decimal.Decimal{decimal.Zero, decimal.NewFromInt(5), decimal.NewFromInt(20)}
	}
	slices.SortFunc(rates, decimal.Decimal.Cmp) // a map has no order, a document must
	return rates
}

// explain finds the rates of all lines. A shop takes discounts either before
// the tax or after it, on all lines alike; the way that explains the taxes
// better is the shop's, before where both do.
func explain(inv canon.Invoice, known []decimal.Decimal) (taxation, error) {
	before, beforeOff, err := explainBy(inv, known, func(l canon.Line) decimal.Decimal { return l.LineSubtotal.Sub(l.Discount()) })
	after, afterOff, errAfter := explainBy(inv, known, func(l canon.Line) decimal.Decimal { return l.LineSubtotal })
	// Half a penny for each line is what rounding alone may make of a tie.
	slack := decimal.New(int64(len(inv.Lines)), 0).Mul(decimal.New(5, -3))
	switch {
	case err != nil && errAfter != nil:
		return taxation{}, err
	case err == nil && (errAfter != nil || beforeOff.LessThanOrEqual(afterOff.Add(slack))):
		return taxation{rates: before, discountFirst: true}, nil
	default:
		return taxation{rates: after}, nil
	}
}

// explainBy finds each line's rate if base is what was taxed, and by how much
// the taxes are off in all. Large taxes are read first: the rate that they leave
// no doubt of decides where a few pence fit several.
func explainBy(inv canon.Invoice, known []decimal.Decimal, base func(canon.Line) decimal.Decimal) ([]decimal.Decimal, decimal.Decimal, error) {
	order := make([]int, len(inv.Lines))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return inv.Lines[b].LineTax.Abs().Cmp(inv.Lines[a].LineTax.Abs())
	})
	rates := make([]decimal.Decimal, len(inv.Lines))
	var used []decimal.Decimal
	var off decimal.Decimal
	for _, i := range order {
		line := inv.Lines[i]
		rate, miss, found := rateFor(base(line), line.LineTax, line.Qty, known, used)
		if !found {
			return nil, off, rateUnknown("line "+line.SKU, base(line), line.LineTax)
		}
		rates[i], off = rate, off.Add(miss)
		used = append(used, rate)
	}
	return rates, off, nil
}

// rateFor is the known rate that explains tax on base within a penny a unit: the
// one that is least off, among equals one already used, then the nearest to the
// true ratio. No tax is a rate of 0, whatever is known.
func rateFor(base, tax, qty decimal.Decimal, known, used []decimal.Decimal) (rate, miss decimal.Decimal, found bool) {
	if tax.IsZero() {
		return decimal.Zero, decimal.Zero, true
	}
	units := decimal.Max(qty.Abs().Ceil(), decimal.NewFromInt(1))
	allowed := units.Shift(-2)
	var bestUsed bool
	var bestExact decimal.Decimal
	for _, candidate := range known {
		if candidate.IsZero() {
			continue
		}
		off := taxOn(base, candidate).Sub(tax).Abs()
		if off.GreaterThan(allowed) {
			continue
		}
		isUsed := slices.ContainsFunc(used, candidate.Equal)
		exact := base.Mul(candidate).Shift(-2).Sub(tax).Abs()
		better := off.Cmp(miss) < 0 || off.Equal(miss) && (isUsed && !bestUsed || isUsed == bestUsed && exact.LessThan(bestExact))
		if !found || better {
			rate, miss, found, bestUsed, bestExact = candidate, off, true, isUsed, exact
		}
	}
	return rate, miss, found
}

// rateUnknown holds a document whose tax no known rate explains, and names the
// rate that would.
func rateUnknown(where string, base, tax decimal.Decimal) *provider.Failure {
	rate := "no rate"
	if base.IsPositive() {
		rate = "a rate near " + tax.Shift(2).DivRound(base, 2).StringFixed(2) + " %"
	}
	return held("tax_rate_not_mapped", fmt.Sprintf("%s: tax of %s on %s is %s, which is not in tax_rate_map",
		where, tax.StringFixed(2), base.StringFixed(2), rate))
}

// allowedBy holds a document with a rate that the ledger's company does not
// have: the ledger would refuse it, or, not being registered, charge nothing.
func allowedBy(ref provider.Reference, rate decimal.Decimal) error {
	if rate.IsZero() || ref.TaxRates == nil {
		return nil
	}
	for _, t := range ref.TaxRates {
		if t.EffectiveRate.Equal(rate) {
			return nil
		}
	}
	return held("tax_rate_not_mapped", fmt.Sprintf("the ledger's company has no sales tax rate of %s %%", rate.StringFixed(2)))
}

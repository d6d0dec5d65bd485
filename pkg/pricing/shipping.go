package pricing

import (
	"cmp"
	"slices"

	"github.com/shopspring/decimal"
)

// inProportion splits a shipping that no one rate explains into parts taxed as
// the products are, in proportion to their net amounts, as the law of several
// countries has it; nil where its tax is not that. Where shipping had a discount
// of prices with tax it is not tried.
func inProportion(shipping item, b basis, items []taxed) []portion {
	if b == withTax && !shipping.discount.IsZero() {
		return nil
	}
	base := shipping.base(b, decimal.Zero)
	for _, net := range []func(taxed) decimal.Decimal{
		func(t taxed) decimal.Decimal { return t.base(b, t.rate.Percent.Decimal) },
		func(t taxed) decimal.Decimal { return t.gross },
	} {
		weights, total := weigh(items, net)
		if len(weights) < 2 || !total.IsPositive() {
			continue
		}
		if parts := portions(shipping, base, weights, total); parts != nil {
			return parts
		}
	}
	return nil
}

type weight struct {
	rate Rate
	sum  decimal.Decimal
}

func weigh(items []taxed, net func(taxed) decimal.Decimal) (weights []weight, total decimal.Decimal) {
	for _, t := range items {
		if t.kind != Product || !t.rate.Percent.Valid {
			continue
		}
		amount := net(t)
		if !amount.IsPositive() {
			continue
		}
		total = total.Add(amount)
		at := slices.IndexFunc(weights, func(w weight) bool {
			return w.rate.Type == t.rate.Type && w.rate.Percent.Decimal.Equal(t.rate.Percent.Decimal)
		})
		if at < 0 {
			weights = append(weights, weight{t.rate, amount})
			continue
		}
		weights[at].sum = weights[at].sum.Add(amount)
	}
	slices.SortStableFunc(weights, func(a, b weight) int {
		return cmp.Or(b.rate.Percent.Decimal.Cmp(a.rate.Percent.Decimal), cmp.Compare(a.rate.Type, b.rate.Type))
	})
	return weights, total
}

// portions are the parts, if their taxes come to the shipping's within a rounding
// each. The last part takes what rounding leaves.
func portions(shipping item, base decimal.Decimal, weights []weight, total decimal.Decimal) []portion {
	var parts []portion
	exact, restGross, restTax := decimal.Zero, money(base), money(shipping.tax)
	for i, w := range weights {
		amount := base.Mul(w.sum).DivRound(total, 8)
		tax := amount.Mul(w.rate.Percent.Decimal).Shift(-2)
		exact = exact.Add(tax)
		part := portion{rate: w.rate, gross: money(amount), tax: money(tax)}
		if i == len(weights)-1 {
			part.gross, part.tax = restGross, restTax
		}
		restGross, restTax = restGross.Sub(part.gross), restTax.Sub(part.tax)
		parts = append(parts, part)
	}
	last := parts[len(parts)-1]
	if exact.Sub(shipping.tax).Abs().GreaterThan(roundings(len(weights))) || last.tax.IsNegative() || last.gross.IsNegative() {
		return nil
	}
	if !last.rate.positive() && !last.tax.IsZero() { // the parts with tax bear what rounding leaves
		parts[0].tax = parts[0].tax.Add(last.tax)
		parts[len(parts)-1].tax = decimal.Zero
	}
	return parts
}

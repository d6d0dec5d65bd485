package xero

import (
	"cmp"
	"slices"

	"github.com/shopspring/decimal"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// mappedRate is a rate of tax in percent with the TaxType that the merchant
// gave it. The percent is not Valid for a default type whose rate Xero did not
// tell.
type mappedRate struct {
	percent decimal.NullDecimal
	taxType string
}

func (r mappedRate) String() string {
	if !r.percent.Valid {
		return r.taxType
	}
	return r.taxType + " (" + r.percent.Decimal.StringFixed(2) + " %)"
}

// taxTable knows the merchant's rates. No tax is ever posted as "none" in
// silence: what the table does not explain is held.
type taxTable struct {
	rates    []mappedRate // tax_rate_map, lowest first
	fallback *mappedRate  // default_xero_tax_type
}

func taxTableOf(pol policy.Policy, ref provider.Reference) taxTable {
	var t taxTable
	for key, taxType := range pol.TaxRateMap {
		if percent, err := decimal.NewFromString(key); err == nil && taxType != "" {
			t.rates = append(t.rates, mappedRate{decimal.NewNullDecimal(percent), taxType})
		}
	}
	slices.SortFunc(t.rates, func(a, b mappedRate) int {
		return cmp.Or(a.percent.Decimal.Cmp(b.percent.Decimal), cmp.Compare(a.taxType, b.taxType))
	})
	if pol.TaxType == "" {
		return t
	}
	t.fallback = &mappedRate{taxType: pol.TaxType}
	for _, rate := range ref.TaxRates {
		if rate.TaxType == pol.TaxType {
			t.fallback.percent = decimal.NewNullDecimal(rate.EffectiveRate)
		}
	}
	return t
}

// chooseAll finds the rate of each sale. The shop's own tax_rate is no help: it
// is too low where a discount was taken before tax. On small amounts several
// rates may explain the same tax. Then one that is off by no more than one
// rounding goes first, then one that other lines of this invoice prove, then
// one on the net amount, then the nearest.
func (t taxTable) chooseAll(sales []sale) ([]mappedRate, error) {
	found := make([][]candidate, len(sales))
	proven := map[string]bool{}
	for i, s := range sales {
		found[i] = t.candidates(s)
		if len(found[i]) == 1 && !s.tax.IsZero() {
			proven[found[i][0].rate.taxType] = true
		}
	}
	chosen := make([]mappedRate, len(sales))
	for i, s := range sales {
		if len(found[i]) == 0 {
			return nil, missingRate(s, s.impliedRate())
		}
		chosen[i] = slices.MinFunc(found[i], func(a, b candidate) int {
			return cmp.Or(
				first(a.tight, b.tight),
				first(proven[a.rate.taxType], proven[b.rate.taxType]),
				first(a.onNet, b.onNet),
				a.off.Cmp(b.off),
			)
		}).rate
	}
	return chosen, nil
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

// candidate is a rate that explains a sale's tax but for off; tight if one
// rounding, of the row or of each unit, accounts for that.
type candidate struct {
	rate  mappedRate
	off   decimal.Decimal
	tight bool
	onNet bool // of the amount after discount
}

func (t taxTable) candidates(s sale) []candidate {
	if s.tax.IsZero() {
		return t.untaxed(s)
	}
	var list []candidate
	known := t.rates
	if t.fallback != nil && t.fallback.percent.Valid {
		known = append(slices.Clone(known), *t.fallback)
	}
	for _, rate := range known {
		if c, ok := explains(rate, s); ok && !rate.percent.Decimal.IsZero() {
			list = append(list, c)
		}
	}
	if len(list) == 0 && t.onlyFallback() {
		return []candidate{{rate: *t.fallback}}
	}
	return dedupe(list)
}

// dedupe drops the default type where the map has it already.
func dedupe(list []candidate) []candidate {
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(c candidate) bool {
		was := seen[c.rate.taxType]
		seen[c.rate.taxType] = true
		return was
	})
}

// onlyFallback reports whether the merchant gave nothing but a default type, of
// which nobody knows the rate.
func (t taxTable) onlyFallback() bool {
	return len(t.rates) == 0 && t.fallback != nil && !t.fallback.percent.Valid
}

// untaxed is the type for a sale without tax: the map's "0.00", else the default
// type unless its rate is known and would have given tax. A sale without any
// money takes what there is.
func (t taxTable) untaxed(s sale) []candidate {
	for _, rate := range t.rates {
		if rate.percent.Decimal.IsZero() {
			return []candidate{{rate: rate}}
		}
	}
	free := s.gross.IsZero() && s.discount.IsZero()
	if t.fallback != nil {
		if _, ok := explains(*t.fallback, s); ok || free || !t.fallback.percent.Valid {
			return []candidate{{rate: *t.fallback}}
		}
	}
	if free && len(t.rates) > 0 {
		return []candidate{{rate: t.rates[0]}}
	}
	return nil
}

var (
	// halfPenny is what one rounding can be off, with a little for the roundings
	// of the net behind it.
	halfPenny = decimal.New(51, -4)
	// rowTolerance is how far a row's tax may be from the rate when the shop
	// carries the rounding from row to row, in prices with or without tax: two
	// roundings of the tax and one of the net.
	rowTolerance = decimal.New(15, -3)
)

// explains reports whether rate gives the sale's tax, on the net or, where the
// shop takes tax before the discount, on the gross amount. A penny a unit is
// allowed only where the tax can be a sum of rounded units: else 20 % would pass
// for 19 % on any hundred pieces.
func explains(rate mappedRate, s sale) (candidate, bool) {
	if !rate.percent.Valid {
		return candidate{}, false
	}
	best, found := candidate{}, false
	for i, base := range []decimal.Decimal{s.net(), s.gross} {
		off := base.Mul(rate.percent.Decimal).Shift(-2).Sub(s.tax).Abs()
		units := one
		if s.roundedByUnit() {
			units = s.quantity
		}
		if off.GreaterThan(decimal.Max(rowTolerance, units.Shift(-2))) {
			continue
		}
		if !found || off.LessThan(best.off) {
			best, found = candidate{rate: rate, off: off, tight: off.LessThanOrEqual(units.Mul(halfPenny)), onNet: i == 0}, true
		}
	}
	return best, found
}

// roundedByUnit reports whether the tax is a whole number of pence times the
// quantity, as it is where a shop rounds the tax of each unit.
func (s sale) roundedByUnit() bool {
	if s.quantity.LessThanOrEqual(one) {
		return false
	}
	perUnit := money(s.tax.Div(s.quantity))
	return money(perUnit.Mul(s.quantity)).Equal(s.tax)
}

// impliedRate is the rate that the sale seems to bear, for the merchant's eyes:
// of the net amount, else of the gross.
func (s sale) impliedRate() string {
	for _, base := range []decimal.Decimal{s.net(), s.gross} {
		if !base.IsZero() {
			return s.tax.Shift(2).DivRound(base, 2).StringFixed(2)
		}
	}
	return ""
}

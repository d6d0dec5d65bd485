package pricing

import (
	"strings"

	"github.com/shopspring/decimal"

	"towpath/pkg/foreign"
	"towpath/pkg/provider"
)

// What a held document tells a person to do can be done: a setting that is named
// is one that the policy's check accepts with the value that is named.

func missingPaidOtherwise(paid decimal.Decimal) error {
	return provider.Hold(provider.HeldMissingMapping, amount(paid)+
		" was paid otherwise (gift card, store credit or reward points): set paid_otherwise_account_code to the account that such money is kept on")
}

func missingCharges(net, tax decimal.Decimal) error {
	text := amount(net)
	if !tax.IsZero() {
		text += " and a tax of " + amount(tax)
	}
	return provider.Hold(provider.HeldMissingMapping, text+
		" is charged by no line (a fixed product tax, a payment fee or the like): set charges_account_code to the account for it")
}

func mismatch(what string, off decimal.Decimal, perhaps string) error {
	return provider.Hold(provider.HeldTotalMismatch, what+": a difference of "+amount(off)+", which may be "+perhaps+
		"; nothing is posted that does not come to the shop's total")
}

// maxTolerance is the highest that the settings take.
var maxTolerance = one

func beyondTolerance(sum, total, off, tolerance decimal.Decimal) error {
	text := "the lines, rounded to pence, come to " + amount(sum) + " and the shop's grand total to " + amount(total) +
		": a difference of " + amount(off) + ", more than rounding_tolerance " + tolerance.StringFixed(2) + " allows"
	if off.Abs().LessThanOrEqual(maxTolerance) {
		text += "; set rounding_tolerance to " + off.Abs().StringFixed(2)
	}
	return provider.Hold(provider.HeldTotalMismatch, text)
}

// missingRate is for a tax that no rate of the settings explains. It advises to
// add a rate only if the ledger has one that does.
func missingRate(u unexplained, rates Rates) error {
	it := u.item
	what := "tax " + amount(it.tax) + " on " + amount(it.base(afterDiscount, decimal.Zero)) + ", " + it.describe()
	if it.base(u.basis, decimal.Zero).IsZero() && !it.tax.IsZero() {
		return provider.Hold(provider.HeldTaxRateNotMapped, "no tax rate explains a tax without an amount ("+what+")")
	}
	explains := func(r Rate) bool {
		if it.tax.IsZero() {
			return r.Percent.Valid && r.Percent.Decimal.IsZero()
		}
		f, ok := it.explainedBy(&r, u.basis)
		return ok && f.class <= byUnit
	}
	return rateAdvice(it.base(u.basis, decimal.Zero), it.tax, what, rates, explains)
}

func chargeRateMissing(net, tax decimal.Decimal, rates Rates) error {
	what := "tax " + amount(tax) + " on " + amount(net) + ", a charge that no line shows"
	return rateAdvice(net, tax, what, rates, func(r Rate) bool {
		return r.positive() && net.Mul(r.Percent.Decimal).Shift(-2).Sub(tax).Abs().LessThanOrEqual(halfPenny)
	})
}

func rateAdvice(base, tax decimal.Decimal, what string, rates Rates, explains func(Rate) bool) error {
	if rates.Ledger == nil {
		if percent, ok := plainest(base, tax); ok {
			return provider.Hold(provider.HeldTaxRateNotMapped, "no tax type is mapped for "+percentText(percent)+" % ("+what+"): add \""+percentText(percent)+"\" to tax_rate_map in the settings")
		}
	}
	var usable []string
	for _, r := range rates.Ledger {
		if explains(r) && len(usable) < 3 {
			text := "\"" + percentText(r.Percent.Decimal) + "\""
			if r.Type != "" {
				text += " (" + r.Type + ")"
			}
			usable = append(usable, text)
		}
	}
	implied := "no rate"
	if percent, ok := plainest(base, tax); ok {
		implied = "about " + percentText(percent) + " %"
	}
	if len(usable) > 0 {
		return provider.Hold(provider.HeldTaxRateNotMapped, "no tax type is mapped for "+implied+" ("+what+"): add "+strings.Join(usable, " or ")+" to tax_rate_map in the settings")
	}
	return provider.Hold(provider.HeldTaxRateNotMapped, "no one tax rate of the settings or of the ledger explains this tax ("+what+", "+implied+
		"): make a rate for it in the ledger and map it in tax_rate_map, or correct the tax in the shop")
}

// plainest is the percentage with the fewest decimals that gives tax on base.
func plainest(base, tax decimal.Decimal) (decimal.Decimal, bool) {
	if !base.IsPositive() || tax.IsNegative() {
		return decimal.Zero, false
	}
	exact := tax.Shift(2).DivRound(base, 8)
	for decimals := int32(0); decimals < 4; decimals++ {
		percent := exact.Round(decimals)
		if base.Mul(percent).Shift(-2).Sub(tax).Abs().LessThanOrEqual(halfPenny) {
			exact = percent
			break
		}
	}
	exact = exact.Round(4)
	return exact, exact.LessThanOrEqual(hundred)
}

// describe names the item for a message.
func (it item) describe() string {
	text := it.line.Name
	if it.line.SKU != "" && it.line.SKU != it.line.Name {
		text += " (" + it.line.SKU + ")"
	}
	if text = foreign.Text(text, 200); text == "" {
		return "an item without a name"
	}
	return text
}

// amount is d with two decimals, or with those that it has.
func amount(d decimal.Decimal) string {
	if fine(d) {
		return d.String()
	}
	return d.StringFixed(2)
}

// percentText is percent as a key of tax_rate_map has it.
func percentText(percent decimal.Decimal) string {
	return strings.TrimSuffix(strings.TrimSuffix(percent.StringFixed(4), "0"), "0")
}

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

// twoReadings is for a charge or payment beside a discount that two readings of the
// lines explain alike, with another charge or payment each.
func twoReadings(r reading, doubt decimal.Decimal) error {
	return mismatch("the discounts can be read as taken off prices with tax or without, and the tax is right either way; beside them "+
		amount(r.left)+" of the grand total is on no line, or "+amount(doubt)+" more or less", doubt, "the tax within a coupon")
}

// unclearPennies is for so little beside coupons on prices with tax that it may be
// their rounding as well as a charge or a payment.
func unclearPennies(left decimal.Decimal) error {
	return mismatch(amount(left)+" of the grand total is on no line, beside coupons on prices with tax", left,
		"a charge or a gift card, or what rounding the tax within the coupons by the piece comes to")
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

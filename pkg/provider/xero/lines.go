package xero

import (
	"cmp"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/provider"
)

const maxDescription = 4000

// line is one line of the document in Xero's terms.
type line struct {
	description string
	quantity    decimal.Decimal
	unit        decimal.Decimal
	discount    decimal.Decimal // at most two decimals, never above quantity x unit
	tax         decimal.Decimal // the shop's, two decimals
	account     string
	rate        mappedRate
	why         string // how it came to be, where that is not plain
}

var one = decimal.NewFromInt(1)

// amount is the line's net as Xero computes it.
func (l line) amount() decimal.Decimal {
	return money(l.quantity.Mul(l.unit).Sub(l.discount))
}

func (l line) body(tracking []trackingBody) lineBody {
	body := lineBody{
		Description: l.description, Quantity: number(l.quantity, 0), UnitAmount: number(l.unit, 2),
		AccountCode: l.account, TaxType: l.rate.taxType, TaxAmount: number(l.tax, 2), Tracking: tracking,
	}
	if !l.discount.IsZero() {
		body.DiscountAmount = number(l.discount, 2)
	}
	return body
}

func (l line) note() string {
	text := l.description + ": " + l.quantity.String() + " x " + string(number(l.unit, 2))
	if !l.discount.IsZero() {
		text += " - " + l.discount.StringFixed(2)
	}
	text += " = " + l.amount().StringFixed(2) + " on " + l.account + ", tax " + l.tax.StringFixed(2) + " as " + l.rate.String()
	if l.why != "" {
		text += " (" + l.why + ")"
	}
	return cut(text, maxDescription)
}

// lines makes the document's lines but the rounding one: products, shipping, and
// what of the header's discount neither of them carries.
func (b *builder) lines() ([]line, error) {
	sales := b.sales()
	if len(sales) == 0 {
		return nil, refused("the invoice has no lines")
	}
	rates, err := taxTableOf(b.pol, b.ref).chooseAll(sales)
	if err != nil {
		return nil, err
	}
	var lines []line
	for i, s := range sales {
		lines = append(lines, s.lines(rates[i])...)
	}
	return lines, nil
}

// sales are what was sold, in order, then shipping. The shop has no field for a
// discount on shipping: it is what the header's has more than the lines'. What
// shipping cannot carry either is a line of its own; if that is no more than
// pennies, it is left to the rounding line.
func (b *builder) sales() []sale {
	var sales []sale
	rest := b.inv.DiscountAmount.Neg()
	for i, l := range b.inv.Lines {
		rest = rest.Sub(l.Discount())
		if i > 0 && foldable(b.inv.Lines[i-1], l) {
			continue
		}
		sales = append(sales, product(l, b.pol.RevenueAccountCode))
	}
	rest = money(decimal.Max(rest, decimal.Zero))
	amount, tax := money(b.inv.ShippingAmount), money(b.inv.ShippingTax)
	if !amount.IsZero() || !tax.IsZero() {
		discount := decimal.Max(decimal.Min(rest, amount), decimal.Zero)
		rest = rest.Sub(discount)
		sales = append(sales, sale{
			name: "Shipping", quantity: one, unit: amount, gross: amount, discount: discount, tax: tax,
			account: cmp.Or(b.pol.ShippingAccountCode, b.pol.RevenueAccountCode),
		})
	}
	if rest.GreaterThan(b.pol.RoundingTolerance) {
		sales = append(sales, sale{name: "Discount", quantity: one, unit: rest.Neg(), gross: rest.Neg(), account: b.pol.RevenueAccountCode})
	}
	return sales
}

// foldable reports whether l is the child row of a configurable product: the
// same SKU as the row before it, and no money.
func foldable(parent, l canon.Line) bool { return l.IsZero() && l.SKU == parent.SKU }

// sale is something sold, in the shop's terms and in pence.
type sale struct {
	name     string
	sku      string
	quantity decimal.Decimal
	unit     decimal.Decimal
	gross    decimal.Decimal // before discount, without tax
	discount decimal.Decimal
	tax      decimal.Decimal
	account  string
}

func product(l canon.Line, account string) sale {
	return sale{
		name: clean(l.Name), sku: clean(l.SKU), quantity: l.Qty, unit: l.UnitPrice,
		gross: money(l.LineSubtotal), discount: money(l.Discount()), tax: money(l.LineTax), account: account,
	}
}

func (s sale) net() decimal.Decimal { return s.gross.Sub(s.discount) }

// lines is s as Xero's lines: one, or two where the discount was taken after tax
// and is larger than the net amount. TaxAmount is always the shop's; a discount
// lowers the net, so net and tax come to the shop's row total also where the
// shop took its tax before the discount.
func (s sale) lines(rate mappedRate) []line {
	l := line{quantity: s.quantity, unit: s.unit, discount: s.discount, tax: s.tax, account: s.account, rate: rate}
	beyond := decimal.Zero
	if s.discount.GreaterThan(s.gross) && s.gross.IsPositive() {
		beyond, l.discount = s.discount.Sub(s.gross), s.gross
	}
	net := s.gross.Sub(l.discount)
	if l.discount.IsNegative() { // a surcharge on the row: Xero has none
		l.discount = decimal.Zero
	}
	inText := ""
	if !multipliesOut(l.quantity, l.unit, l.discount, net) {
		if !s.quantity.Equal(one) {
			inText = s.quantity.String() + " x " + s.unit.String()
			l.why = "quantity in the text: " + inText + " does not come to " + net.Add(l.discount).StringFixed(2) + " in every way of rounding"
		}
		l.quantity, l.unit = one, net.Add(l.discount)
		if l.discount.GreaterThan(l.unit) {
			l.unit, l.discount = net, decimal.Zero
		}
	}
	l.description = s.describe(inText)
	if beyond.IsZero() {
		return []line{l}
	}
	return []line{l, {
		description: cut("Discount on "+s.describe(""), maxDescription), quantity: one, unit: beyond.Neg(), account: s.account, rate: rate,
		why: "a discount taken after tax, beyond the row's net",
	}}
}

// describe is name, SKU and, where it is not in Quantity, the quantity, within
// Xero's limit: the name gives way.
func (s sale) describe(quantity string) string {
	suffix := ""
	if s.sku != "" && s.sku != s.name {
		suffix = " (" + cut(s.sku, 500) + ")"
	}
	if quantity != "" {
		suffix += ", " + quantity
	}
	text := clean(cut(s.name, maxDescription-units(suffix)) + suffix)
	if text == "" {
		return "Item"
	}
	return text
}

// missingRate is the Held failure for a tax that nobody has mapped.
func missingRate(s sale, percent string) *provider.Failure {
	what := "tax " + s.tax.StringFixed(2) + " on " + s.net().StringFixed(2) + ", " + cut(s.describe(""), 200)
	if percent == "" {
		return held(reasonRateNotMapped, "no tax rate explains a tax without an amount ("+what+")")
	}
	return held(reasonRateNotMapped, "no tax type is mapped for "+percent+" % ("+what+"): add \""+percent+"\" to tax_rate_map in the settings")
}

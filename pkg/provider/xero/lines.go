package xero

import (
	"cmp"

	"github.com/shopspring/decimal"

	"towpath/pkg/pricing"
	"towpath/pkg/provider"
)

const maxDescription = 4000

// line is one line of the document in Xero's terms.
type line struct {
	description string
	item        string // its code on Xero's price list; empty: it has none there
	quantity    decimal.Decimal
	unit        decimal.Decimal
	discount    decimal.Decimal // at most two decimals, never above quantity x unit
	tax         decimal.Decimal // two decimals; Xero takes it as it is
	account     string
	rate        pricing.Rate
	why         string // how it came to be, where that is not plain
}

var one = decimal.NewFromInt(1)

// amount is the line's net as Xero computes it.
func (l line) amount() decimal.Decimal {
	return money(l.quantity.Mul(l.unit).Sub(l.discount))
}

func (l line) body(tracking []trackingBody) lineBody {
	body := lineBody{
		Description: l.description, ItemCode: l.item, Quantity: number(l.quantity, 0), UnitAmount: number(l.unit, 2),
		AccountCode: l.account, TaxType: l.rate.Type, TaxAmount: number(l.tax, 2), Tracking: tracking,
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

// price is the sale as the shop's arithmetic has it, with this policy's rates.
func (b *builder) price() (pricing.Priced, error) {
	priced, err := pricing.Price(b.sale, pricing.Settings{
		Rates: b.rates(), Tolerance: b.pol.RoundingTolerance,
		Charges: b.pol.ChargesAccount != "", PaidOtherwise: b.pol.PaidOtherwiseAccount != "",
	})
	if err != nil {
		return pricing.Priced{}, err
	}
	b.remarks = append(b.remarks, priced.Notes...)
	return priced, nil
}

// lines makes the document's lines but the rounding one.
func (b *builder) lines(priced pricing.Priced) []line {
	var lines []line
	for _, p := range priced.Lines {
		account := b.account(p.Kind)
		made := linesOf(p, account, b.typed(p.Rate, account))
		if code := ItemCode(p.SKU); p.Kind == pricing.Product && b.ref.ItemCodes[code] {
			made[0].item = code // a second line is a discount
		}
		lines = append(lines, made...)
	}
	return lines
}

func (b *builder) account(kind pricing.Kind) string {
	switch kind {
	case pricing.Shipping:
		return cmp.Or(b.pol.ShippingAccountCode, b.pol.RevenueAccountCode)
	case pricing.Charge:
		return b.pol.ChargesAccount
	case pricing.Fee:
		return cmp.Or(b.pol.ChargesAccount, b.pol.RevenueAccountCode)
	case pricing.PaidOtherwise:
		return b.pol.PaidOtherwiseAccount
	}
	return b.pol.RevenueAccountCode
}

// typed gives what is outside the scope of tax Xero's type for that.
func (b *builder) typed(rate pricing.Rate, code string) pricing.Rate {
	if rate.Type == "" {
		rate.Type = b.noTax(b.accountOf(code))
	}
	return rate
}

func (b *builder) accountOf(code string) provider.Account {
	for _, a := range b.ref.Accounts {
		if a.Code == code {
			return a
		}
	}
	return provider.Account{}
}

// linesOf is p as Xero's lines: one, or two where the discount was taken after tax
// and is larger than the net amount. TaxAmount is always given; a discount lowers
// the net, so net and tax come to the shop's row total also where the shop took
// its tax before the discount.
func linesOf(p pricing.Line, account string, rate pricing.Rate) []line {
	l := line{quantity: p.Quantity, unit: p.Unit, discount: p.Discount, tax: p.Tax, account: account, rate: rate, why: p.Why}
	beyond := decimal.Zero
	if p.Discount.GreaterThan(p.Gross) && p.Gross.IsPositive() {
		beyond, l.discount = p.Discount.Sub(p.Gross), p.Gross
	}
	net := p.Gross.Sub(l.discount)
	if l.discount.IsNegative() { // a surcharge on the row: Xero has none
		l.discount = decimal.Zero
	}
	inText := ""
	if !multipliesOut(l.quantity, l.unit, l.discount, net) {
		if !p.Quantity.Equal(one) {
			inText = p.Quantity.String() + " x " + p.Unit.String()
			l.why = joinWhy(l.why, "quantity in the text: "+inText+" does not come to "+net.Add(l.discount).StringFixed(2)+" in every way of rounding")
		}
		l.quantity, l.unit = one, net.Add(l.discount)
		if l.discount.GreaterThan(l.unit) {
			l.unit, l.discount = net, decimal.Zero
		}
	}
	l.description = describe(p, inText)
	if beyond.IsZero() {
		return []line{l}
	}
	return []line{l, {
		description: cut("Discount on "+describe(p, ""), maxDescription), quantity: one, unit: beyond.Neg(), account: account, rate: rate,
		why: "a discount taken after tax, beyond the row's net",
	}}
}

func joinWhy(why, more string) string {
	if why == "" {
		return more
	}
	return why + "; " + more
}

// describe is name, SKU and, where it is not in Quantity, the quantity, within
// Xero's limit: the name gives way.
func describe(p pricing.Line, quantity string) string {
	name, sku := clean(p.Name), clean(p.SKU)
	suffix := ""
	if sku != "" && sku != name {
		suffix = " (" + cut(sku, 500) + ")"
	}
	if quantity != "" {
		suffix += ", " + quantity
	}
	text := clean(cut(name, maxDescription-units(suffix)) + suffix)
	if text == "" {
		return "Item"
	}
	return text
}

package canontest

import (
	"time"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
)

// Sale begins an invoice that is built row by row, for tests of one trap each.
// Amounts are texts, as the shop's JSON has them.
func Sale() *Builder {
	return &Builder{inv: canon.Invoice{
		MagentoID: 7, IncrementID: "700000007", OrderIncrementID: "600000007", WebsiteID: 1, StoreID: 1, Currency: "GBP",
		State: canon.StatePaid, CreatedAt: time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC),
	}}
}

// Builder makes an invoice; Total ends it.
type Builder struct {
	inv canon.Invoice
}

// Row adds a line: discount is what the shop took off, with or without tax.
func (b *Builder) Row(name, qty, unit, subtotal, tax, discount string) *Builder {
	l := canon.Line{SKU: name, Name: name, Qty: dec(qty), UnitPrice: dec(unit), LineSubtotal: dec(subtotal), LineTax: dec(tax)}
	l.LineTotal = l.LineSubtotal.Add(l.LineTax).Sub(dec(discount))
	b.inv.Lines = append(b.inv.Lines, l)
	b.inv.Subtotal = b.inv.Subtotal.Add(l.LineSubtotal)
	b.inv.TaxAmount = b.inv.TaxAmount.Add(l.LineTax)
	b.inv.DiscountAmount = b.inv.DiscountAmount.Sub(dec(discount))
	return b
}

// Shipping adds the shipping, its tax and what the coupon took off it.
func (b *Builder) Shipping(net, tax, discount string) *Builder {
	b.inv.ShippingAmount, b.inv.ShippingTax = dec(net), dec(tax)
	b.inv.TaxAmount = b.inv.TaxAmount.Add(dec(tax))
	b.inv.DiscountAmount = b.inv.DiscountAmount.Sub(dec(discount))
	return b
}

// Tax adds a tax of no line to the header's.
func (b *Builder) Tax(more string) *Builder {
	b.inv.TaxAmount = b.inv.TaxAmount.Add(dec(more))
	return b
}

// To is the country of the delivery.
func (b *Builder) To(country string) *Builder {
	b.inv.ShippingAddress = &canon.Address{Kind: "shipping", City: "Town", CountryID: country}
	return b
}

// In is the currency, and what one unit of the shop's base currency buys of it.
func (b *Builder) In(currency, rate string) *Builder {
	r := dec(rate)
	b.inv.Currency, b.inv.BaseToOrderRate = currency, &r
	return b
}

// Total is the invoice, through the shop's JSON.
func (b *Builder) Total(grand string) canon.Invoice {
	b.inv.GrandTotal = dec(grand)
	inv, err := canon.DecodeInvoice(canon.EncodeInvoice(b.inv))
	if err != nil {
		panic(err) // the test's own invoice is broken
	}
	return inv
}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

package pricing

import (
	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
)

// Sale is what the arithmetic needs of a canonical document.
type Sale struct {
	Lines       []canon.Line
	Shipping    decimal.Decimal // net, before its discount
	ShippingTax decimal.Decimal
	Header      *Header // nil where the form has none: a credit memo's
	GrandTotal  decimal.Decimal
	Refund      *Refund // of a credit memo; nil: the sale is an invoice
}

// Header is what a document says of its lines' sums.
type Header struct {
	Subtotal decimal.Decimal
	Tax      decimal.Decimal // with the shipping's and that of charges which no line shows
	Discount decimal.Decimal // not negative; with the shipping's
}

// Invoice is the sale of an invoice.
func Invoice(inv canon.Invoice) Sale {
	return Sale{
		Lines: inv.Lines, Shipping: inv.ShippingAmount, ShippingTax: inv.ShippingTax, GrandTotal: inv.GrandTotal,
		Header: &Header{Subtotal: inv.Subtotal, Tax: inv.TaxAmount, Discount: inv.DiscountAmount.Neg()},
	}
}

// header is the sale's, else the sums of its lines.
func (s Sale) header() Header {
	if s.Header != nil {
		return *s.Header
	}
	h := Header{Tax: s.ShippingTax}
	for _, l := range s.Lines {
		h.Subtotal = h.Subtotal.Add(l.LineSubtotal)
		h.Tax = h.Tax.Add(l.LineTax)
		h.Discount = h.Discount.Add(l.Discount())
	}
	return h
}

// Kind is what a line stands for; it decides the ledger's account.
type Kind int

// The kinds of lines.
const (
	Product Kind = iota
	Shipping
	Discount      // of the header, on no line
	Charge        // of no line: a fixed product tax, a payment fee
	PaidOtherwise // a gift card and the like: negative, without tax
	Adjustment    // given back beside the lines of a credit memo
	Fee           // kept of what a credit memo gives back: negative
)

// Line is one priced line, its amounts in pence. Gross - Discount is the net that
// is posted; Tax is on it, but for what of the discount did not lower the tax.
type Line struct {
	Kind        Kind
	Name        string // the shop's, as it is
	SKU         string
	ProductType string
	Quantity    decimal.Decimal // the shop's, any decimals
	Unit        decimal.Decimal // net price of one, before discount
	Gross       decimal.Decimal // before discount, without tax
	Discount    decimal.Decimal // without tax
	Untaxed     decimal.Decimal // the part of Discount that was taken after the tax
	Tax         decimal.Decimal
	Rate        Rate
	Why         string // how it came to be, where that is not plain
}

// Net is what the line comes to without tax.
func (l Line) Net() decimal.Decimal { return l.Gross.Sub(l.Discount) }

// Rate is a rate of tax, in percent, and what the ledger calls it. Percent is not
// Valid for a type whose rate the ledger did not tell.
type Rate struct {
	Percent decimal.NullDecimal
	Type    string // a tax type; empty on a wire that knows percentages only
}

// String is for notes and messages.
func (r Rate) String() string {
	switch {
	case !r.Percent.Valid:
		return r.Type
	case r.Type == "":
		return percentText(r.Percent.Decimal) + " %"
	}
	return r.Type + " (" + percentText(r.Percent.Decimal) + " %)"
}

func (r Rate) positive() bool { return r.Percent.Valid && r.Percent.Decimal.IsPositive() }

// Rates are what a sale may be taxed at.
type Rates struct {
	Known []Rate // of the settings, each percentage once
	// Zero is for what bears no tax; nil where nobody said.
	Zero *Rate
	// Only stands for every tax: the settings' one type, of a rate that the ledger
	// does not tell.
	Only *Rate
	// Ledger are all that the ledger has for sales, for advice; nil: not told.
	Ledger []Rate
}

// Settings are the policy's that the arithmetic asks.
type Settings struct {
	Rates         Rates
	Tolerance     decimal.Decimal // of the rounding line
	Charges       bool            // there is an account for charges
	PaidOtherwise bool            // there is an account for what was paid otherwise
}

// Priced is a sale as lines. Lines' tax comes to Tax, and lines and Rounding
// together to Total: the grand total, half up to pence.
type Priced struct {
	Lines    []Line
	Tax      decimal.Decimal
	Total    decimal.Decimal
	Rounding decimal.Decimal // within the tolerance; for a line of the ledger's own
	Notes    []string
}

var (
	one     = decimal.NewFromInt(1)
	hundred = decimal.NewFromInt(100)
	penny   = decimal.New(1, -2)
)

// money rounds to pence, an exact half away from zero as the shop does.
func money(d decimal.Decimal) decimal.Decimal { return d.Round(2) }

func count(n int) decimal.Decimal { return decimal.NewFromInt(int64(n)) }

package xero

import (
	"encoding/json"
	"strconv"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/pricing"
	"towpath/pkg/provider"
)

const (
	maxNumber    = 255
	maxReference = 255
)

// invoicesBody is what is posted; the field order is fixed, so the same
// invoice gives the same bytes, hash and idempotency key.
type invoicesBody struct {
	Invoices []invoiceBody
}

type invoiceBody struct {
	Type            string
	Contact         contactRef
	Date            string
	DueDate         string
	LineAmountTypes string
	InvoiceNumber   string
	Reference       string `json:",omitempty"`
	Url             string `json:",omitempty"`
	CurrencyCode    string
	CurrencyRate    json.Number `json:",omitempty"`
	Status          string
	BrandingThemeID string `json:",omitempty"`
	LineItems       []lineBody
}

// contactRef names the contact by nothing but its id: further fields would
// change it.
type contactRef struct {
	ContactID string
}

type lineBody struct {
	Description    string
	ItemCode       string `json:",omitempty"`
	Quantity       json.Number
	UnitAmount     json.Number
	DiscountAmount json.Number `json:",omitempty"`
	AccountCode    string
	TaxType        string
	TaxAmount      json.Number
	Tracking       []trackingBody `json:",omitempty"`
}

type trackingBody struct {
	Name   string
	Option string
}

// Document builds the sales invoice for inv. It is pure, so explain shows what
// a run would post. A document whose total would not be the shop's to the penny,
// whose tax or account nobody has mapped, or that Xero would refuse by what ref
// says (locked period, archived account, ...) is Held and names what is missing.
func (c *Client) Document(inv canon.Invoice, pol policy.Policy, ref provider.Reference, contactID, runURL string) (provider.Document, error) {
	return Build(inv, pol, ref, contactID, runURL)
}

// Build is Document for those who have no client.
func Build(inv canon.Invoice, pol policy.Policy, ref provider.Reference, contactID, runURL string) (provider.Document, error) {
	b := builder{what: "invoice", inv: inv, sale: pricing.Invoice(inv), pol: pol, ref: ref}
	number := policy.Number(inv, pol)
	lines, rounding, err := b.build(number)
	if err != nil {
		return provider.Document{}, err
	}
	header := b.header(number, contactID, runURL, lines)
	body, err := json.Marshal(invoicesBody{Invoices: []invoiceBody{header}})
	if err != nil {
		return provider.Document{}, &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "encode document", Err: err}
	}
	return b.document(number, contactID, body, lines, rounding), nil
}

// builder makes a document of one of the shop's: an invoice, or a credit memo in the
// form of one.
type builder struct {
	what    string // for messages
	inv     canon.Invoice
	sale    pricing.Sale
	pol     policy.Policy
	ref     provider.Reference
	remarks []string // of the header
}

// build makes the lines, the rounding one last.
func (b *builder) build(number string) (lines []line, rounding decimal.Decimal, err error) {
	if err := b.check(number); err != nil {
		return nil, decimal.Zero, err
	}
	priced, err := b.price()
	if err != nil {
		return nil, decimal.Zero, err
	}
	lines = b.lines(priced)
	var last []line
	if !priced.Rounding.IsZero() {
		made, err := b.rounding(priced.Rounding)
		if err != nil {
			return nil, decimal.Zero, err
		}
		last = append(last, made)
	}
	if err := b.checkMapping(lines); err != nil { // not the rounding line: it is not of the settings
		return nil, decimal.Zero, err
	}
	b.remarkCountry(priced.Lines)
	return append(lines, last...), priced.Rounding, nil
}

func (b *builder) document(number, contactID string, body []byte, lines []line, rounding decimal.Decimal) provider.Document {
	total := sum(lines)
	return provider.Document{
		Number: number, ContactID: contactID, Currency: b.inv.Currency, Status: b.status(), Body: body,
		SubTotal: total.sub, TotalTax: total.tax, Total: total.total(), Rounding: rounding, Notes: b.notes(lines),
	}
}

// check refuses what no document can be made of.
func (b *builder) check(number string) error {
	switch {
	case b.pol.RevenueAccountCode == "":
		return held(reasonMissingMapping, "default_xero_revenue_account_code is not set: choose the account for sales in the settings")
	case number == "" || !asciiOnly(number) || len(number) > maxNumber:
		return refused("the number " + strconv.Quote(number) + " must be 1 to 255 printable ASCII characters for Xero")
	case b.inv.GrandTotal.IsNegative():
		return refused("a document cannot have a negative total")
	case !b.currencyEnabled():
		return held(reasonCurrencyOff, "the currency "+b.inv.Currency+" is not enabled in Xero: add it under Settings, Currencies"+goesOn)
	}
	return b.checkPeriod()
}

// currencyEnabled is true where Xero did not tell its currencies.
func (b *builder) currencyEnabled() bool {
	if b.ref.Currencies == nil || b.inv.Currency == b.ref.Organisation.BaseCurrency {
		return true
	}
	for _, code := range b.ref.Currencies {
		if code == b.inv.Currency {
			return true
		}
	}
	return false
}

func refused(message string) *provider.Failure {
	return &provider.Failure{Kind: provider.Refused, Code: provider.CodeValidation, Message: message}
}

func (b *builder) notes(lines []line) []string {
	var notes []string
	for i, l := range lines {
		notes = append(notes, "line "+strconv.Itoa(i+1)+": "+l.note())
	}
	return append(notes, b.remarks...)
}

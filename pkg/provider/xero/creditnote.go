package xero

import (
	"encoding/json"
	"time"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/pricing"
	"towpath/pkg/provider"
)

// creditNotesBody is what is posted; the field order is fixed, as an invoice's is.
type creditNotesBody struct {
	CreditNotes []creditNoteBody
}

// creditNoteBody has no Url: Xero links a credit note nowhere.
type creditNoteBody struct {
	Type             string
	Contact          contactRef
	Date             string
	LineAmountTypes  string
	CreditNoteNumber string
	Reference        string `json:",omitempty"`
	CurrencyCode     string
	CurrencyRate     json.Number `json:",omitempty"`
	Status           string
	BrandingThemeID  string `json:",omitempty"`
	LineItems        []lineBody
}

// CreditNote builds the credit note for memo, as Document builds an invoice: pure,
// exact to the penny or held. memo's StoreID, which the shop's form does not have, is
// the event's; it chooses the prefix of the number. The reference is the number of the
// invoice in Xero, where the memo names one. The document's sums are positive, as
// Xero has them. runURL is not used: a credit note has no link.
func (c *Client) CreditNote(memo canon.CreditMemo, pol policy.Policy, ref provider.Reference, contactID, runURL string) (provider.Document, error) {
	return BuildCreditNote(memo, pol, ref, contactID)
}

// BuildCreditNote is CreditNote for those who have no client.
func BuildCreditNote(memo canon.CreditMemo, pol policy.Policy, ref provider.Reference, contactID string) (provider.Document, error) {
	b := builder{what: "credit note", inv: memo.AsInvoice(), sale: pricing.CreditMemo(memo), pol: pol, ref: ref}
	number := policy.NumberOf(memo.IncrementID, memo.StoreID, pol)
	lines, rounding, err := b.build(number)
	if err != nil {
		return provider.Document{}, err
	}
	for i := range lines {
		lines[i] = lines[i].withoutDiscount()
	}
	body, err := json.Marshal(creditNotesBody{CreditNotes: []creditNoteBody{b.creditHeader(memo, number, contactID, lines)}})
	if err != nil {
		return provider.Document{}, &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "encode credit note", Err: err}
	}
	return b.document(number, contactID, body, lines, rounding), nil
}

func (b *builder) creditHeader(memo canon.CreditMemo, number, contactID string, lines []line) creditNoteBody {
	body := creditNoteBody{
		Type: "ACCRECCREDIT", Contact: contactRef{ContactID: contactID}, Date: b.date().Format(time.DateOnly),
		LineAmountTypes: "Exclusive", CreditNoteNumber: number, CurrencyCode: b.inv.Currency, CurrencyRate: b.currencyRate(),
		Status: b.status(), BrandingThemeID: value(b.pol.BrandingThemeID),
	}
	switch invoice := value(memo.InvoiceIncrementID); {
	case memo.InvoiceNumber != "":
		body.Reference = cut(memo.InvoiceNumber, maxReference)
	case invoice != "":
		body.Reference = cut(policy.NumberOf(invoice, memo.StoreID, b.pol), maxReference)
	}
	tracking := b.tracking()
	for _, l := range lines {
		body.LineItems = append(body.LineItems, l.body(tracking))
	}
	return body
}

// withoutDiscount is the line at its net: Xero takes no discount on a credit note.
// The price of one stays where it multiplies out.
func (l line) withoutDiscount() line {
	if l.discount.IsZero() {
		return l
	}
	net := l.amount()
	l.why = joinWhy("net of the discount of "+l.discount.StringFixed(2), l.why)
	l.discount = decimal.Zero
	if unit := net.DivRound(l.quantity, maxDecimals); multipliesOut(l.quantity, unit, decimal.Zero, net) {
		l.unit = unit
		return l
	}
	l.why = joinWhy(l.why, "quantity in the text: the net is no quantity x price")
	l.description = cut(l.description, maxDescription-40) + ", quantity " + l.quantity.String()
	l.quantity, l.unit = one, net
	return l
}

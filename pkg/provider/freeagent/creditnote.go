package freeagent

import (
	"fmt"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/pricing"
	"towpath/pkg/provider"
)

// creditNoteEnvelope is the body of POST /v2/credit_notes.
type creditNoteEnvelope struct {
	CreditNote creditNoteBody `json:"credit_note"`
}

type creditNoteBody struct {
	Contact      string     `json:"contact"`
	Reference    string     `json:"reference"`
	DatedOn      string     `json:"dated_on"`
	Terms        int        `json:"payment_terms_in_days"` // of no meaning here, but asked for
	Currency     string     `json:"currency"`
	ExchangeRate string     `json:"exchange_rate,omitempty"`
	Comments     string     `json:"comments,omitempty"`
	Items        []itemBody `json:"credit_note_items"`
}

// CreditNote is the exact body for memo, as Document is for an invoice: pure, to the
// penny or held. The wire has prices below nothing on a credit note; the document's
// sums are positive all the same, what goes back to the buyer. memo's StoreID, which
// the shop's form does not have, is the event's; it chooses the prefix of the number.
// runURL is not used.
func (c *Client) CreditNote(memo canon.CreditMemo, pol policy.Policy, ref provider.Reference, contactID, runURL string) (provider.Document, error) {
	inv := memo.AsInvoice()
	lines, rate, err := c.build(inv, pricing.CreditMemo(memo), pol, ref)
	if err != nil {
		return provider.Document{}, err
	}
	number := policy.NumberOf(memo.IncrementID, memo.StoreID, pol)
	raw, err := encode(creditNoteEnvelope{CreditNote: creditNoteBody{
		Contact:      contactID,
		Reference:    number,
		DatedOn:      day(memo.CreatedAt, ref.Organisation.Timezone),
		Currency:     memo.Currency,
		ExchangeRate: rate,
		Comments:     creditComments(memo, pol),
		Items:        negated(lines.bodies(), lines.items),
	}})
	if err != nil {
		return provider.Document{}, fmt.Errorf("credit note %q: %w", number, err)
	}
	return lines.document(number, contactID, memo.Currency, pol.V2InvoiceStatus, raw), nil
}

// creditComments is printed on the credit note: the wire has no field for its invoice.
func creditComments(memo canon.CreditMemo, pol policy.Policy) string {
	number := memo.InvoiceNumber
	if invoice := text(memo.InvoiceIncrementID); number == "" && invoice != "" {
		number = policy.NumberOf(invoice, memo.StoreID, pol)
	}
	if number == "" {
		return ""
	}
	return "Invoice: " + cleanText(number, maxField)
}

func negated(bodies []itemBody, items []item) []itemBody {
	for i, made := range items {
		bodies[i].Price = made.price.Neg().StringFixed(2)
	}
	return bodies
}

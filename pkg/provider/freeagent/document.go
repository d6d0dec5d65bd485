package freeagent

import (
	"encoding/json"
	"fmt"
	"time"
	_ "time/tzdata" // the company's day must not depend on the machine

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/pricing"
	"towpath/pkg/provider"
)

const statusSent = "Sent"

// Document is the exact body for inv and the totals that the ledger will
// compute from it. It is pure. It fails Held where the document may not be
// posted as things are: missing_mapping, tax_rate_not_mapped, total_mismatch; and Refused
// where its total is negative, which is a credit note and no invoice.
//
// runURL is not used: the wire has no field for a link that the buyer would not
// see, comments being printed on the invoice.
func (c *Client) Document(inv canon.Invoice, pol policy.Policy, ref provider.Reference, contactID, runURL string) (provider.Document, error) {
	if inv.GrandTotal.IsNegative() {
		return provider.Document{}, &provider.Failure{Kind: provider.Refused, Code: provider.CodeValidation,
			Message: "an invoice cannot have a negative total"}
	}
	lines, rate, err := c.build(inv, pricing.Invoice(inv), pol, ref)
	if err != nil {
		return provider.Document{}, err
	}
	number := policy.Number(inv, pol)
	body := invoiceBody{
		Contact:      contactID,
		Reference:    number,
		DatedOn:      day(inv.CreatedAt, ref.Organisation.Timezone),
		Terms:        policy.V2PaymentTerms(inv, pol),
		Currency:     inv.Currency,
		ExchangeRate: rate,
		Comments:     comments(inv),
		Items:        lines.bodies(),
	}
	raw, err := encode(invoiceEnvelope{Invoice: body})
	if err != nil {
		return provider.Document{}, fmt.Errorf("document %q: %w", number, err)
	}
	return lines.document(number, contactID, inv.Currency, pol.V2InvoiceStatus, raw), nil
}

// build makes the items of a document, and its exchange rate; inv is a credit memo in
// the form of an invoice where sale is one's.
func (c *Client) build(inv canon.Invoice, sale pricing.Sale, pol policy.Policy, ref provider.Reference) (made *lines, rate string, err error) {
	categories, err := c.categories(pol, ref)
	if err != nil {
		return nil, "", err
	}
	priced, err := price(inv, sale, pol, ref)
	if err != nil {
		return nil, "", err
	}
	if made, err = linesOf(priced, pol, ref, categories); err != nil {
		return nil, "", err
	}
	if err := made.settle(priced.Total, pol.RoundingTolerance, categories.income); err != nil {
		return nil, "", err
	}
	rate, note := exchangeRate(inv, pol, ref.Organisation.BaseCurrency)
	if note != "" {
		made.notes = append(made.notes, note)
	}
	return made, rate, nil
}

func (l *lines) document(number, contactID, currency, status string, body json.RawMessage) provider.Document {
	net, tax := l.totals()
	return provider.Document{
		Number: number, ContactID: contactID, Currency: currency, Status: status, Body: body,
		SubTotal: net, TotalTax: tax, Total: net.Add(tax), Rounding: l.rounding, Notes: l.notes,
	}
}

// day is the calendar day of at in the company's time zone, UTC where that is
// not known.
func day(at time.Time, zone string) string {
	place, err := time.LoadLocation(zone)
	if err != nil {
		place = time.UTC
	}
	return at.In(place).Format(time.DateOnly)
}

// exchangeRate is what one unit of the invoice's currency is worth in the
// company's, which is how the wire converts an invoice: the reciprocal of the
// shop's base_to_order_rate (1.1634 euros for a pound is a rate of 0.85954960).
// It is sent only where the settings say that the shop's rate counts from the
// company's currency; else the ledger takes its own of the day. note says which.
func exchangeRate(inv canon.Invoice, pol policy.Policy, base string) (sent, note string) {
	rate := inv.BaseToOrderRate
	if inv.Currency == base || rate == nil || !rate.IsPositive() || rate.Equal(one) {
		return "", ""
	}
	if why := policy.RateUnusable(inv, pol, base); why != "" {
		return "", "no exchange rate is sent, the ledger takes the day's: " + why
	}
	sent = one.DivRound(*rate, 8).String()
	return sent, "exchange rate: 1 " + inv.Currency + " = " + sent + " " + base + ", the shop's"
}

// comments is printed on the invoice.
func comments(inv canon.Invoice) string {
	po := cleanText(text(inv.PONumber), maxField)
	if po == "" {
		return ""
	}
	return "Purchase Order: " + po
}

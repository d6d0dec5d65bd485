package freeagent

import (
	"fmt"
	"time"
	_ "time/tzdata" // the company's day must not depend on the machine

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
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
	category, err := incomeCategory(pol, ref)
	if err != nil {
		return provider.Document{}, err
	}
	if inv.GrandTotal.IsNegative() {
		return provider.Document{}, &provider.Failure{Kind: provider.Refused, Code: provider.CodeValidation,
			Message: "an invoice cannot have a negative total"}
	}
	lines, err := linesOf(inv, pol, ref)
	if err != nil {
		return provider.Document{}, err
	}
	if err := lines.settle(inv, pol.RoundingTolerance); err != nil {
		return provider.Document{}, err
	}
	number := policy.Number(inv, pol)
	body := invoiceBody{
		Contact:      contactID,
		Reference:    number,
		DatedOn:      day(inv.CreatedAt, ref.Organisation.Timezone),
		Terms:        policy.V2PaymentTerms(inv, pol),
		Currency:     inv.Currency,
		ExchangeRate: exchangeRate(inv, ref.Organisation.BaseCurrency),
		Comments:     comments(inv),
		Items:        lines.bodies(category),
	}
	raw, err := encode(invoiceEnvelope{Invoice: body})
	if err != nil {
		return provider.Document{}, fmt.Errorf("document %q: %w", number, err)
	}
	net, tax := lines.totals()
	return provider.Document{
		Number: number, ContactID: contactID, Currency: inv.Currency, Status: pol.V2InvoiceStatus, Body: raw,
		SubTotal: net, TotalTax: tax, Total: net.Add(tax), Rounding: lines.rounding, Notes: lines.notes,
	}, nil
}

// incomeCategory is the policy's; without one, the ledger's where it has
// exactly one. Any other choice would book a shop's whole income by the alphabet.
func incomeCategory(pol policy.Policy, ref provider.Reference) (string, error) {
	if url := text(pol.V2IncomeCategoryURL); url != "" {
		return url, nil
	}
	if len(ref.Categories) == 1 {
		return ref.Categories[0].URL, nil
	}
	return "", held("missing_mapping", "default_income_category_url is not set; choose the income category for the shop's sales")
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
// It is sent only where the invoice's currency is known to be foreign to the
// ledger and the shop has a rate; else the ledger takes its own of the day.
func exchangeRate(inv canon.Invoice, base string) string {
	rate := inv.BaseToOrderRate
	if base == "" || inv.Currency == base || rate == nil || !rate.IsPositive() || rate.Equal(decimal.NewFromInt(1)) {
		return ""
	}
	return decimal.NewFromInt(1).DivRound(*rate, 8).String()
}

// comments is printed on the invoice.
func comments(inv canon.Invoice) string {
	po := cleanText(text(inv.PONumber), maxField)
	if po == "" {
		return ""
	}
	return "Purchase Order: " + po
}

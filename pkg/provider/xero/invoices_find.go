package xero

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/shopspring/decimal"

	"towpath/pkg/provider"
)

// documentAnswer is what is read of an invoice or a credit note that Xero shows.
type documentAnswer struct {
	outcome
	InvoiceID, CreditNoteID         text
	InvoiceNumber, CreditNoteNumber text
	Type                            text
	Status                          text
	CurrencyCode                    text
	Reference                       text
	Url                             text
	Date                            day
	DateString                      day
	Contact                         object[struct{ ContactID text }]
	SubTotal                        amount
	TotalTax                        amount
	Total                           amount
	AmountDue, RemainingCredit      amount
	Payments                        list[shownPayment]
	Allocations                     list[shownAllocation]
}

func (a documentAnswer) id() text       { return cmp.Or(a.InvoiceID, a.CreditNoteID) }
func (a documentAnswer) number() string { return string(cmp.Or(a.InvoiceNumber, a.CreditNoteNumber)) }

// open is what is due on an invoice, or left of a credit note.
func (a documentAnswer) open() decimal.NullDecimal {
	if a.AmountDue.Valid {
		return a.AmountDue.NullDecimal
	}
	return a.RemainingCredit.NullDecimal
}

// findDocument looks a document up by its exact number; nil where there is none.
func (c *Client) findDocument(ctx context.Context, k kind, number string) (*documentAnswer, error) {
	found, err := c.getDocuments(ctx, k, k.numbersAsked([]string{number}))
	return k.withNumber(found, number), err
}

// getDocuments reads what one call shows; a 404 is nothing.
func (c *Client) getDocuments(ctx context.Context, k kind, query url.Values) ([]documentAnswer, error) {
	r := k.find(query)
	body, err := c.do(ctx, r)
	if err != nil {
		if hasKind(err, provider.Gone) {
			return nil, nil
		}
		return nil, err
	}
	return listIn[documentAnswer](r, body, k.list)
}

func (k kind) find(query url.Values) request {
	query.Set("unitdp", "4")
	return request{operation: k.opFind, method: http.MethodGet, path: "/" + k.list, query: query}
}

// listable reports whether number may stand in InvoiceNumbers, a list.
func listable(number string) bool { return !strings.Contains(number, ",") }

// withNumber picks the document of sales with that number. Xero compares numbers
// without case. Of several the one that counts is preferred to voided and deleted
// ones.
func (k kind) withNumber(documents []documentAnswer, number string) *documentAnswer {
	var dead *documentAnswer
	for i := range documents {
		found := &documents[i]
		if string(found.Type) != k.ofSales || !strings.EqualFold(found.number(), number) {
			continue
		}
		if !found.dead() {
			return found
		}
		dead = found
	}
	return dead
}

func (a documentAnswer) dead() bool { return a.Status == "VOIDED" || a.Status == "DELETED" }

func (k kind) posted(a documentAnswer, adopted bool) provider.Posted {
	return provider.Posted{
		ID: string(a.id()), Number: a.number(), URL: k.link(string(a.id())), Status: string(a.Status),
		SubTotal: a.SubTotal.NullDecimal, TotalTax: a.TotalTax.NullDecimal, Total: a.Total.NullDecimal,
		Adopted: adopted, Contact: string(a.Contact.Value.ContactID),
	}
}

// invoiceLink is where a person sees the invoice; Xero opens it in the
// organisation that the person used last.
func invoiceLink(id string) string {
	return "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID=" + url.QueryEscape(id)
}

// quoted is s as a string of Xero's where language.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

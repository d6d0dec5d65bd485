package xero

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"towpath/pkg/provider"
)

// invoiceAnswer is what is read of an invoice that Xero shows.
type invoiceAnswer struct {
	outcome
	InvoiceID     text
	InvoiceNumber text
	Type          text
	Status        text
	CurrencyCode  text
	Reference     text
	Url           text
	Date          day
	DateString    day
	Contact       object[struct{ ContactID text }]
	SubTotal      amount
	TotalTax      amount
	Total         amount
}

// findInvoice looks a sales invoice up by its exact number; nil where there is
// none.
func (c *Client) findInvoice(ctx context.Context, number string) (*invoiceAnswer, error) {
	r := invoiceFind(url.Values{})
	if listable(number) {
		r.query.Set("InvoiceNumbers", number)
	} else {
		r.query.Set("where", "InvoiceNumber=="+quoted(number))
	}
	body, err := c.do(ctx, r)
	if err != nil {
		if hasKind(err, provider.Gone) {
			return nil, nil
		}
		return nil, err
	}
	var answer struct{ Invoices list[invoiceAnswer] }
	if err := decode(r, body, &answer); err != nil {
		return nil, err
	}
	return withNumber(answer.Invoices, number), nil
}

func invoiceFind(query url.Values) request {
	query.Set("unitdp", "4")
	return request{operation: opInvoiceFind, method: http.MethodGet, path: "/Invoices", query: query}
}

// listable reports whether number may stand in InvoiceNumbers, a list.
func listable(number string) bool { return !strings.Contains(number, ",") }

// withNumber picks the sales invoice with that number. Xero compares numbers
// without case. Of several the one that counts is preferred to voided and deleted
// ones.
func withNumber(invoices []invoiceAnswer, number string) *invoiceAnswer {
	var dead *invoiceAnswer
	for i := range invoices {
		found := &invoices[i]
		if found.Type != "ACCREC" || !strings.EqualFold(string(found.InvoiceNumber), number) {
			continue
		}
		if !found.dead() {
			return found
		}
		dead = found
	}
	return dead
}

func (a invoiceAnswer) dead() bool { return a.Status == "VOIDED" || a.Status == "DELETED" }

func (a invoiceAnswer) posted(adopted bool) provider.Posted {
	return provider.Posted{
		ID: string(a.InvoiceID), Number: string(a.InvoiceNumber), URL: invoiceLink(string(a.InvoiceID)), Status: string(a.Status),
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

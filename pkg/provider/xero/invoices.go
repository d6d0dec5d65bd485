package xero

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
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
	Contact       object[struct{ ContactID text }]
	SubTotal      amount
	TotalTax      amount
	Total         amount
}

// EnsureInvoice creates doc, or adopts it where it exists already: the same
// number, contact, total and type. There is never a second one:
//   - it failed: nothing exists, the next call sends the same key again;
//   - it failed but took effect, or the process stopped here: the next call has
//     Uncertain and finds it by number; without Uncertain, PUT refuses the
//     taken number and it is found the same way;
//   - the number belongs to another document: Held number_taken.
func (c *Client) EnsureInvoice(ctx context.Context, doc provider.Document, try provider.Try) (provider.Posted, error) {
	if try.Uncertain {
		if found, err := c.findInvoice(ctx, doc.Number); err != nil || found != nil {
			return adopt(found, doc, err)
		}
	}
	posted, err := c.putInvoice(ctx, doc, try.Key)
	if err != nil && try.Uncertain && replayed(err) {
		return c.putInvoiceAfresh(ctx, doc, try.Key)
	}
	if hasReason(err, reasonNumberTaken) {
		return c.adoptTaken(ctx, doc)
	}
	return posted, err
}

// replayed reports whether the error may be the stored answer of an earlier
// attempt: Xero repeats errors too, for six minutes after the first call with a
// key, so the same key would never get through. A lost answer is none.
func replayed(err error) bool {
	f := provider.AsFailure(err)
	answered := f.Err == nil
	return answered && (f.Kind == provider.Unknown || f.Kind == provider.Temporary)
}

// putInvoiceAfresh looks once more and then writes with a new key. If the
// earlier request were still on its way, the unique number would refuse one of
// the two.
func (c *Client) putInvoiceAfresh(ctx context.Context, doc provider.Document, key string) (provider.Posted, error) {
	if found, err := c.findInvoice(ctx, doc.Number); err != nil || found != nil {
		return adopt(found, doc, err)
	}
	posted, err := c.putInvoice(ctx, doc, c.freshKey(key))
	if hasReason(err, reasonNumberTaken) {
		return c.adoptTaken(ctx, doc)
	}
	return posted, err
}

func (c *Client) adoptTaken(ctx context.Context, doc provider.Document) (provider.Posted, error) {
	found, err := c.findInvoice(ctx, doc.Number)
	if err == nil && found == nil {
		return provider.Posted{}, held(reasonNumberTaken, "Xero says that invoice number "+strconv.Quote(doc.Number)+
			" is taken but shows no such invoice: look in Xero for a deleted or voided one, or set a number prefix")
	}
	return adopt(found, doc, err)
}

// putInvoice makes one attempt. PUT only ever creates; POST with a taken number
// would overwrite somebody's invoice.
func (c *Client) putInvoice(ctx context.Context, doc provider.Document, key string) (provider.Posted, error) {
	r := request{
		operation: opInvoiceCreate, method: http.MethodPut, path: "/Invoices", body: doc.Body, key: key,
		query: url.Values{"summarizeErrors": {"false"}, "unitdp": {"4"}},
	}
	body, err := c.do(ctx, r)
	if err != nil {
		return provider.Posted{}, err
	}
	var answer struct{ Invoices list[json.RawMessage] }
	if err := decode(r, body, &answer); err != nil {
		return provider.Posted{}, err
	}
	for _, raw := range answer.Invoices {
		var element invoiceAnswer
		if err := decode(r, raw, &element); err != nil {
			return provider.Posted{}, err
		}
		switch ours := string(element.InvoiceNumber) == doc.Number; {
		case ours && element.saved(element.InvoiceID):
			return element.posted(false), nil
		case !element.saved(element.InvoiceID):
			return provider.Posted{}, elementRefusal(r, raw)
		}
	}
	return provider.Posted{}, uncertain(true, "Xero's answer does not show the invoice; it will be looked up")
}

// elementRefusal judges one element of a 200: summarizeErrors=false answers so
// even where nothing was created.
func elementRefusal(r request, raw []byte) *provider.Failure {
	if said := complaints(raw); len(said) > 0 {
		return refusal(said)
	}
	f := uncertain(r.writes(), "Xero did not save the document and gave no reason")
	f.Detail = clip(string(raw), 1000)
	return f
}

// findInvoice looks a sales invoice up by its exact number; nil where there is
// none. Of several the one that counts is preferred to voided and deleted ones.
func (c *Client) findInvoice(ctx context.Context, number string) (*invoiceAnswer, error) {
	r := request{operation: opInvoiceFind, method: http.MethodGet, path: "/Invoices", query: url.Values{"unitdp": {"4"}}}
	if strings.Contains(number, ",") { // InvoiceNumbers is a list
		r.query.Set("where", "InvoiceNumber=="+quoted(number))
	} else {
		r.query.Set("InvoiceNumbers", number)
	}
	body, err := c.do(ctx, r)
	if err != nil {
		if provider.AsFailure(err).Kind == provider.Gone {
			return nil, nil
		}
		return nil, err
	}
	var answer struct{ Invoices list[invoiceAnswer] }
	if err := decode(r, body, &answer); err != nil {
		return nil, err
	}
	var dead *invoiceAnswer
	for i := range answer.Invoices {
		found := &answer.Invoices[i]
		if found.Type != "ACCREC" || !strings.EqualFold(string(found.InvoiceNumber), number) {
			continue
		}
		if !found.dead() {
			return found, nil
		}
		dead = found
	}
	return dead, nil
}

func (a invoiceAnswer) dead() bool { return a.Status == "VOIDED" || a.Status == "DELETED" }

// adopt takes found as doc if it is the same document.
func adopt(found *invoiceAnswer, doc provider.Document, err error) (provider.Posted, error) {
	if err != nil {
		return provider.Posted{}, err
	}
	if difference := found.differs(doc); difference != "" {
		f := held(reasonNumberTaken, "invoice number "+strconv.Quote(doc.Number)+" is taken in Xero by another invoice ("+
			difference+"): "+invoiceLink(string(found.InvoiceID))+"; set a number prefix, or remove that invoice and retry")
		return provider.Posted{}, f
	}
	return found.posted(true), nil
}

// differs names what makes found another document than doc; empty if it is the
// same.
func (a invoiceAnswer) differs(doc provider.Document) string {
	switch {
	case a.dead():
		return "its status is " + string(a.Status)
	case string(a.InvoiceNumber) != doc.Number:
		return "its number is " + strconv.Quote(string(a.InvoiceNumber))
	case !strings.EqualFold(string(a.Contact.Value.ContactID), doc.ContactID):
		return "it belongs to another contact"
	case a.CurrencyCode != "" && !strings.EqualFold(string(a.CurrencyCode), doc.Currency):
		return "its currency is " + string(a.CurrencyCode)
	case !a.Total.Valid || !a.Total.Decimal.Equal(doc.Total):
		return "its total is " + a.Total.Decimal.StringFixed(2) + ", not " + doc.Total.StringFixed(2)
	}
	return ""
}

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

// derivedKey is a key for another body than the one that key stands for.
func derivedKey(key string, parts ...string) string {
	sum := sha256.Sum256([]byte(key + "\n" + strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])
}

// freshKey is a key that no earlier attempt has used.
func (c *Client) freshKey(key string) string {
	return derivedKey(key, "afresh", strconv.FormatInt(c.now().UnixNano(), 10))
}

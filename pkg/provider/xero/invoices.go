package xero

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"towpath/pkg/provider"
)

// EnsureInvoices creates the documents of set, or adopts those that exist
// already and are provably the same: number, contact, total, currency, date,
// Reference and type agree, and a Url is no stranger's. The outcomes are in the
// order of set, each judged by itself. There is never a second document:
//   - it failed: nothing exists, the next call sends the same key again;
//   - it failed but took effect, or the process stopped here: the next call has
//     Uncertain and finds it by number; without Uncertain, PUT refuses the
//     taken number and it is found the same way;
//   - the number belongs to another document: Held number_taken.
//
// Refused and Held are judgements of that very document: it was not written, by
// this try or an earlier one. RateLimited and Auth say nothing of an earlier
// try, Temporary and Unknown nothing at all. A permit's error is passed on as it
// is.
func (c *Client) EnsureInvoices(ctx context.Context, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted] {
	if len(set) == 1 {
		posted, err := c.ensureInvoice(ctx, set[0].Value, set[0].Try)
		return []provider.Outcome[provider.Posted]{{Value: posted, Err: err}}
	}
	return c.ensureInvoicesTogether(ctx, set)
}

// ensureInvoice is the way of a set of one.
func (c *Client) ensureInvoice(ctx context.Context, doc provider.Document, try provider.Try) (provider.Posted, error) {
	if try.Uncertain {
		if found, err := c.findInvoice(ctx, doc.Number); err != nil || found != nil {
			return adopt(found, doc, err)
		}
	}
	return c.createInvoice(ctx, doc, try)
}

// createInvoice creates doc, which has been looked up if it may exist.
func (c *Client) createInvoice(ctx context.Context, doc provider.Document, try provider.Try) (provider.Posted, error) {
	posted, answered, err := c.putInvoice(ctx, doc, try.Key)
	if try.Uncertain && answered && replayed(err) {
		return c.putInvoiceAfresh(ctx, doc, try.Key)
	}
	if hasReason(err, reasonNumberTaken) {
		return c.adoptTaken(ctx, doc)
	}
	return posted, err
}

// replayed reports whether what Xero answered may be the stored answer of an
// earlier attempt: it repeats errors too, for six minutes after the first call
// with a key, so the same key would never get through. What could not be read is
// none.
func replayed(err error) bool {
	if err == nil {
		return false
	}
	f := provider.AsFailure(err)
	return f.Err == nil && (f.Kind == provider.Unknown || f.Kind == provider.Temporary)
}

// putInvoiceAfresh looks once more and then writes with a new key. If the
// earlier request were still on its way, the unique number would refuse one of
// the two.
func (c *Client) putInvoiceAfresh(ctx context.Context, doc provider.Document, key string) (provider.Posted, error) {
	if found, err := c.findInvoice(ctx, doc.Number); err != nil || found != nil {
		return adopt(found, doc, err)
	}
	posted, _, err := c.putInvoice(ctx, doc, c.freshKey(key))
	if hasReason(err, reasonNumberTaken) {
		return c.adoptTaken(ctx, doc)
	}
	return posted, err
}

// adoptTaken takes what bears the number that Xero says is taken, if it is doc.
func (c *Client) adoptTaken(ctx context.Context, doc provider.Document) (provider.Posted, error) {
	found, err := c.findInvoice(ctx, doc.Number)
	if err == nil && found == nil {
		return provider.Posted{}, takenUnseen(doc.Number)
	}
	return adopt(found, doc, err)
}

func takenUnseen(number string) *provider.Failure {
	return held(reasonNumberTaken, "Xero says that invoice number "+strconv.Quote(number)+
		" is taken but shows no such invoice: look in Xero for a deleted or voided one, or set a number prefix")
}

// invoiceCreate is the call that creates invoices. PUT only ever creates; POST
// with a taken number would overwrite somebody's invoice.
func invoiceCreate() request {
	return request{
		operation: opInvoiceCreate, method: http.MethodPut, path: "/Invoices",
		query: url.Values{"summarizeErrors": {"false"}, "unitdp": {"4"}},
	}
}

// putInvoice makes one attempt; answered says that Xero spoke at all.
func (c *Client) putInvoice(ctx context.Context, doc provider.Document, key string) (posted provider.Posted, answered bool, err error) {
	r := invoiceCreate()
	r.body, r.key = doc.Body, key
	answer, err := c.send(ctx, r)
	if err != nil {
		return provider.Posted{}, false, err
	}
	if answer.status != http.StatusOK {
		return provider.Posted{}, true, classify(answer)
	}
	posted, err = createdInvoice(r, answer, doc)
	return posted, true, err
}

// createdInvoice reads a 200 to the call for one document.
func createdInvoice(r request, answer reply, doc provider.Document) (provider.Posted, error) {
	var said struct{ Invoices list[json.RawMessage] }
	if err := decode(r, []byte(answer.body), &said); err != nil {
		return provider.Posted{}, err
	}
	for _, raw := range said.Invoices {
		e, err := readInvoice(raw)
		if err != nil {
			return provider.Posted{}, unreadable(r, raw, err)
		}
		switch {
		case e.saved && e.number == doc.Number:
			return e.value, nil
		case !e.saved:
			return provider.Posted{}, elementRefusal(r, raw)
		}
	}
	return provider.Posted{}, uncertain(true, "Xero's answer does not show the invoice; it will be looked up")
}

// readInvoice reads one element of an answer.
func readInvoice(raw json.RawMessage) (element[provider.Posted], error) {
	var a invoiceAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return element[provider.Posted]{}, err
	}
	return element[provider.Posted]{number: string(a.InvoiceNumber), saved: a.saved(a.InvoiceID), value: a.posted(false), raw: raw}, nil
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

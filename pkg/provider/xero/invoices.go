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
// What became of the document a failure says apart from its kind. A permit's error
// is passed on as it is, where nothing was written before.
func (c *Client) EnsureInvoices(ctx context.Context, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted] {
	return traced(ctx, func(ctx context.Context) []provider.Outcome[provider.Posted] {
		return c.ensureDocuments(ctx, invoices(), set)
	})
}

// EnsureCreditNotes is EnsureInvoices for credit notes, which have numbers of their
// own and link to nothing: one is adopted where number, contact, total, currency,
// date and Reference agree.
func (c *Client) EnsureCreditNotes(ctx context.Context, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted] {
	return traced(ctx, func(ctx context.Context) []provider.Outcome[provider.Posted] {
		return c.ensureDocuments(ctx, creditNotes(), set)
	})
}

func (c *Client) ensureDocuments(ctx context.Context, k kind, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted] {
	if len(set) == 1 {
		posted, err := c.ensureDocument(ctx, k, set[0].Value, set[0].Try)
		if gone := goneItems(err); len(gone) > 0 {
			bare := withoutItems(k, set[0])
			posted, err = c.createDocument(ctx, k, bare.Value, bare.Try)
			posted.GoneItems = gone
		}
		return []provider.Outcome[provider.Posted]{{Value: posted, Err: err}}
	}
	return c.ensureDocumentBatch(ctx, k, set)
}

// ensureDocument is the way of a set of one.
func (c *Client) ensureDocument(ctx context.Context, k kind, doc provider.Document, try provider.Try) (provider.Posted, error) {
	if try.Uncertain || try.Look {
		if found, err := c.findDocument(ctx, k, doc.Number); err != nil || found != nil {
			return k.adopt(found, doc, err)
		}
	}
	if try.Look {
		return provider.Posted{Absent: true}, nil
	}
	return c.createDocument(ctx, k, doc, try)
}

// createDocument creates doc, which has been looked up if it may exist. PUT only ever
// creates: if an earlier request were still on its way, the unique number would refuse
// one of the two.
func (c *Client) createDocument(ctx context.Context, k kind, doc provider.Document, try provider.Try) (provider.Posted, error) {
	r := k.create()
	r.body, r.key = doc.Body, try.Key
	posted, err := writeOne(ctx, c, r, k.list, doc.Number, k.read)
	if hasReason(err, reasonNumberTaken) {
		return c.adoptTaken(ctx, k, doc)
	}
	return posted, err
}

// adoptTaken takes what bears the number that Xero says is taken, if it is doc. As long
// as that cannot be looked at, it may be.
func (c *Client) adoptTaken(ctx context.Context, k kind, doc provider.Document) (provider.Posted, error) {
	found, err := c.findDocument(ctx, k, doc.Number)
	if err == nil && found == nil {
		return provider.Posted{}, k.takenUnseen(doc.Number)
	}
	return k.adopt(found, doc, provider.Doubted(err))
}

func (k kind) takenUnseen(number string) *provider.Failure {
	return held(reasonNumberTaken, "Xero says that "+k.name+" number "+strconv.Quote(number)+
		" is taken but shows no such "+k.name+": look in Xero for a deleted or voided one, or set a number prefix")
}

// create is the call that creates documents. PUT only ever creates; POST with a
// taken number would overwrite somebody's document.
func (k kind) create() request {
	return request{
		operation: k.opCreate, method: http.MethodPut, path: "/" + k.list,
		query: url.Values{"summarizeErrors": {"false"}, "unitdp": {"4"}},
	}
}

// read reads one element of an answer.
func (k kind) read(raw json.RawMessage) (element[provider.Posted], error) {
	var a documentAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return element[provider.Posted]{}, err
	}
	return element[provider.Posted]{number: a.number(), saved: a.saved(a.id()), value: k.posted(a, false), raw: raw}, nil
}

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

// createDocument creates doc, which has been looked up if it may exist.
func (c *Client) createDocument(ctx context.Context, k kind, doc provider.Document, try provider.Try) (provider.Posted, error) {
	posted, answered, err := c.putDocument(ctx, k, doc, try.Key)
	if try.Uncertain && answered && replayed(err) {
		return c.putAfresh(ctx, k, doc, try.Key)
	}
	if hasReason(err, reasonNumberTaken) {
		return c.adoptTaken(ctx, k, doc)
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

// putAfresh looks once more and then writes with a new key. If the
// earlier request were still on its way, the unique number would refuse one of
// the two.
func (c *Client) putAfresh(ctx context.Context, k kind, doc provider.Document, key string) (provider.Posted, error) {
	if found, err := c.findDocument(ctx, k, doc.Number); err != nil || found != nil {
		return k.adopt(found, doc, err)
	}
	posted, _, err := c.putDocument(ctx, k, doc, c.freshKey(key))
	if hasReason(err, reasonNumberTaken) {
		return c.adoptTaken(ctx, k, doc)
	}
	return posted, err
}

// adoptTaken takes what bears the number that Xero says is taken, if it is doc.
func (c *Client) adoptTaken(ctx context.Context, k kind, doc provider.Document) (provider.Posted, error) {
	found, err := c.findDocument(ctx, k, doc.Number)
	if err == nil && found == nil {
		return provider.Posted{}, k.takenUnseen(doc.Number)
	}
	return k.adopt(found, doc, err)
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

// putDocument makes one attempt; answered says that Xero spoke at all.
func (c *Client) putDocument(ctx context.Context, k kind, doc provider.Document, key string) (posted provider.Posted, answered bool, err error) {
	r := k.create()
	r.body, r.key = doc.Body, key
	answer, err := c.send(ctx, r)
	if err != nil {
		return provider.Posted{}, false, err
	}
	if answer.status != http.StatusOK {
		return provider.Posted{}, true, classify(answer)
	}
	posted, err = k.created(r, answer, doc)
	return posted, true, err
}

// created reads a 200 to the call for one document.
func (k kind) created(r request, answer reply, doc provider.Document) (provider.Posted, error) {
	all, err := listIn[json.RawMessage](r, []byte(answer.body), k.list)
	if err != nil {
		return provider.Posted{}, err
	}
	for _, raw := range all {
		e, err := k.read(raw)
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
	return provider.Posted{}, uncertain(true, "Xero's answer does not show the "+k.name+"; it will be looked up")
}

// read reads one element of an answer.
func (k kind) read(raw json.RawMessage) (element[provider.Posted], error) {
	var a documentAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return element[provider.Posted]{}, err
	}
	return element[provider.Posted]{number: a.number(), saved: a.saved(a.id()), value: k.posted(a, false), raw: raw}, nil
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

package freeagent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"towpath/pkg/provider"
)

// kind is what invoices and credit notes differ in on the wire.
type kind struct {
	name                     string // of the envelope
	plural                   string // of the list and in addresses
	words                    string // for people
	create, find, send, read string // operations
}

func invoices() kind {
	return kind{name: "invoice", plural: "invoices", words: "invoice", create: opInvoiceCreate, find: opInvoiceList, send: opInvoiceSend, read: opInvoiceRead}
}

func creditNotes() kind {
	return kind{name: "credit_note", plural: "credit_notes", words: "credit note", create: opCreditCreate, find: opCreditList, send: opCreditSend, read: opCreditRead}
}

// EnsureInvoices creates each document, once; in the set's order, one after
// another. After a failure that halts the rest is not called (provider.Unsent).
func (c *Client) EnsureInvoices(ctx context.Context, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted] {
	return inTurn(ctx, set, func(ctx context.Context, doc provider.Document, try provider.Try) provider.Outcome[provider.Posted] {
		return outcome(c.ensureDocument(ctx, invoices(), doc, try))
	})
}

// EnsureCreditNotes is EnsureInvoices for credit notes. What is answered has its
// sums above zero, as the documents have, though the wire's are below.
func (c *Client) EnsureCreditNotes(ctx context.Context, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted] {
	return inTurn(ctx, set, func(ctx context.Context, doc provider.Document, try provider.Try) provider.Outcome[provider.Posted] {
		return outcome(c.ensureDocument(ctx, creditNotes(), doc, try))
	})
}

// ensureDocument is EnsureInvoices for one document.
//
// If the create was not permitted, or failed before it reached the ledger:
// nothing happened. If its answer is lost, breaks off or is a 5xx: it may; the caller
// comes again with try.Uncertain, and then the number is looked up among the
// contact's invoices and adopted instead of posted. If the process dies after
// the create: the same, since the caller's intent says that an attempt was
// made. Once uncertain, a caller stays so until this succeeds: the look-up
// itself may fail too. If the process dies between the create and mark_as_sent,
// or that call is not permitted, the adopted Draft is sent then.
func (c *Client) ensureDocument(ctx context.Context, k kind, doc provider.Document, try provider.Try) (provider.Posted, error) {
	if try.Uncertain || try.Look {
		ours, taken, err := c.findDocument(ctx, k, doc)
		switch {
		case err != nil:
			return provider.Posted{}, err
		case ours != nil:
			return c.adopt(ctx, k, doc, *ours)
		case taken != nil:
			return provider.Posted{}, numberTaken(doc, *taken)
		}
	}
	if try.Look {
		return provider.Posted{Absent: true}, nil
	}
	create := call{operation: k.create, method: http.MethodPost, path: "/" + k.plural, body: doc.Body}
	a, err := c.do(ctx, create)
	switch {
	case err != nil:
		return provider.Posted{}, err
	case saysReferenceTaken(a):
		return c.adoptTaken(ctx, k, doc, c.failureOf(create, a))
	case !a.ok():
		return provider.Posted{}, c.failureOf(create, a)
	}
	made := documentIn(k, a) // a body that is no JSON leaves Location
	if made.URL, err = c.createdURL(a, made.URL); err != nil {
		return provider.Posted{}, unlocated("the "+k.words+" was created, but not where", err)
	}
	return c.send(ctx, k, doc, posted(doc, made))
}

// adoptTaken is what follows a 422 for a taken number: ours is adopted, another
// one holds the run. The number may also belong to another contact, whose
// invoices the look-up does not see; then the ledger's own words are shown. As long as
// that cannot be looked at, it may be ours.
func (c *Client) adoptTaken(ctx context.Context, k kind, doc provider.Document, refusal *provider.Failure) (provider.Posted, error) {
	ours, taken, err := c.findDocument(ctx, k, doc)
	if err == nil && ours == nil && taken == nil {
		taken, err = c.findElsewhere(ctx, k, doc)
	}
	switch {
	case err != nil:
		return provider.Posted{}, provider.Doubted(err)
	case ours != nil:
		return c.adopt(ctx, k, doc, *ours)
	}
	if taken != nil {
		return provider.Posted{}, numberTaken(doc, *taken)
	}
	f := held("number_taken", fmt.Sprintf("the number %s is taken in the ledger by a document of another contact; renumber that one", doc.Number))
	f.Detail = refusal.Detail
	return provider.Posted{}, f
}

// adopt takes an invoice that an earlier attempt made for this document's own,
// and sends it where it still is a Draft that should be sent.
func (c *Client) adopt(ctx context.Context, k kind, doc provider.Document, ours documentAnswer) (provider.Posted, error) {
	found := posted(doc, ours)
	found.Adopted = true
	if ours.Status != "" && ours.Status != "Draft" {
		return found, nil
	}
	return c.send(ctx, k, doc, found)
}

// send moves a Draft on where the document asks for it; to repeat it is safe. If it
// fails the document is there all the same, and the next try adopts and sends it.
// A Draft whose total the ledger computed otherwise than predicted stays one:
// the caller sees the difference in Posted, and nobody else sees the document.
func (c *Client) send(ctx context.Context, k kind, doc provider.Document, draft provider.Posted) (provider.Posted, error) {
	if doc.Status != statusSent || draft.Total.Valid && !draft.Total.Decimal.Equal(doc.Total) {
		return draft, nil
	}
	a, err := c.must(ctx, call{
		operation: k.send,
		method:    http.MethodPut,
		path:      "/" + k.plural + "/" + idOf(draft.ID) + "/transitions/mark_as_sent",
	})
	if err != nil {
		f := *provider.AsFailure(err)
		f.Wrote, f.Message = provider.WroteYes, "the "+k.words+" was created but not yet sent; "+f.Message
		return provider.Posted{}, &f
	}
	draft.Status = statusSent
	if now := documentIn(k, a); now.Status != "" { // older servers answer an empty body
		draft.Status = now.Status
	}
	return draft, nil
}

// findDocument looks for the document among its contact's invoices, newest
// first: ours has its number and total; taken has its number only. Filters are
// checked again, since the server may ignore them.
func (c *Client) findDocument(ctx context.Context, k kind, doc provider.Document) (ours, taken *documentAnswer, err error) {
	query := url.Values{
		"view": {"all"}, "sort": {"-created_at"}, "nested_" + k.name + "_items": {"false"},
		"contact": {doc.ContactID},
	}
	err = list(ctx, c, k.find, k.plural, query, func(inv documentAnswer) bool {
		if inv.Reference != doc.Number || idOf(inv.URL) == "" {
			return true
		}
		if inv = k.inOurSign(inv); isOurs(k, inv, doc) {
			ours = &inv
			return false
		}
		if taken == nil {
			taken = &inv
		}
		return true
	})
	if err != nil {
		return nil, nil, err
	}
	return ours, taken, nil
}

// isOurs compares what the answer tells of an invoice whose number is doc's; what
// it lacks cannot differ. The wire has no field for the order's number or the
// run's page, so this is proof only together with what is known of the
// organisation's other shops.
func isOurs(k kind, inv documentAnswer, doc provider.Document) bool {
	day := dayOf(k, doc) // empty without a body
	return sameResource(inv.Contact, doc.ContactID) &&
		(inv.DatedOn == "" || day == "" || inv.DatedOn == day) &&
		(inv.Currency == "" || inv.Currency == doc.Currency) &&
		(!inv.Total.Valid || inv.Total.Decimal.Equal(doc.Total))
}

// findElsewhere looks for the number among all invoices of the document's day,
// so that the message can name the one that has it.
func (c *Client) findElsewhere(ctx context.Context, k kind, doc provider.Document) (*documentAnswer, error) {
	day := dayOf(k, doc)
	query := url.Values{
		"view": {"all"}, "sort": {"-created_at"}, "nested_" + k.name + "_items": {"false"},
		"from_date": {day}, "to_date": {day},
	}
	var taken *documentAnswer
	left := 10 * perPage // where the server ignores the dates: the newest thousand
	err := list(ctx, c, k.find, k.plural, query, func(inv documentAnswer) bool {
		if inv.Reference == doc.Number {
			inv = k.inOurSign(inv)
			taken = &inv
		}
		left--
		return taken == nil && left > 0
	})
	return taken, err
}

// dayOf is the day that doc's body has.
func dayOf(k kind, doc provider.Document) string {
	var sent map[string]struct {
		DatedOn string `json:"dated_on"`
	}
	_ = json.Unmarshal(doc.Body, &sent)
	return sent[k.name].DatedOn
}

// documentIn reads the document of an answer; empty where it has none.
func documentIn(k kind, a answer) documentAnswer {
	var read map[string]documentAnswer
	_ = json.Unmarshal(a.body, &read)
	return k.inOurSign(read[k.name])
}

// inOurSign is an answer with its sums as a document's here are: above zero, also
// on a credit note, where the wire has them below.
func (k kind) inOurSign(doc documentAnswer) documentAnswer {
	if k == creditNotes() {
		for _, sum := range []*amount{&doc.Net, &doc.Tax, &doc.Total, &doc.Due} {
			sum.Decimal = sum.Decimal.Neg()
		}
	}
	return doc
}

func numberTaken(doc provider.Document, taken documentAnswer) *provider.Failure {
	f := held("number_taken", fmt.Sprintf("the number %s is taken in the ledger by %s; renumber or delete that one", doc.Number, taken.URL))
	if taken.Total.Valid {
		f.Detail = fmt.Sprintf("its total is %s, this document's %s", taken.Total.Decimal.StringFixed(2), doc.Total.StringFixed(2))
	}
	f.Wrote = provider.WroteNo // the number is another's
	return f
}

func posted(doc provider.Document, inv documentAnswer) provider.Posted {
	status := inv.Status
	if status == "" {
		status = "Draft"
	}
	return provider.Posted{
		ID: inv.URL, Number: doc.Number, URL: inv.URL, Status: status, Contact: doc.ContactID,
		SubTotal: inv.Net.NullDecimal, TotalTax: inv.Tax.NullDecimal, Total: inv.Total.NullDecimal,
	}
}

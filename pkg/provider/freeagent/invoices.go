package freeagent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"towpath/pkg/provider"
)

// EnsureInvoices creates each document, once; in the set's order, one after
// another. After a RateLimited, Auth, Temporary or Unknown failure the rest is
// not called, and its failures say so: RateLimited and Auth as they are, else
// Temporary.
func (c *Client) EnsureInvoices(ctx context.Context, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted] {
	return inTurn(set, func(doc provider.Document, try provider.Try) provider.Outcome[provider.Posted] {
		return outcome(c.ensureInvoice(ctx, doc, try))
	})
}

// ensureInvoice is EnsureInvoices for one document.
//
// If the create was not permitted, or failed before it reached the ledger:
// nothing happened. If its answer is lost, breaks off or is a 5xx: Unknown; the caller
// comes again with try.Uncertain, and then the number is looked up among the
// contact's invoices and adopted instead of posted. If the process dies after
// the create: the same, since the caller's intent says that an attempt was
// made. Once uncertain, a caller stays so until this succeeds: the look-up
// itself may fail too. If the process dies between the create and mark_as_sent,
// or that call is not permitted, the adopted Draft is sent then.
func (c *Client) ensureInvoice(ctx context.Context, doc provider.Document, try provider.Try) (provider.Posted, error) {
	if try.Uncertain {
		ours, taken, err := c.findInvoice(ctx, doc)
		switch {
		case err != nil:
			return provider.Posted{}, err
		case ours != nil:
			return c.adopt(ctx, doc, *ours)
		case taken != nil:
			return provider.Posted{}, numberTaken(doc, *taken)
		}
	}
	k := call{operation: opInvoiceCreate, method: http.MethodPost, path: "/invoices", body: doc.Body}
	a, err := c.do(ctx, k)
	switch {
	case err != nil:
		return provider.Posted{}, err
	case saysReferenceTaken(a):
		return c.adoptTaken(ctx, doc, c.failureOf(k, a))
	case !a.ok():
		return provider.Posted{}, c.failureOf(k, a)
	}
	var read struct {
		Invoice invoiceAnswer `json:"invoice"`
	}
	_ = json.Unmarshal(a.body, &read) // a body that is no JSON leaves Location
	created, err := c.createdURL(a, read.Invoice.URL)
	if err != nil {
		return provider.Posted{}, unknown("the invoice was created, but not where", err)
	}
	read.Invoice.URL = created
	posted, err := c.send(ctx, doc, posted(doc, read.Invoice))
	return posted, stillUncertain(err)
}

// adoptTaken is what follows a 422 for a taken number: ours is adopted, another
// one holds the run. The number may also belong to another contact, whose
// invoices the look-up does not see; then the ledger's own words are shown.
func (c *Client) adoptTaken(ctx context.Context, doc provider.Document, refusal *provider.Failure) (provider.Posted, error) {
	ours, taken, err := c.findInvoice(ctx, doc)
	if err != nil {
		return provider.Posted{}, err
	}
	if ours != nil {
		return c.adopt(ctx, doc, *ours)
	}
	if taken == nil {
		if taken, err = c.findElsewhere(ctx, doc); err != nil {
			return provider.Posted{}, err
		}
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
func (c *Client) adopt(ctx context.Context, doc provider.Document, ours invoiceAnswer) (provider.Posted, error) {
	found := posted(doc, ours)
	found.Adopted = true
	if ours.Status != "" && ours.Status != "Draft" {
		return found, nil
	}
	sent, err := c.send(ctx, doc, found)
	return sent, stillUncertain(err)
}

// send moves a Draft on where the document asks for it; to repeat it is safe.
// A Draft whose total the ledger computed otherwise than predicted stays one:
// the caller sees the difference in Posted, and nobody else sees the document.
func (c *Client) send(ctx context.Context, doc provider.Document, draft provider.Posted) (provider.Posted, error) {
	if doc.Status != statusSent || draft.Total.Valid && !draft.Total.Decimal.Equal(doc.Total) {
		return draft, nil
	}
	a, err := c.must(ctx, call{
		operation: opInvoiceSend,
		method:    http.MethodPut,
		path:      "/invoices/" + idOf(draft.ID) + "/transitions/mark_as_sent",
	})
	if err != nil {
		return provider.Posted{}, err
	}
	var read struct {
		Invoice invoiceAnswer `json:"invoice"`
	}
	_ = json.Unmarshal(a.body, &read) // older servers answer an empty body
	draft.Status = statusSent
	if read.Invoice.Status != "" {
		draft.Status = read.Invoice.Status
	}
	return draft, nil
}

// stillUncertain makes a passing failure after the create an Unknown one: the
// invoice exists, so the next try must look for it. One that lasts says that it
// exists. Code, Reason and RetryAfter
// stay: a limit keeps the run waiting as long as it would have.
func stillUncertain(err error) error {
	if err == nil {
		return nil
	}
	f := *provider.AsFailure(err)
	switch f.Kind {
	case provider.Temporary, provider.RateLimited, provider.Auth, provider.Bug:
		f.Kind = provider.Unknown
		f.Message = "the invoice was created but not yet sent; " + f.Message
	case provider.Refused, provider.Held:
		f.Exists = true
	}
	return &f
}

// findInvoice looks for the document among its contact's invoices, newest
// first: ours has its number and total; taken has its number only. Filters are
// checked again, since the server may ignore them.
func (c *Client) findInvoice(ctx context.Context, doc provider.Document) (ours, taken *invoiceAnswer, err error) {
	query := url.Values{
		"view": {"all"}, "sort": {"-created_at"}, "nested_invoice_items": {"false"},
		"contact": {doc.ContactID},
	}
	err = list(ctx, c, opInvoiceList, "invoices", query, func(inv invoiceAnswer) bool {
		if inv.Reference != doc.Number || idOf(inv.URL) == "" {
			return true
		}
		if isOurs(inv, doc) {
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
func isOurs(inv invoiceAnswer, doc provider.Document) bool {
	var sent invoiceEnvelope
	_ = json.Unmarshal(doc.Body, &sent) // without a body there is no day to compare
	return sameResource(inv.Contact, doc.ContactID) &&
		(inv.DatedOn == "" || sent.Invoice.DatedOn == "" || inv.DatedOn == sent.Invoice.DatedOn) &&
		(inv.Currency == "" || inv.Currency == doc.Currency) &&
		(!inv.Total.Valid || inv.Total.Decimal.Equal(doc.Total))
}

// findElsewhere looks for the number among all invoices of the document's day,
// so that the message can name the one that has it.
func (c *Client) findElsewhere(ctx context.Context, doc provider.Document) (*invoiceAnswer, error) {
	var wanted invoiceEnvelope
	if err := json.Unmarshal(doc.Body, &wanted); err != nil {
		return nil, fmt.Errorf("read body of %q: %w", doc.Number, err)
	}
	query := url.Values{
		"view": {"all"}, "sort": {"-created_at"}, "nested_invoice_items": {"false"},
		"from_date": {wanted.Invoice.DatedOn}, "to_date": {wanted.Invoice.DatedOn},
	}
	var taken *invoiceAnswer
	left := 10 * perPage // where the server ignores the dates: the newest thousand
	err := list(ctx, c, opInvoiceList, "invoices", query, func(inv invoiceAnswer) bool {
		if inv.Reference == doc.Number {
			taken = &inv
		}
		left--
		return taken == nil && left > 0
	})
	return taken, err
}

func numberTaken(doc provider.Document, taken invoiceAnswer) *provider.Failure {
	f := held("number_taken", fmt.Sprintf("the number %s is taken in the ledger by %s; renumber or delete that one", doc.Number, taken.URL))
	if taken.Total.Valid {
		f.Detail = fmt.Sprintf("its total is %s, this document's %s", taken.Total.Decimal.StringFixed(2), doc.Total.StringFixed(2))
	}
	return f
}

func posted(doc provider.Document, inv invoiceAnswer) provider.Posted {
	status := inv.Status
	if status == "" {
		status = "Draft"
	}
	return provider.Posted{
		ID: inv.URL, Number: doc.Number, URL: inv.URL, Status: status, Contact: doc.ContactID,
		SubTotal: inv.Net.NullDecimal, TotalTax: inv.Tax.NullDecimal, Total: inv.Total.NullDecimal,
	}
}

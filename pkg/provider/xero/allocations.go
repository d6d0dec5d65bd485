package xero

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/shopspring/decimal"

	"towpath/pkg/provider"
)

// shownAllocation is an allocation as its credit note shows it.
type shownAllocation struct {
	AllocationID text
	Date         day
	Amount       amount
	Invoice      object[struct{ InvoiceID text }]
}

type allocationBody struct {
	Amount  json.Number
	Date    string // Xero puts the later one of the two documents in its place, but wants one
	Invoice invoiceRef
}

// Allocation is a with its body. It makes no call.
func (c *Client) Allocation(a provider.Allocation) (provider.Allocation, error) {
	a.Amount = money(a.Amount)
	body, err := allocationJSON(a, a.Amount)
	if err != nil {
		return a, &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "encode allocation", Err: err}
	}
	a.Body = body
	return a, nil
}

func allocationJSON(a provider.Allocation, amount decimal.Decimal) ([]byte, error) {
	return json.Marshal(map[string][]allocationBody{"Allocations": {{Amount: number(amount, 2), Date: a.Date, Invoice: invoiceRef{a.InvoiceID}}}})
}

// EnsureAllocations allocates the credit notes of set to their invoices, as far as
// both are open: in part where less is due, or less is left. Credit notes and
// invoices are read first, in a call each, also for a first try. What of a pair is
// allocated already counts, so that a repeated one adds nothing:
//   - all of it, or all that can be: adopted;
//   - nothing can be: Settled;
//   - a draft, or a voided one: Held document_not_approved, document_void.
//
// Then there is a call for each, since Xero has none for several credit notes. If it
// fails but took effect, or the process stops, the next call sees what is allocated.
// The outcomes are as for EnsureInvoices; Total is what is allocated between the two
// altogether.
func (c *Client) EnsureAllocations(ctx context.Context, set []provider.Item[provider.Allocation]) []provider.Outcome[provider.Posted] {
	return traced(ctx, func(ctx context.Context) []provider.Outcome[provider.Posted] {
		s := &allocationSet{set: set}
		s.batch = batch[provider.Posted]{client: c, outcomes: make([]provider.Outcome[provider.Posted], len(set))}
		parts := make([]part, len(set))
		for i, item := range set {
			parts[i] = part{at: i, number: strings.ToLower(item.Value.CreditNoteID), key: item.Try.Key}
		}
		for _, w := range s.open(ctx, s.withoutDuplicates(parts)) {
			s.allocate(ctx, w)
		}
		return s.outcomes
	})
}

// allocationSet carries a set of allocations through its calls.
type allocationSet struct {
	batch[provider.Posted]
	set []provider.Item[provider.Allocation]
}

// allocating is what is to be allocated between two documents as they are shown.
type allocating struct {
	part
	amount, already decimal.Decimal
	posted          provider.Posted
	noteID          string
}

// open reads the documents of parts, ends those that need no call or cannot have
// one, and returns the others. Two that share an invoice are served one after
// another out of what is due on it.
func (s *allocationSet) open(ctx context.Context, parts []part) []allocating {
	notes := s.lookUp(ctx, creditNotes().byID(), parts)
	var invoiceParts []part
	asked := map[string]bool{}
	for _, seen := range notes {
		id := strings.ToLower(s.set[seen.at].Value.InvoiceID)
		if asked[id] {
			continue
		}
		asked[id] = true
		invoiceParts = append(invoiceParts, part{at: seen.at, number: id})
	}
	found := map[string]*documentAnswer{}
	for _, seen := range s.lookUp(ctx, invoices().byID(), invoiceParts) {
		found[seen.number] = seen.found
		delete(asked, seen.number)
	}
	due := map[string]decimal.Decimal{}
	for id, invoice := range found {
		if invoice != nil {
			due[id] = invoice.open().Decimal
		}
	}
	var open []allocating
	for _, seen := range notes {
		id := strings.ToLower(s.set[seen.at].Value.InvoiceID)
		if asked[id] { // its invoice could not be looked up
			s.unread(seen.part, invoiceParts, id)
			continue
		}
		w, err := pair(s.set[seen.at].Value, seen.found, found[id], due[id])
		w.part = seen.part
		if s.set[seen.at].Try.Look {
			w.amount, err = decimal.Zero, nil
			if w.already.IsZero() {
				w.posted = provider.Posted{Absent: true}
			}
		}
		if err != nil || w.amount.IsZero() {
			s.end(seen.part, w.posted, err)
			continue
		}
		due[id] = due[id].Sub(w.amount)
		open = append(open, w)
	}
	return open
}

// unread gives p the failure with which the look-up of its invoice ended.
func (s *allocationSet) unread(p part, asked []part, id string) {
	for _, other := range asked {
		if other.number == id && other.at != p.at {
			s.end(p, provider.Posted{}, s.outcomes[other.at].Err)
		}
	}
}

// pair says how much is to be allocated between note and invoice; nothing where
// posted stands for it.
func pair(a provider.Allocation, note, invoice *documentAnswer, due decimal.Decimal) (allocating, error) {
	var w allocating
	if note == nil || invoice == nil {
		return w, noteGone(a.Number)
	}
	w.noteID = string(note.id())
	w.posted = provider.Posted{Number: note.number(), URL: creditNotes().link(string(note.id())), Status: string(note.Status), Contact: string(note.Contact.Value.ContactID)}
	for _, shown := range note.Allocations {
		if strings.EqualFold(string(shown.Invoice.Value.InvoiceID), a.InvoiceID) {
			w.already = w.already.Add(shown.Amount.Decimal)
			w.posted.ID, w.posted.Adopted, w.posted.Proven = allocationID(shown, w.noteID), true, true
			w.posted.Total = decimal.NewNullDecimal(w.already)
		}
	}
	left := note.open().Decimal
	w.amount = decimal.Max(decimal.Zero, decimal.Min(a.Amount.Sub(w.already), left, due))
	if w.amount.IsPositive() || w.already.IsZero() {
		for _, usable := range []error{creditNotes().usable(*note), invoices().usable(*invoice)} {
			if usable != nil {
				return w, usable
			}
		}
	}
	w.posted.Settled = w.amount.IsZero() && w.already.IsZero()
	return w, nil
}

func noteGone(number string) *provider.Failure {
	return held(provider.HeldDocumentVoid, "Xero no longer shows credit note "+number+" or its invoice: it was removed there; cancel this, or allocate it there by hand")
}

// allocationID is the allocation's, or the credit note's where Xero does not tell it.
func allocationID(shown shownAllocation, noteID string) string {
	if shown.AllocationID == "" || shown.AllocationID == zeroGUID {
		return noteID
	}
	return string(shown.AllocationID)
}

// allocate makes the call for w. More than is open is never allocated, since Xero
// refuses it.
func (s *allocationSet) allocate(ctx context.Context, w allocating) {
	if !s.mayCall(w.part) {
		return
	}
	posted, err := s.put(about(ctx, w.part), w)
	s.endCall(w.part, posted, err)
}

func (s *allocationSet) put(ctx context.Context, w allocating) (posted provider.Posted, err error) {
	a := s.set[w.at].Value
	body, err := allocationJSON(a, w.amount)
	if err != nil {
		return posted, &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "encode allocation", Err: err}
	}
	r := request{
		operation: opAllocate, method: http.MethodPut, path: "/CreditNotes/" + url.PathEscape(a.CreditNoteID) + "/Allocations",
		query: url.Values{"summarizeErrors": {"false"}}, body: body, key: derivedKey(w.key, "allocation", string(body)),
	}
	answer, err := s.client.send(ctx, r)
	switch {
	case err != nil:
		return posted, err
	case answer.status == http.StatusNotFound: // since it was read a moment ago
		gone := noteGone(a.Number)
		gone.KeySpent = true
		return posted, gone
	case answer.status != http.StatusOK:
		return posted, classify(answer)
	}
	return allocated(r, answer, w)
}

// allocated reads a 200.
func allocated(r request, answer reply, w allocating) (provider.Posted, error) {
	all, err := listIn[json.RawMessage](r, []byte(answer.body), "Allocations")
	if err != nil {
		return provider.Posted{}, err
	}
	for _, raw := range all {
		var shown struct {
			outcome
			shownAllocation
		}
		if err := json.Unmarshal(raw, &shown); err != nil {
			return provider.Posted{}, unreadable(r, raw, err)
		}
		if len(complaints(raw)) > 0 || !shown.saved("shown") {
			return provider.Posted{}, elementRefusal(raw)
		}
		if shown.Amount.Valid && shown.Amount.Decimal.Equal(w.amount) {
			w.posted.ID = allocationID(shown.shownAllocation, w.noteID)
			w.posted.Adopted, w.posted.Total = false, decimal.NewNullDecimal(w.already.Add(w.amount))
			return w.posted, nil
		}
	}
	return provider.Posted{}, unsaid("Xero's answer does not show the allocation; it will be looked up")
}

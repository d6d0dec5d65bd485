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

// shownPayment is a payment as its document shows it.
type shownPayment struct {
	PaymentID text
	Date      day
	Amount    amount
	Reference text
}

// EnsurePayments posts the payments of set on their invoices, and the refunds on
// their credit notes, or adopts those that exist. Xero has nothing unique in
// payments, so the documents are read first, in one call for each of the two kinds,
// also for a first try:
//   - a payment of the document has our Reference and amount: adopted. Both together
//     are proof on that very document, whatever account and day it was booked on:
//     the shop pays an invoice once;
//   - nothing is open: Settled, somebody else has booked the money;
//   - less is due than was paid: cut to it within the tolerance, else Held
//     amount_exceeds_due;
//   - a draft, or a voided one: Held document_not_approved, document_void.
//
// Then what is missing is posted in one call. If that fails but took effect, or the
// process stops, the next call finds the payment by the same rule, whether or not it
// has Uncertain. What remains is a part payment whose first call is still under way
// in Xero while the next one looks; a whole one is refused there for exceeding what
// is due. The outcomes are as for EnsureInvoices; Total is the amount.
func (c *Client) EnsurePayments(ctx context.Context, set []provider.Item[provider.Payment]) []provider.Outcome[provider.Posted] {
	return traced(ctx, func(ctx context.Context) []provider.Outcome[provider.Posted] { return c.ensurePayments(ctx, set) })
}

// paymentSet carries a set of payments through its calls.
type paymentSet struct {
	batch[provider.Posted]
	set   []provider.Item[provider.Payment]
	shown map[string]*documentAnswer // by the document's id, in lower case
}

// kindOf is that of the document that p is on.
func kindOf(p provider.Payment) kind {
	if p.Refund {
		return creditNotes()
	}
	return invoices()
}

func (c *Client) ensurePayments(ctx context.Context, set []provider.Item[provider.Payment]) []provider.Outcome[provider.Posted] {
	s := &paymentSet{set: set, shown: map[string]*documentAnswer{}}
	s.batch = batch[provider.Posted]{
		client: c, outcomes: make([]provider.Outcome[provider.Posted], len(set)), list: "Payments", read: s.read,
		create: request{operation: opPaymentCreate, method: http.MethodPut, path: "/Payments", query: url.Values{"summarizeErrors": {"false"}}},
	}
	parts := make([]part, len(set))
	for i, item := range set {
		parts[i] = part{at: i, number: strings.ToLower(item.Value.DocumentID)}
	}
	left := s.createAll(ctx, s.missing(ctx, s.withoutDuplicates(parts)))
	for _, p := range left.alone {
		s.createOne(ctx, p)
	}
	for i := range s.outcomes {
		s.outcomes[i].Notes = s.notes(set[i].Value, s.outcomes[i])
	}
	return s.outcomes
}

// notes say what a person would not expect.
func (s *paymentSet) notes(p provider.Payment, o provider.Outcome[provider.Posted]) []string {
	switch total := o.Value.Total; {
	case o.Err != nil, o.Value.Absent:
		return nil
	case o.Value.Settled && !p.Refund:
		return []string{"nothing is due on invoice " + p.Number + ": it was paid in Xero already, so nothing was written"}
	case o.Value.Settled:
		return []string{"nothing is left of credit note " + p.Number + ", so no money was booked"}
	case total.Valid && !total.Decimal.Equal(p.Amount):
		return []string{total.Decimal.StringFixed(2) + " of " + p.Amount.StringFixed(2) + " " + p.Currency + " was booked, which is all that was open"}
	}
	return nil
}

// missing reads the documents of parts, ends the payments that need not or cannot be
// made, and returns the others with what is to be sent for them.
func (s *paymentSet) missing(ctx context.Context, parts []part) []part {
	var refunds, others []part
	for _, p := range parts {
		if s.set[p.at].Value.Refund {
			refunds = append(refunds, p)
			continue
		}
		others = append(others, p)
	}
	seen := append(s.lookUp(ctx, invoices().byID(), others), s.lookUp(ctx, creditNotes().byID(), refunds)...)
	var open []part
	for _, look := range seen {
		s.shown[look.number] = look.found
		amount, posted, err := kindOf(s.set[look.at].Value).judge(look.found, s.set[look.at].Value)
		switch {
		case s.set[look.at].Try.Look && posted.ID == "":
			s.end(look.part, provider.Posted{Absent: true}, nil)
			continue
		case err != nil:
			s.end(look.part, provider.Posted{}, err)
			continue
		case amount.IsZero():
			s.end(look.part, posted, nil)
			continue
		}
		p := look.part
		if p.element, err = ofAmount(s.set[p.at].Value.Body, amount); err != nil {
			s.end(p, provider.Posted{}, &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "encode payment", Err: err})
			continue
		}
		p.key = derivedKey(s.set[p.at].Try.Key, "payment", string(p.element)) // another amount needs another key
		open = append(open, p)
	}
	return open
}

// judge says what is to be paid on found for p; nothing where posted stands for it.
func (k kind) judge(found *documentAnswer, p provider.Payment) (amount decimal.Decimal, posted provider.Posted, err error) {
	if found == nil {
		return amount, posted, held(provider.HeldDocumentVoid, "Xero no longer shows "+k.name+" "+p.Number+": it was removed there; cancel this, or send the document again")
	}
	posted = provider.Posted{
		Number: found.number(), URL: k.link(string(found.id())), Status: string(found.Status), Contact: string(found.Contact.Value.ContactID),
	}
	if ours := found.paymentOf(p); ours != nil {
		posted.ID, posted.Total, posted.Adopted, posted.Proven = string(ours.PaymentID), ours.Amount.NullDecimal, true, true
		return amount, posted, nil
	}
	if err := k.usable(*found); err != nil {
		return amount, posted, err
	}
	open := found.open()
	switch {
	case found.CurrencyCode != "" && !strings.EqualFold(string(found.CurrencyCode), p.Currency):
		return amount, posted, refused("the " + k.name + " is in " + string(found.CurrencyCode) + " in Xero, the money in " + p.Currency)
	case !open.Valid:
		return amount, posted, lost(false, "Xero does not say what is open on "+k.name+" "+p.Number)
	case !open.Decimal.IsPositive():
		posted.Settled = true
		return amount, posted, nil
	case p.Amount.Sub(open.Decimal).GreaterThan(p.Tolerance):
		return amount, posted, held(provider.HeldAmountExceedsDue, "only "+open.Decimal.StringFixed(2)+" of "+p.Amount.StringFixed(2)+" "+p.Currency+
			" is open on "+k.name+" "+p.Number+" in Xero ("+posted.URL+"): remove what was paid there twice, or pay the rest there"+goesOn)
	}
	return decimal.Min(p.Amount, open.Decimal), posted, nil
}

// paymentOf is the payment of a that is provably p; nil where there is none.
func (a documentAnswer) paymentOf(p provider.Payment) *shownPayment {
	for i, shown := range a.Payments {
		less := p.Amount.Sub(shown.Amount.Decimal)
		if shown.Amount.Valid && clean(string(shown.Reference)) == p.Reference && !less.IsNegative() && !less.GreaterThan(p.Tolerance) {
			return &a.Payments[i]
		}
	}
	return nil
}

// usable holds what takes neither payment nor credit.
func (k kind) usable(a documentAnswer) error {
	switch {
	case a.dead():
		return held(provider.HeldDocumentVoid, k.name+" "+a.number()+" is "+strings.ToLower(string(a.Status))+" in Xero ("+k.link(string(a.id()))+"): cancel this, or book it there by hand")
	case a.Status == draft || a.Status == "SUBMITTED":
		return held(provider.HeldDocumentNotApproved, k.name+" "+a.number()+" is not approved in Xero ("+k.link(string(a.id()))+"): approve it there"+goesOn)
	}
	return nil
}

// read reads one element of an answer. It bears the document that it was made on.
func (s *paymentSet) read(raw json.RawMessage) (element[provider.Posted], error) {
	var a struct {
		outcome
		shownPayment
		Invoice    object[struct{ InvoiceID text }]
		CreditNote object[struct{ CreditNoteID text }]
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return element[provider.Posted]{}, err
	}
	k, id := invoices(), a.Invoice.Value.InvoiceID
	if id == "" || id == zeroGUID {
		k, id = creditNotes(), a.CreditNote.Value.CreditNoteID
	}
	number := strings.ToLower(string(id))
	e := element[provider.Posted]{number: number, saved: a.saved(a.PaymentID), raw: raw}
	if found := s.shown[number]; found != nil {
		e.value = provider.Posted{
			ID: string(a.PaymentID), Total: a.Amount.NullDecimal, Number: found.number(), URL: k.link(string(found.id())),
			Status: string(found.Status), Contact: string(found.Contact.Value.ContactID),
		}
	}
	return e, nil
}

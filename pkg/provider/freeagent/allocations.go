package freeagent

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/shopspring/decimal"

	"towpath/pkg/provider"
)

type allocationEnvelope struct {
	Reconciliation allocationBody `json:"credit_note_reconciliation"`
}

// allocationBody sets a part of a credit note against an invoice, which is how the
// wire links the two: a credit note has no field for its invoice.
type allocationBody struct {
	Invoice    string `json:"invoice"`
	CreditNote string `json:"credit_note"`
	Gross      string `json:"gross_value"` // above zero
	DatedOn    string `json:"dated_on"`
}

type allocationAnswer struct {
	URL        string `json:"url"`
	Invoice    string `json:"invoice"`
	CreditNote string `json:"credit_note"`
	Gross      amount `json:"gross_value"`
}

// Allocation is a with the body that is sent where the whole amount is open.
func (c *Client) Allocation(a provider.Allocation) (provider.Allocation, error) {
	body, err := encode(allocationOf(a, a.Amount))
	a.Body = body
	return a, err
}

func allocationOf(a provider.Allocation, amount decimal.Decimal) allocationEnvelope {
	return allocationEnvelope{allocationBody{Invoice: a.InvoiceID, CreditNote: a.CreditNoteID, Gross: amount.StringFixed(2), DatedOn: a.Date}}
}

// EnsureAllocations sets each credit note against its invoice, as far as both are
// open; in the set's order, one after another. Invoice and credit note are read,
// and where something was set against the credit note, or try is Uncertain, what
// is between the two already counts: so it is never set twice. Where nothing is
// left to set, the outcome is Settled.
func (c *Client) EnsureAllocations(ctx context.Context, set []provider.Item[provider.Allocation]) []provider.Outcome[provider.Posted] {
	return inTurn(ctx, set, func(ctx context.Context, a provider.Allocation, try provider.Try) provider.Outcome[provider.Posted] {
		return outcome(c.ensureAllocation(ctx, a, try))
	})
}

func (c *Client) ensureAllocation(ctx context.Context, a provider.Allocation, try provider.Try) (provider.Posted, error) {
	credit, err := c.standing(ctx, creditNotes(), a.CreditNoteID)
	if try.Look && isHeld(err, provider.HeldDocumentVoid) {
		return provider.Posted{Absent: true}, nil // with what it belonged to
	}
	if err != nil {
		return provider.Posted{}, err
	}
	left := a.Amount
	var found *allocationAnswer
	if try.Uncertain || try.Look || credit.touched {
		var sum decimal.Decimal
		if found, sum, err = c.findAllocation(ctx, a, credit.Date); err != nil {
			return provider.Posted{}, err
		}
		left = left.Sub(sum)
	}
	switch {
	case try.Look && found == nil:
		return provider.Posted{Absent: true}, nil
	case try.Look:
		return allocated(a, found, true), nil
	}
	invoice, err := c.standing(ctx, invoices(), a.InvoiceID)
	if err != nil {
		return provider.Posted{}, err
	}
	left = decimal.Min(left, credit.Open.Decimal, invoice.Open.Decimal)
	switch {
	case found != nil && !left.IsPositive():
		return allocated(a, found, true), nil
	case credit.takes("allocation") != nil:
		return provider.Posted{}, credit.takes("allocation")
	case invoice.takes("credit") != nil:
		return provider.Posted{}, invoice.takes("credit")
	case credit.State == provider.StateSettled:
		return credit.settled(), nil
	case invoice.State == provider.StateSettled:
		return invoice.settled(), nil
	}
	return c.allocate(ctx, a, left)
}

// allocate makes the one write. If its answer is lost, or the process dies after
// it, the next try counts it as what is between the two already.
func (c *Client) allocate(ctx context.Context, a provider.Allocation, amount decimal.Decimal) (provider.Posted, error) {
	body, err := encode(allocationOf(a, amount))
	if err != nil {
		return provider.Posted{}, err
	}
	answer, err := c.must(ctx, call{operation: opAllocCreate, method: http.MethodPost, path: "/credit_note_reconciliations", body: body})
	if err != nil {
		return provider.Posted{}, err
	}
	var read struct {
		Reconciliation allocationAnswer `json:"credit_note_reconciliation"`
	}
	_ = json.Unmarshal(answer.body, &read) // a body that is no JSON leaves Location
	if read.Reconciliation.URL, err = c.createdURL(answer, read.Reconciliation.URL); err != nil {
		return provider.Posted{}, unlocated("the credit note was set against the invoice, but the ledger does not say where", err)
	}
	read.Reconciliation.Gross.NullDecimal = decimal.NewNullDecimal(amount)
	return allocated(a, &read.Reconciliation, false), nil
}

// findAllocation is what is between the two already, by whomever: one of it, and
// its sum. None is older than the credit note.
func (c *Client) findAllocation(ctx context.Context, a provider.Allocation, since string) (found *allocationAnswer, sum decimal.Decimal, err error) {
	err = list(ctx, c, opAllocList, "credit_note_reconciliations", from(since), func(r allocationAnswer) bool {
		if sameResource(r.CreditNote, a.CreditNoteID) && sameResource(r.Invoice, a.InvoiceID) && idOf(r.URL) != "" {
			found, sum = &r, sum.Add(r.Gross.Decimal.Abs())
		}
		return true
	})
	return found, sum, err
}

func allocated(a provider.Allocation, made *allocationAnswer, adopted bool) provider.Posted {
	posted := provider.Posted{
		ID: "credit_note_reconciliations/" + idOf(made.URL), Number: a.Number, URL: made.URL, Status: "Reconciled", Adopted: adopted, Proven: adopted,
	}
	if made.Gross.Valid {
		posted.Total = decimal.NewNullDecimal(made.Gross.Decimal.Abs())
	}
	return posted
}

package provider

import (
	"encoding/json"

	"github.com/shopspring/decimal"
)

// Payment is money that came for an invoice, or went back for a credit note, in
// a ledger's terms. Its document says which: one value of each kind belongs to a
// document, so the document's id is its key.
//
// The amount is the most that is written: never more than is open on the document
// at that moment. A payment that exceeds what is open by no more than Tolerance is
// cut to it; one that exceeds it by more is held.
type Payment struct {
	DocumentID string          `json:"document_id"`      // of the invoice or the credit note: a GUID, or the URL on wire v2
	Refund     bool            `json:"refund,omitempty"` // the document is a credit note
	Number     string          `json:"number"`           // that document's number, for people
	AccountID  string          `json:"account_id"`       // the account that it came to or went from; the URL on wire v2
	Date       string          `json:"date"`             // YYYY-MM-DD, a day of the organisation
	Amount     decimal.Decimal `json:"amount"`           // in the document's currency, positive
	Tolerance  decimal.Decimal `json:"tolerance"`
	Currency   string          `json:"currency"`
	// Reference is what it is found by among the payments of its document. The
	// gateway's transaction alone is one for all invoices of an order, and proves
	// nothing elsewhere.
	Reference string          `json:"reference"`
	Body      json.RawMessage `json:"body"`  // as sent for the whole amount; made by the ledger's package
	Notes     []string        `json:"notes"` // how it came to be, for explain
}

// Key is the document's id.
func (p Payment) Key() string { return p.DocumentID }

// Hash is the SHA-256 of the body in hex.
func (p Payment) Hash() string { return hash(p.Body) }

// Allocation sets a part of a credit note against an invoice. The amount is the
// most that is allocated between the two altogether, so that repeating it adds
// nothing: never more than is left of the credit, nor than is open on the invoice.
type Allocation struct {
	CreditNoteID string          `json:"credit_note_id"`
	InvoiceID    string          `json:"invoice_id"`
	Number       string          `json:"number"` // the credit note's, for people
	Date         string          `json:"date"`   // YYYY-MM-DD
	Amount       decimal.Decimal `json:"amount"`
	Body         json.RawMessage `json:"body"` // as sent for the whole amount
}

// Key is the credit note's id, which also stands for its invoice: a credit memo
// has at most one.
func (a Allocation) Key() string { return a.CreditNoteID }

// Hash is the SHA-256 of the body in hex.
func (a Allocation) Hash() string { return hash(a.Body) }

// State is how a document stands, in words that all ledgers share.
type State string

// The states of a document.
const (
	StateDraft   State = "draft"   // it has no effect yet, and takes neither payment nor credit
	StateOpen    State = "open"    // something is open: money due, or credit left
	StateSettled State = "settled" // nothing is
	StateVoid    State = "void"    // voided, deleted or written off: it takes nothing any more
)

// Standing is a document as the ledger shows it now.
type Standing struct {
	ID        string
	Number    string
	URL       string // where a person can look at it
	State     State
	Status    string              // the ledger's own word
	Total     decimal.NullDecimal // not Valid where the ledger does not say
	Open      decimal.NullDecimal // due on an invoice, left of a credit note
	Currency  string
	ContactID string
	Date      string // YYYY-MM-DD
	Reference string
	Source    string // the page that it links to; that of a run of ours ends in its id
}

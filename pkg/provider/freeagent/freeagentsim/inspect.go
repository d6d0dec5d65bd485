package freeagentsim

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// Invoice is what the tests want to know of a stored invoice.
type Invoice struct {
	ID        int
	Reference string
	ContactID int
	Status    string
	Currency  string
	Net       decimal.Decimal
	Tax       decimal.Decimal
	Total     decimal.Decimal
	Due       decimal.Decimal // what is open; below zero on a credit note
	Terms     int
	Body      []byte // as it was posted
}

// Invoices are all invoices in the order of their creation.
func (s *Server) Invoices() []Invoice {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Invoice, 0, len(s.invoices))
	for _, i := range s.invoices {
		all = append(all, i.outside())
	}
	return all
}

// CreditNotes are all credit notes in the order of their creation.
func (s *Server) CreditNotes() []Invoice {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Invoice, 0, len(s.creditNotes))
	for _, i := range s.creditNotes {
		all = append(all, i.outside())
	}
	return all
}

// Settlement is a bank transaction explanation, or a reconciliation of a credit
// note with an invoice.
type Settlement struct {
	ID          int
	DocumentID  int // that is paid, refunded, or reconciled with the credit note
	CreditID    int // of a reconciliation
	Account     string
	Date        string
	Amount      decimal.Decimal // in the account's currency; below zero: money out
	Description string
	Body        []byte // as it was posted
}

// Explanations are all in the order of their creation.
func (s *Server) Explanations() []Settlement {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Settlement, 0, len(s.explanations))
	for _, e := range s.explanations {
		all = append(all, Settlement{ID: e.id, DocumentID: e.document.id, Account: e.account, Date: e.dated.Format(time.DateOnly),
			Amount: outside(e.gross), Description: e.description, Body: e.body})
	}
	return all
}

// Reconciliations are all in the order of their creation.
func (s *Server) Reconciliations() []Settlement {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Settlement, 0, len(s.reconciliations))
	for _, c := range s.reconciliations {
		all = append(all, Settlement{ID: c.id, DocumentID: c.invoice.id, CreditID: c.credit.id, Date: c.dated.Format(time.DateOnly),
			Amount: outside(c.gross), Body: c.body})
	}
	return all
}

// SetStatus gives the invoice or credit note of that number a status, as a person
// may by means that the simulated server does not offer.
func (s *Server) SetStatus(reference, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range append(slices.Clone(s.invoices), s.creditNotes...) {
		if i.reference == reference {
			i.status = status
		}
	}
}

// Total is the total of the one invoice with that number; found is false where
// there is none or more than one.
func (s *Server) Total(reference string) (total decimal.Decimal, found bool) {
	for _, i := range s.Invoices() {
		if i.Reference != reference {
			continue
		}
		if found {
			return decimal.Zero, false
		}
		total, found = i.Total, true
	}
	return total, found
}

// Contact is what the tests want to know of a stored contact.
type Contact struct {
	ID     int
	Fields map[string]string
}

// Contacts are all contacts in the order of their creation.
func (s *Server) Contacts() []Contact {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Contact, 0, len(s.contacts))
	for _, c := range s.contacts {
		all = append(all, c.outside())
	}
	return all
}

package riverjobs_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/riverjobs"
)

// fault is one way in which a call goes wrong.
type fault int

const (
	failed       fault = iota // the connection is reset before anything happens
	tookReset                 // it took effect, then the connection is reset
	tookHalf                  // it took effect, then half of the answer comes
	tookError                 // it took effect, then a 500 comes
	tookHang                  // it took effect, and no answer ever comes
	hang                      // no answer ever comes, and nothing happened
	refusedError              // a 500, and nothing happened
)

// document is a document in a simulated ledger.
type document struct{ number, total string }

// ledgerSim is what the tests want of either simulated ledger.
type ledgerSim interface {
	documents() []document
	contacts() int
	calls(operation string) int         // creations of "contact" or "invoice", refused ones too
	inject(operation string, how fault) // at the next creation
	hold(operation string)              // answers once that the contact is archived
	due(number string) string           // what is open on an invoice, or left of a credit note
	payments() int                      // in either direction
	credits() int
	allocations() int
}

type xeroSim struct{ *xerosim.Sim }

func (s xeroSim) documents() []document {
	var list []document
	for _, v := range s.Invoices() {
		list = append(list, document{v.Number, v.Total})
	}
	return list
}

func (s xeroSim) contacts() int { return len(s.Contacts()) }

func (s xeroSim) operation(name string) string {
	return map[string]string{
		"contact": "PUT /Contacts", "invoice": "PUT /Invoices", "payment": "PUT /Payments", "credit": "PUT /CreditNotes", "allocation": "PUT /CreditNotes/Allocations",
	}[name]
}

func (s xeroSim) calls(name string) int { return s.Calls(s.operation(name)) }

func (s xeroSim) inject(name string, how fault) {
	f := xerosim.Fault{Operation: s.operation(name), When: xerosim.After}
	if how == failed || how == tookReset {
		f.Times = 2 // net/http itself repeats a request with an idempotency key once
	}
	switch how {
	case failed:
		f.When, f.Reset = xerosim.Before, true
	case refusedError:
		f.When, f.Status = xerosim.Before, http.StatusInternalServerError
	case tookReset:
		f.Reset = true
	case tookHalf:
		f.Half = true
	case tookError:
		f.Status = http.StatusInternalServerError
	case tookHang:
		f.Hang = make(chan struct{})
	case hang:
		f.When, f.Hang = xerosim.Before, make(chan struct{})
	}
	s.Inject(f)
}

func (s xeroSim) hold(name string) {
	s.Inject(xerosim.Fault{Operation: s.operation(name), Status: http.StatusBadRequest,
		Body: `{"Type":"ValidationException","Elements":[{"ValidationErrors":[{"Message":"The contact has been archived"}]}]}`})
}

func (s xeroSim) due(number string) string { return s.AmountDue(number) }

func (s xeroSim) payments() int { return len(s.Payments()) }

func (s xeroSim) credits() int { return len(s.CreditNotes()) }

func (s xeroSim) allocations() int { return len(s.Allocations()) }

type v2Sim struct{ *freeagentsim.Server }

func (s v2Sim) documents() []document {
	var list []document
	for _, v := range s.Invoices() {
		list = append(list, document{v.Reference, v.Total.StringFixed(2)})
	}
	return list
}

func (s v2Sim) due(number string) string {
	for _, v := range append(s.Invoices(), s.CreditNotes()...) {
		if v.Reference == number {
			return v.Due.Abs().StringFixed(2)
		}
	}
	return ""
}

func (s v2Sim) payments() int { return len(s.Explanations()) }

func (s v2Sim) credits() int { return len(s.CreditNotes()) }

func (s v2Sim) allocations() int { return len(s.Reconciliations()) }

func (s v2Sim) contacts() int { return len(s.Contacts()) }

func (s v2Sim) operation(name string) string {
	return map[string]string{
		"contact": freeagentsim.ContactCreate, "invoice": freeagentsim.InvoiceCreate, "payment": freeagentsim.ExplanationCreate,
		"credit": freeagentsim.CreditCreate, "allocation": freeagentsim.ReconciliationCreate,
	}[name]
}

func (s v2Sim) calls(name string) int { return s.Count(s.operation(name)) }

func (s v2Sim) inject(name string, how fault) {
	f := freeagentsim.Fault{Operation: s.operation(name), After: how != failed && how != refusedError && how != hang}
	switch how {
	case failed, tookReset:
		f.Reset = true
	case tookHalf:
		f.Half = true
	case tookError, refusedError:
		f.Status = http.StatusInternalServerError
	case tookHang, hang:
		f.Hang = make(chan struct{})
	}
	s.Inject(f)
}

func (s v2Sim) hold(name string) {
	s.Inject(freeagentsim.Fault{Operation: s.operation(name), Status: http.StatusUnprocessableEntity,
		Body: `{"errors":[{"message":"contact not found"}]}`})
}

// made counts what exists in the ledger.
func (b *bundle) made(operation string) int {
	switch operation {
	case "contact":
		return b.ledger.contacts()
	case "payment":
		return b.ledger.payments()
	case "credit":
		return b.ledger.credits()
	case "allocation":
		return b.ledger.allocations()
	}
	return len(b.ledger.documents())
}

// oneOfEach asserts that the ledger has the invoice's one document, to the penny,
// and one contact.
func (b *bundle) oneOfEach(t *testing.T, inv magentosim.Invoice) {
	t.Helper()
	require.Equal(t, []document{{inv.IncrementID, inv.GrandTotal}}, b.ledger.documents())
	require.Equal(t, 1, b.ledger.contacts())
}

// watched is a real ledger client with a place to stop before and after each of
// the calls that matter: "contact", "invoice", and "document invoice", which is
// asked between the two writes.
type watched struct {
	riverjobs.Ledger
	at func(ctx context.Context, place string) error
}

func (w watched) EnsureContacts(ctx context.Context, set []provider.Item[policy.Buyer]) []provider.Outcome[string] {
	if err := w.at(ctx, "before contact"); err != nil {
		return provider.Failed[string](len(set), err)
	}
	found := w.Ledger.EnsureContacts(ctx, set)
	if stop := w.at(ctx, "after contact"); stop != nil {
		return provider.Failed[string](len(set), stop)
	}
	return found
}

func (w watched) Document(inv canon.Invoice, pol policy.Policy, ref provider.Reference, contactID, runURL string) (provider.Document, error) {
	place := "contact not known"
	if contactID != "" {
		place = "contact known"
	}
	if err := w.at(context.Background(), place); err != nil {
		return provider.Document{}, err
	}
	return w.Ledger.Document(inv, pol, ref, contactID, runURL)
}

func (w watched) EnsureInvoices(ctx context.Context, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted] {
	if err := w.at(ctx, "before invoice"); err != nil {
		return provider.Failed[provider.Posted](len(set), err)
	}
	posted := w.Ledger.EnsureInvoices(ctx, set)
	if stop := w.at(ctx, "after invoice"); stop != nil {
		return provider.Failed[provider.Posted](len(set), stop)
	}
	return posted
}

// watch puts at into each of the worker's ledgers.
func watch(at func(ctx context.Context, place string) error) func(*riverjobs.Config) {
	return func(cfg *riverjobs.Config) {
		open := cfg.Ledgers
		cfg.Ledgers = func(binding dbsqlc.Binding, permit provider.Permit) (riverjobs.Ledger, error) {
			ledger, err := open(binding, permit)
			return watched{ledger, at}, err
		}
	}
}

// gate stops the first that comes to its place until it is released. The one
// that waits does not notice that its context ends: a process that hangs.
type gate struct {
	place             string
	arrived, released chan struct{}
	taken             atomic.Bool
	open              sync.Once
}

func newGate(place string) *gate {
	return &gate{place: place, arrived: make(chan struct{}), released: make(chan struct{})}
}

func (g *gate) at(_ context.Context, place string) error {
	if place == g.place && g.taken.CompareAndSwap(false, true) {
		close(g.arrived)
		<-g.released
	}
	return nil
}

func (g *gate) release() { g.open.Do(func() { close(g.released) }) }

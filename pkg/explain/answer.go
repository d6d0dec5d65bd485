package explain

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// Ledger is what builds a provider's bodies. Each answers a Held failure for what must
// not be written.
type Ledger interface {
	Document(inv canon.Invoice, pol policy.Policy, ref provider.Reference, contactID, runURL string) (provider.Document, error)
	CreditNote(memo canon.CreditMemo, pol policy.Policy, ref provider.Reference, contactID, runURL string) (provider.Document, error)
	Payment(p provider.Payment, ref provider.Reference) (provider.Payment, error)
	Item(product canon.Product, pol policy.Policy, ref provider.Reference) (provider.CatalogItem, error)
	Day(at time.Time, ref provider.Reference) string
}

// Answer is what would become of a document. Of Document, Payment and Item the one that
// the event writes is set; none where nothing would be written. A customer's contact is
// its Buyer.
type Answer struct {
	Event    string
	Number   string           // the shop's: an increment id, a SKU, a customer's id
	Total    *decimal.Decimal // the shop's grand total; nil where it has none
	Decision policy.Decision
	Buyer    *policy.Buyer // nil for payments and products
	Document *provider.Document
	Payment  *provider.Payment
	Item     *provider.CatalogItem
	Refund   *policy.PaymentDecision // the money of a credit memo; nil where its invoice is not known
	Held     *provider.Failure       // why it may not be written as the ledger is
}

// Title names the document for people.
func (a Answer) Title() string {
	switch a.Event {
	case "invoice.paid":
		return "payment of invoice " + a.Number
	case "creditmemo.created":
		return "credit memo " + a.Number
	case "customer.upserted":
		return "customer " + a.Number
	case "product.upserted":
		return "product " + a.Number
	}
	return "invoice " + a.Number
}

// Outcome is what the settings say, unless what they would write is held.
func (a Answer) Outcome() string {
	if a.Held != nil {
		return fmt.Sprint(policy.Hold, " ", a.Held.Reason)
	}
	return strings.TrimSpace(fmt.Sprint(a.Decision.Action, " ", a.Decision.Reason))
}

// Ask reads the document, asks the settings, and builds what would be written.
func (q Question) Ask(ledger Ledger, ref provider.Reference) (Answer, error) {
	a := Answer{Event: q.Event}
	write, err := q.read(&a)
	if err != nil {
		return a, err
	}
	if write == nil || a.Decision.Action != policy.Post {
		a.Refund = nil
		return a, nil
	}
	var f *provider.Failure
	if err := write(ledger, ref); errors.As(err, &f) && f.Kind == provider.Held {
		a.Document, a.Payment, a.Item, a.Refund, a.Held = nil, nil, nil, nil, f
	} else if err != nil {
		return a, err
	}
	return a, nil
}

package riverjobs

import (
	"context"
	"encoding/json"
	"time"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// invoice is an invoice on its way to the ledger.
type invoice struct {
	canon.Invoice
	contactID string
}

func (i *invoice) buyer(pol policy.Policy) policy.Buyer { return policy.BuyerOf(i.Invoice, pol) }

func (i *invoice) contact() *string { return &i.contactID }

// postInvoice writes invoices: the contact, then the document.
func postInvoice() *plan[*invoice] {
	return &plan[*invoice]{
		event: "invoice.created", entity: "invoice", operation: syncrun.WriteInvoice, seeks: true,
		read: func(ctx context.Context, shop Shop, id int64) (json.RawMessage, *invoice, error) {
			raw, inv, err := shop.Invoice(ctx, id)
			return raw, &invoice{Invoice: inv}, err
		},
		decode: func(raw []byte) (*invoice, error) {
			inv, err := canon.DecodeInvoice(raw)
			return &invoice{Invoice: inv}, err
		},
		decide: func(_ context.Context, _ *pipeline, _ work, i *invoice, pol policy.Policy) (policy.Decision, error) {
			return policy.Decide(i.Invoice, pol), nil
		},
		keep: func(i *invoice, pol policy.Policy, number string) policy.Policy {
			return policy.WithNumber(i.Invoice, pol, number)
		},
		steps: []step[*invoice]{
			allowed(invoiceDocument), // before a contact is made that no document needs
			contacts[*invoice](),
			catalog(func(i *invoice) []string { return skusOf(i.Lines) }),
			freshen(func(i *invoice) time.Time { return i.CreatedAt }),
			ensure(document(syncrun.WriteInvoice, invoiceDocument, Ledger.EnsureInvoices)),
		},
	}
}

// invoiceDocument is pure.
func invoiceDocument(b *batch[*invoice], d *draft[*invoice]) (provider.Document, error) {
	return b.ledger.Document(d.doc.Invoice, d.pol, d.ref, d.doc.contactID, b.runURL(d.SyncRun.ID))
}

package riverjobs

import (
	"context"
	"encoding/json"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// customer is a customer on his way to the ledger.
type customer struct {
	canon.Customer
	contactID string
}

func (c *customer) buyer(pol policy.Policy) policy.Buyer {
	return policy.BuyerOfCustomer(c.Customer, pol)
}
func (c *customer) contact() *string { return &c.contactID }

// upsertContact keeps customers' contacts up to date: those that the ledger has, and
// where the settings say so every customer's.
func upsertContact() *plan[*customer] {
	return &plan[*customer]{
		event: "customer.upserted", operation: syncrun.WriteContactUpdate, lastFirst: true,
		read: func(ctx context.Context, shop Shop, id int64) (json.RawMessage, *customer, error) {
			raw, c, err := shop.Customer(ctx, id)
			return raw, &customer{Customer: c}, err
		},
		decode: func(raw []byte) (*customer, error) {
			c, err := canon.DecodeCustomer(raw)
			return &customer{Customer: c}, err
		},
		decide: func(ctx context.Context, p *pipeline, run work, c *customer, pol policy.Policy) (policy.Decision, error) {
			row, err := p.lookUp(ctx, run, "contact", c.buyer(pol).Key)
			return policy.DecideCustomer(c.Customer, row != nil, pol), err
		},
		steps: []step[*customer]{
			inLane[*customer],
			superseded(func(ctx context.Context, b *batch[*customer], d *draft[*customer]) (provider.Posted, error) {
				row, err := b.lookUp(ctx, d.work, "contact", d.doc.buyer(d.pol).Key)
				id, _ := contactKnown(row)
				return provider.Posted{ID: id}, err
			}),
			contacts[*customer](),
			ensure(contactUpdate[*customer]()),
			func(ctx context.Context, b *batch[*customer], drafts []*draft[*customer]) {
				each(drafts, func(d *draft[*customer]) error {
					return b.finish(ctx, d, result{posted: provider.Posted{ID: d.doc.contactID}, why: "the contact is as the shop has it"})
				})
			},
		},
	}
}

// contactUpdate writes what is new of a contact that the ledger has.
func contactUpdate[D billed]() write[D, policy.ContactUpdate] {
	return write[D, policy.ContactUpdate]{
		operation: syncrun.WriteContactUpdate,
		value: func(ctx context.Context, b *batch[D], d *draft[D]) (policy.ContactUpdate, provider.Try, bool, error) {
			update := policy.ContactUpdate{ContactID: *d.doc.contact(), Buyer: d.doc.buyer(d.pol)}
			row, err := b.lookUp(ctx, d.work, "contact", update.Buyer.Key)
			news := err == nil && row != nil && !row.Merged && text(row.BodyHash) != b.written(update.Buyer)
			return update, provider.Try{}, news, err
		},
		call: func(ctx context.Context, l Ledger, set []provider.Item[policy.ContactUpdate]) []provider.Outcome[provider.Posted] {
			return l.UpdateContacts(ctx, set)
		},
		record: func(ctx context.Context, b *batch[D], o *one[D, policy.ContactUpdate]) error {
			as := b.written(o.value.Buyer)
			return b.record(ctx, o.taken, syncrun.Made{Rewritten: true, Notes: append(o.outcome.Notes, "the contact is written as the shop has it"),
				Xref: &syncrun.Xref{EntityType: "contact", ShopID: o.value.Buyer.Key, BodyHash: &as}})
		},
		share: func(_, _ *draft[D]) {},
	}
}

// written is what a contact is remembered to be written as.
func (p *pipeline) written(who policy.Buyer) string { return policy.ContactUpdate{Buyer: who}.Hash() }

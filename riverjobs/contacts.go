package riverjobs

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// buyer is a buyer's contact as a write: its key is the buyer's.
type buyer struct {
	policy.Buyer
	hash string
}

// Key is what a buyer is known by in the shop.
func (b buyer) Key() string { return b.Buyer.Key }

// Hash is of what is known of him.
func (b buyer) Hash() string { return b.hash }

// billed is a document that bears a buyer's contact.
type billed interface {
	// buyer is whom it is billed to.
	buyer(pol policy.Policy) policy.Buyer
	// contact is where the contact's id is kept.
	contact() *string
}

// contacts finds each document's contact: remembered, or made sure of under an intent
// of its own, so that two runs of a new customer make one.
func contacts[D billed]() step[D] {
	return ensure(write[D, buyer]{
		operation: syncrun.WriteContact,
		value:     contactOf[D],
		call:      ensureContacts,
		record: func(ctx context.Context, b *batch[D], o *one[D, buyer]) error {
			xref := syncrun.Xref{EntityType: "contact", ShopID: o.value.Key(), ProviderID: o.outcome.Value.ID, Merged: o.outcome.Merged}
			err := pgx.BeginFunc(ctx, b.Pool, func(tx pgx.Tx) error { return syncrun.FoundContact(ctx, tx, o.taken, xref, o.outcome.Notes) })
			*o.doc.contact() = o.outcome.Value.ID
			return err
		},
		share: func(from, to *draft[D]) { *to.doc.contact() = *from.doc.contact() },
	})
}

func contactOf[D billed](ctx context.Context, b *batch[D], d *draft[D]) (buyer, provider.Try, bool, error) {
	who := d.doc.buyer(d.pol)
	row, err := b.lookUp(ctx, d.work, "contact", who.Key)
	if err != nil {
		return buyer{}, provider.Try{}, false, err
	}
	known, stale := contactKnown(row)
	if known != "" {
		*d.doc.contact() = known
		return buyer{}, provider.Try{}, false, nil
	}
	body, err := json.Marshal(who)
	if err != nil {
		return buyer{}, provider.Try{}, false, fmt.Errorf("encode buyer: %w", err)
	}
	return buyer{who, hash(body)}, provider.Try{Known: stale, Uncertain: stale != ""}, true, nil
}

func ensureContacts(ctx context.Context, l Ledger, set []provider.Item[buyer]) []provider.Outcome[provider.Posted] {
	asked := make([]provider.Item[policy.Buyer], len(set))
	for i, item := range set {
		asked[i] = provider.Item[policy.Buyer]{Value: item.Value.Buyer, Try: item.Try}
	}
	outcomes := make([]provider.Outcome[provider.Posted], len(set))
	for i, o := range l.EnsureContacts(ctx, asked) {
		outcomes[i] = provider.Outcome[provider.Posted]{Value: provider.Posted{ID: o.Value}, Err: o.Err, Notes: o.Notes, Merged: o.Merged}
	}
	return outcomes
}

// forgotten answers ErrBusy where the document was held for a contact that an
// earlier run remembered: it is forgotten and made sure of anew, which follows
// a merge. A contact that this very run made sure of is left: then a person must
// act.
func forgotten[D billed](ctx context.Context, b *batch[D], d *draft[D], cause error) error {
	switch provider.AsFailure(cause).Reason {
	case provider.HeldContactGone, provider.HeldContactArchived:
	default:
		return nil
	}
	key := d.doc.buyer(d.pol).Key
	n, err := b.queries.EntityXrefForget(ctx, b.Pool, dbsqlc.EntityXrefForgetParams{EntityType: "contact", ShopID: key, RunID: d.SyncRun.ID})
	if err != nil {
		return fmt.Errorf("forget contact %q: %w", key, err)
	}
	if n == 0 {
		return nil
	}
	return syncrun.ErrBusy
}

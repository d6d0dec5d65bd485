package riverjobs

import (
	"context"
	"fmt"
	"time"

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
			xref := syncrun.Xref{EntityType: "contact", ShopID: o.value.Key(), ProviderID: o.outcome.Value.ID, Merged: o.outcome.Merged, BodyHash: &o.value.hash}
			*o.doc.contact() = o.outcome.Value.ID
			return b.record(ctx, o.taken, syncrun.Made{Xref: &xref, Notes: o.outcome.Notes})
		},
		share: func(from, to *draft[D]) { *to.doc.contact() = *from.doc.contact() },
	})
}

// record puts what a write has made on record, where it is not the run's last.
func (p *pipeline) record(ctx context.Context, taken syncrun.Taken, made syncrun.Made) error {
	return pgx.BeginFunc(context.WithoutCancel(ctx), p.Pool, func(tx pgx.Tx) error { return syncrun.Record(ctx, tx, taken, made) })
}

func contactOf[D billed](ctx context.Context, b *batch[D], d *draft[D]) (buyer, provider.Try, bool, error) {
	if d.invoiced {
		return buyer{}, provider.Try{}, false, nil
	}
	who := d.doc.buyer(d.pol)
	row, err := b.lookUp(ctx, d.work, "contact", who.Key)
	if err != nil {
		return buyer{}, provider.Try{}, false, err
	}
	d.known = row
	known, stale := contactKnown(row)
	if known != "" {
		*d.doc.contact() = known
		return buyer{}, provider.Try{}, false, nil
	}
	return buyer{who, policy.ContactUpdate{Buyer: who}.Hash()}, provider.Try{Known: stale, Uncertain: stale != ""}, true, nil
}

func ensureContacts(ctx context.Context, l Ledger, set []provider.Item[buyer]) []provider.Outcome[provider.Posted] {
	asked := make([]provider.Item[policy.Buyer], len(set))
	for i, item := range set {
		asked[i] = provider.Item[policy.Buyer]{Value: item.Value.Buyer, Try: item.Try}
	}
	return byID(l.EnsureContacts(ctx, asked))
}

// byID are outcomes of which only the id is known.
func byID(ids []provider.Outcome[string]) []provider.Outcome[provider.Posted] {
	outcomes := make([]provider.Outcome[provider.Posted], len(ids))
	for i, o := range ids {
		outcomes[i] = provider.Outcome[provider.Posted]{Value: provider.Posted{ID: o.Value}, Err: o.Err, Notes: o.Notes, Merged: o.Merged, Calls: o.Calls}
	}
	return outcomes
}

// newsAfter is how long a contact is left alone after it was written.
const newsAfter = 24 * time.Hour

// freshen brings contacts up to date that were made of older data than an invoice
// carries: the shop tells few of its customers' changes. At most once a day, in one
// call for all, and without effect on the invoices: what fails is tried with the next.
// It is not an intent, since writing it twice is harmless.
func freshen[D billed](at func(doc D) time.Time) step[D] {
	return func(ctx context.Context, b *batch[D], drafts []*draft[D]) {
		var set []provider.Item[policy.ContactUpdate]
		var of []*draft[D]
		asked := map[string]bool{}
		for _, d := range drafts {
			update := policy.ContactUpdate{ContactID: *d.doc.contact(), Buyer: d.doc.buyer(d.pol)}
			if update.Buyer.Shared || asked[update.Key()] {
				continue
			}
			if d.known == nil || d.known.Merged || !b.news(*d.known, update.Buyer, at(d.doc)) {
				continue
			}
			asked[update.Key()] = true
			set, of = append(set, provider.Item[policy.ContactUpdate]{Value: update}), append(of, d)
		}
		if len(set) == 0 {
			return
		}
		for i, o := range b.ledger.UpdateContacts(ctx, set) {
			err := o.Err
			of[i].calls = append(of[i].calls, o.Calls...)
			if err == nil {
				as := b.written(set[i].Value.Buyer)
				err = b.queries.EntityXrefWritten(ctx, b.Pool, dbsqlc.EntityXrefWrittenParams{
					RunID: of[i].SyncRun.ID, EntityType: "contact", ShopID: set[i].Value.Buyer.Key, BodyHash: &as,
				})
			}
			if err != nil {
				b.Logger.InfoContext(ctx, "contact not brought up to date", "run_id", of[i].SyncRun.ID, "error", err)
			}
		}
	}
}

// news reports whether data of that time is other than what a contact was written as,
// and newer.
func (p *pipeline) news(row dbsqlc.EntityXref, who policy.Buyer, at time.Time) bool {
	if text(row.BodyHash) == p.written(who) {
		return false
	}
	last := row.CreatedAt
	if row.WrittenAt != nil {
		last = *row.WrittenAt
	}
	return at.After(last) && p.Now().Sub(last) > newsAfter
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
	forget := dbsqlc.EntityXrefForgetParams{EntityType: "contact", ShopID: key, RunID: d.SyncRun.ID}
	if d.invoiced { // under whatever key it was remembered
		forget.ProviderID = *d.doc.contact()
	}
	n, err := b.queries.EntityXrefForget(ctx, b.Pool, forget)
	if err != nil {
		return fmt.Errorf("forget contact %q: %w", key, err)
	}
	if n == 0 {
		return nil
	}
	return syncrun.ErrBusy
}

package riverjobs

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// following is what comes after an invoice.
type following interface {
	// invoiceOf is the shop's id of the invoice; 0 where there is none.
	invoiceOf() int64
	// numberOf is its increment id.
	numberOf() string
	// invoice is where the invoice's document is kept.
	invoice() *provider.Posted
}

// inLane lets go on whose turn it is in its lane. The others wait without looking
// again: see park.
func inLane[D any](ctx context.Context, b *batch[D], drafts []*draft[D]) {
	each(drafts, func(d *draft[D]) error { return b.first(ctx, d.SyncRun.ID) })
}

// superseded ends what a later change has overtaken: what was read for it is older than
// what stands in the ledger. posted is that.
func superseded[D any](posted func(ctx context.Context, b *batch[D], d *draft[D]) (provider.Posted, error)) step[D] {
	return func(ctx context.Context, b *batch[D], drafts []*draft[D]) {
		each(drafts, func(d *draft[D]) error {
			later, err := b.queries.SyncRunSuperseded(ctx, b.Pool, d.SyncRun.ID)
			if err != nil || !later {
				return err
			}
			there, err := posted(ctx, b, d)
			if err != nil {
				return err
			}
			return b.finish(ctx, d, result{posted: there, why: "a later change was written already"})
		})
	}
}

// ofInvoice finds the invoice that each is about: the one that was written for this
// shop. What was left out there is left out here; one that was never seen here is asked
// for in the ledger.
func ofInvoice[D following](ctx context.Context, b *batch[D], drafts []*draft[D]) {
	var unseen []*draft[D]
	for _, d := range drafts {
		if d.doc.invoiceOf() == 0 {
			continue
		}
		row, err := b.queries.SyncRunInvoice(ctx, b.Pool, dbsqlc.SyncRunInvoiceParams{ID: d.SyncRun.ID, InvoiceID: d.doc.invoiceOf()})
		switch {
		case err != nil:
			d.err = fmt.Errorf("read invoice %d: %w", d.doc.invoiceOf(), err)
		case row.ProviderID != "":
			*d.doc.invoice() = provider.Posted{ID: row.ProviderID, Number: row.Number, URL: row.Url, Contact: row.ContactID}
		case row.Status == syncrun.Skipped, row.Status == syncrun.Cancelled:
			d.err = b.leaveOut(ctx, d, policy.InvoiceNotSynced(d.doc.numberOf(), row.Status))
		default:
			unseen = append(unseen, d)
		}
	}
	lookFor(ctx, b, unseen)
}

// lookFor looks the invoices up that were never seen here, since they are older than
// the binding or their event was lost: by number in the ledger, in one call, and taken
// for the shop's where number, total, currency and order agree with the shop's
// canonical form and nobody else of the organisation has a claim.
func lookFor[D following](ctx context.Context, b *batch[D], drafts []*draft[D]) {
	each(drafts, func(d *draft[D]) error {
		if d.sale == nil {
			return unknown(d, "it was not read from the shop")
		}
		return nil
	})
	left := alive(drafts)
	if len(left) == 0 {
		return
	}
	var numbers []string
	for _, d := range left {
		numbers = append(numbers, policy.Number(*d.sale, d.pol))
	}
	ctx, trace := provider.Traced(ctx)
	there, err := b.ledger.InvoicesByNumber(ctx, numbers)
	for i, d := range left {
		d.calls = append(d.calls, trace.CallsOf(i, len(left))...)
	}
	each(left, func(d *draft[D]) error {
		if err != nil {
			return err
		}
		return adopt(ctx, b, d, there[policy.Number(*d.sale, d.pol)])
	})
}

// adopt takes the invoice that stands in the ledger for the shop's, if it is.
func adopt[D following](ctx context.Context, b *batch[D], d *draft[D], there provider.Standing) error {
	switch {
	case there.ID == "":
		return unknown(d, "the ledger has none with its number "+strconv.Quote(policy.Number(*d.sale, d.pol)))
	case there.Currency != d.sale.Currency || there.Total.Valid && !there.Total.Decimal.Equal(d.sale.GrandTotal) ||
		!strings.Contains(there.Reference, d.sale.OrderIncrementID):
		return unknown(d, fmt.Sprintf("the ledger's %s is another document (%s %s, order %q)",
			there.Number, there.Total.Decimal.StringFixed(2), there.Currency, there.Reference))
	}
	posted := provider.Posted{ID: there.ID, Number: there.Number, URL: there.URL, Contact: there.ContactID, Adopted: true, Source: path.Base(there.Source)}
	xref := syncrun.Xref{
		EntityType: "invoice", ShopID: strconv.FormatInt(d.doc.invoiceOf(), 10), ProviderID: there.ID, Reference: &there.Number, URL: &there.URL,
	}
	err := pgx.BeginFunc(ctx, b.Pool, func(tx pgx.Tx) error {
		return syncrun.Adopt(ctx, tx, d.SyncRun.ID, xref, found(syncrun.WriteInvoice, posted))
	})
	if others := (*syncrun.OthersDocument)(nil); errors.As(err, &others) {
		return b.othersDocument(ctx, d.work, "invoice", posted, others)
	}
	*d.doc.invoice() = posted
	return err
}

// unknown holds what follows an invoice that nobody knows. Its end lets it go on.
func unknown[D following](d *draft[D], why string) error {
	return &syncrun.Ahead{Unknown: fmt.Sprintf("invoice %s has not come here, and %s: ask the shop for it "+
		"(towpath backfill --binding %s --event invoice.created --ids %d), or cancel this run", d.doc.numberOf(), why, d.Binding.ID, d.doc.invoiceOf())}
}

package riverjobs

import (
	"context"
	"encoding/json"
	"strconv"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// product is a product on its way to the ledger's price list.
type product struct{ canon.Product }

// upsertItem keeps the price list up to date.
func upsertItem() *plan[*product] {
	return &plan[*product]{
		event: "product.upserted", operation: syncrun.WriteItem, lastFirst: true,
		read: func(ctx context.Context, shop Shop, id int64) (json.RawMessage, *product, error) {
			raw, p, err := shop.Product(ctx, id)
			return raw, &product{p}, err
		},
		decode: func(raw []byte) (*product, error) {
			p, err := canon.DecodeProduct(raw)
			return &product{p}, err
		},
		decide: func(_ context.Context, _ *pipeline, run work, p *product, pol policy.Policy) (policy.Decision, error) {
			return policy.DecideProduct(p.Product, pol, run.Binding.Wire), nil
		},
		steps: []step[*product]{
			inLane[*product],
			superseded(func(ctx context.Context, b *batch[*product], d *draft[*product]) (provider.Posted, error) {
				known, err := b.known(ctx, d.work, "item")
				if known == nil {
					known = &provider.Posted{}
				}
				return *known, err
			}),
			referenced[*product],
			ensure(write[*product, provider.CatalogItem]{
				operation: syncrun.WriteItem,
				value: func(ctx context.Context, b *batch[*product], d *draft[*product]) (provider.CatalogItem, provider.Try, bool, error) {
					item, err := b.ledger.Item(d.doc.Product, d.pol, d.ref)
					if err != nil {
						return item, provider.Try{}, false, err
					}
					row, err := b.lookUp(ctx, d.work, "item", strconv.FormatInt(d.SyncRun.MagentoEntityID, 10))
					if err == nil && row != nil && !row.Stale && text(row.BodyHash) == item.Hash() {
						return item, provider.Try{}, false, b.finish(ctx, d, result{posted: provider.Posted{ID: row.ProviderID, Number: item.Code}, document: item,
							why: "the item is as the shop has it"})
					}
					return item, provider.Try{}, true, err
				},
				call: func(ctx context.Context, l Ledger, set []provider.Item[provider.CatalogItem]) []provider.Outcome[provider.Posted] {
					return l.EnsureItems(ctx, set)
				},
				record: itemWritten,
			}),
		},
	}
}

// itemWritten remembers what an item was written as, and ends its run.
func itemWritten(ctx context.Context, b *batch[*product], o *one[*product, provider.CatalogItem]) error {
	posted, as := o.outcome.Value, o.value.Hash()
	posted.Number = o.value.Code
	xref := xrefOf(o.work, "item", posted)
	xref.BodyHash = &as
	if err := b.record(ctx, o.taken, syncrun.Made{Xref: &xref, Rewritten: true, Notes: o.value.Notes}); err != nil {
		return err
	}
	return b.finish(ctx, o.draft, result{posted: posted, document: o.value, why: "item " + o.value.Code + " is as the shop has it"})
}

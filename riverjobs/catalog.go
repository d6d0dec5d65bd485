package riverjobs

import (
	"context"
	"fmt"

	"towpath/pkg/canon"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
)

// catalog finds which of the documents' lines are on the ledger's price list, as far as
// product events have put them there: in one query for all, and in none where the
// settings do not sync products. skus are those of a document. An item counts if it was
// known when the run's event came: so each attempt says the same, and the answer to a
// first one that was lost is still that to the next.
func catalog[D any](skus func(doc D) []string) step[D] {
	return func(ctx context.Context, b *batch[D], drafts []*draft[D]) {
		codes := make([][]string, len(drafts))
		var all []string
		for i, d := range drafts {
			if !d.pol.SyncProducts {
				continue
			}
			for _, sku := range skus(d.doc) {
				if item, _ := b.ledger.Item(canon.Product{SKU: sku}, d.pol, d.ref); item.Code != "" { // what else it lacks is no matter
					codes[i] = append(codes[i], item.Code)
				}
			}
			all = append(all, codes[i]...)
		}
		if len(all) == 0 {
			return
		}
		known, err := b.queries.EntityXrefItems(ctx, b.Pool, dbsqlc.EntityXrefItemsParams{
			TenantID: drafts[0].Tenant.ID, Provider: drafts[0].Binding.Provider, OrgKey: drafts[0].Binding.OrgKey, Codes: all,
		})
		for i, d := range drafts {
			if len(codes[i]) == 0 {
				continue
			}
			d.ref.ItemCodes = map[string]bool{}
			for _, item := range known {
				d.ref.ItemCodes[item.Code] = !item.CreatedAt.After(d.SyncRun.ReceivedAt)
			}
			if err != nil {
				d.err = fmt.Errorf("look up items: %w", err)
			}
		}
	}
}

func skusOf(lines []canon.Line) []string {
	var skus []string
	for _, l := range lines {
		skus = append(skus, l.SKU)
	}
	return skus
}

// gone notes that the ledger does not know items any more: the next product event
// writes them anew, and until then lines do without. If this is lost, the next document
// finds the same.
func (p *pipeline) gone(ctx context.Context, run work, posted provider.Posted) error {
	if len(posted.GoneItems) == 0 {
		return nil
	}
	err := p.queries.EntityXrefItemsGone(ctx, p.Pool, dbsqlc.EntityXrefItemsGoneParams{RunID: run.SyncRun.ID, Codes: posted.GoneItems})
	if err != nil {
		return fmt.Errorf("note items that are gone: %w", err)
	}
	return nil
}

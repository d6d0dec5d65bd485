package riverjobs

import (
	"context"
	"strconv"

	"github.com/shopspring/decimal"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// known answers the document that an earlier run made of what a run is about.
func (p *pipeline) known(ctx context.Context, run work, entityType string) (*provider.Posted, error) {
	row, err := p.lookUp(ctx, run, entityType, strconv.FormatInt(run.SyncRun.MagentoEntityID, 10))
	if err != nil || row == nil {
		return nil, err
	}
	posted := provider.Posted{ID: row.ProviderID, Adopted: true, Proven: true}
	if row.ProviderReference != nil {
		posted.Number = *row.ProviderReference
	}
	if row.ProviderUrl != nil {
		posted.URL = *row.ProviderUrl
	}
	return &posted, nil
}

// xrefOf is what is remembered of a run's document.
func xrefOf(run work, entityType string, posted provider.Posted) syncrun.Xref {
	return syncrun.Xref{
		EntityType: entityType, ShopID: strconv.FormatInt(run.SyncRun.MagentoEntityID, 10),
		ProviderID: posted.ID, Reference: &posted.Number, URL: &posted.URL,
	}
}

// contactKnown is the id of the contact that row remembers. Where it is stale the
// contact has to be made sure of anew, by that id too.
func contactKnown(row *dbsqlc.EntityXref) (id, stale string) {
	switch {
	case row == nil:
		return "", ""
	case row.Stale:
		return "", row.ProviderID
	}
	return row.ProviderID, ""
}

// othersDocument holds a run whose number another invoice's document has, and
// names that one.
func (p *pipeline) othersDocument(ctx context.Context, run work, entityType string, posted provider.Posted, cause *syncrun.OthersDocument) error {
	if cause.Shop == "" { // the unique index said so, and does not tell whose it is
		owner, err := syncrun.Owner(ctx, p.Pool, run.SyncRun.ID, entityType, posted.ID)
		if err != nil {
			return err
		}
		if owner != nil {
			cause = owner
		}
	}
	f := provider.Hold(provider.HeldNumberTaken, "document "+posted.Number+" in the ledger is another "+ownerOf(entityType))
	switch {
	case cause.Shop == run.Tenant.Name:
		f.Message += " of this shop (" + cause.What + "): give each store a prefix of its own (invoice_number_prefix_by_store)"
	case cause.Shop != "":
		f.Message += ", of the shop " + strconv.Quote(cause.Shop) + " (" + cause.What +
			"), which writes to the same organisation: give this shop a prefix of its own (invoice_number_prefix)"
	default:
		f.Message += ": give this shop a prefix of its own (invoice_number_prefix)"
	}
	f.Wrote, f.Err = provider.WroteNo, cause
	if cause.Unsure { // both may have written it: nothing may say that it is not this run's
		f.Wrote = provider.WroteYes
	}
	return f
}

// ownerOf is whose a document of that type is.
func ownerOf(entityType string) string {
	if entityType == "creditmemo" {
		return "credit memo's"
	}
	return "invoice's"
}

// difference is one total that the ledger sees otherwise than we do.
type difference struct {
	Ours   decimal.Decimal `json:"ours"`
	Theirs decimal.Decimal `json:"theirs"`
}

// variance compares the ledger's totals with those predicted; nil where they
// agree or the answer had none.
func variance(doc provider.Document, posted provider.Posted) map[string]difference {
	var found map[string]difference
	compare := func(name string, ours decimal.Decimal, theirs decimal.NullDecimal) {
		if doc.Body == nil || !theirs.Valid || ours.Equal(theirs.Decimal) {
			return
		}
		if found == nil {
			found = map[string]difference{}
		}
		found[name] = difference{Ours: ours, Theirs: theirs.Decimal}
	}
	compare("sub_total", doc.SubTotal, posted.SubTotal)
	compare("total_tax", doc.TotalTax, posted.TotalTax)
	compare("total", doc.Total, posted.Total)
	return found
}

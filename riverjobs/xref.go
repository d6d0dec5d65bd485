package riverjobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// xref is the key under which a run's entity is remembered: by organisation, so
// that another organisation never inherits it.
func (p *pipeline) xref(run work, entityType, shopID string) syncrun.Xref {
	return syncrun.Xref{
		TenantID: run.Tenant.ID, Provider: run.Binding.Provider, OrgID: run.Binding.OrgID,
		EntityType: entityType, ShopID: shopID,
	}
}

// lookUp answers what is remembered of x, or nil.
func (p *pipeline) lookUp(ctx context.Context, x syncrun.Xref) (*dbsqlc.EntityXref, error) {
	row, err := p.queries.EntityXrefGet(ctx, p.Pool, dbsqlc.EntityXrefGetParams{
		TenantID: x.TenantID, Provider: x.Provider, OrgID: x.OrgID, EntityType: x.EntityType, ShopID: x.ShopID,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up %s %q: %w", x.EntityType, x.ShopID, err)
	}
	return &row, nil
}

// knownInvoice answers the document that an earlier run made of this invoice.
func (p *pipeline) knownInvoice(ctx context.Context, run work) (*provider.Posted, error) {
	row, err := p.lookUp(ctx, p.xref(run, "invoice", strconv.FormatInt(run.SyncRun.MagentoEntityID, 10)))
	if err != nil || row == nil {
		return nil, err
	}
	posted := provider.Posted{ID: row.ProviderID, Adopted: true}
	if row.ProviderReference != nil {
		posted.Number = *row.ProviderReference
	}
	if row.ProviderUrl != nil {
		posted.URL = *row.ProviderUrl
	}
	return &posted, nil
}

func providerID(row *dbsqlc.EntityXref) string {
	if row == nil {
		return ""
	}
	return row.ProviderID
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

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

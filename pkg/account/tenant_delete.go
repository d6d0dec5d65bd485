package account

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb"
)

// InUseError: a tenant has runs, and what was synced stays known.
type InUseError struct{ Runs int64 }

func (e *InUseError) Error() string {
	return fmt.Sprintf("it has runs (%d), whose history is kept", e.Runs)
}

// Twins are the tenants that a new one might be taken for: those of its name and address,
// and those that are similar in one of them only. One of its id is not among them.
func Twins(ctx context.Context, db dbsqlc.DBTX, id uuid.UUID, name, magentoURL string) (both, similar []dbsqlc.Tenant, err error) {
	tenants, err := dbsqlc.New().TenantList(ctx, db)
	if err != nil {
		return nil, nil, fmt.Errorf("list tenants: %w", err)
	}
	for _, t := range tenants {
		named := strings.EqualFold(strings.TrimSpace(t.Name), strings.TrimSpace(name))
		placed := sameAddress(t.MagentoUrl, magentoURL)
		switch {
		case t.ID == id:
		case named && placed:
			both = append(both, t)
		case named || placed:
			similar = append(similar, t)
		}
	}
	return both, similar, nil
}

// CheckUnused refuses a tenant that has runs. An *InUseError.
func CheckUnused(ctx context.Context, db dbsqlc.DBTX, id uuid.UUID) error {
	runs, err := dbsqlc.New().TenantRuns(ctx, db, id)
	if err != nil {
		return fmt.Errorf("count runs: %w", err)
	}
	if runs > 0 {
		return &InUseError{Runs: runs}
	}
	return nil
}

// DeleteTenant removes a tenant, its bindings, their settings and tokens, where no event
// of it was ever accepted. An event that comes meanwhile waits for this, and is refused
// as one of an unknown shop. ErrNoTenant, an *InUseError.
func DeleteTenant(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID) error {
	queries := dbsqlc.New()
	return pgdb.InTx(ctx, pool, func(tx pgx.Tx) error {
		tenant, err := queries.TenantLock(ctx, tx, id)
		switch {
		case isNoRow(err):
			return ErrNoTenant
		case err != nil:
			return fmt.Errorf("lock tenant: %w", err)
		}
		if err := CheckUnused(ctx, tx, id); err != nil {
			return err
		}
		if err := queries.TenantDelete(ctx, tx, id); err != nil {
			return fmt.Errorf("delete tenant: %w", err)
		}
		return audit.Write(ctx, tx, audit.Who(ctx), audit.Entry{Action: audit.TenantDeleted, Tenant: id, Before: map[string]any{"name": tenant.Name, "magento_url": tenant.MagentoUrl}})
	})
}

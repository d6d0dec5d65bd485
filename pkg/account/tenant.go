package account

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb"
	"towpath/pkg/secret"
	"towpath/riverjobs"
)

// Tenant is a shop to be stored. Connected says that the shop has its key
// already; else it waits to be paired.
type Tenant struct {
	ID         uuid.UUID
	Name       string
	MagentoURL string
	APIKey     secret.String
	Connected  bool
}

// CreateTenant stores a tenant with its key. ErrTenantExists.
func CreateTenant(ctx context.Context, pool *pgxpool.Pool, box *secret.Box, t Tenant) (tenant dbsqlc.Tenant, err error) {
	err = pgdb.InTx(ctx, pool, func(tx pgx.Tx) error {
		if tenant, err = storeTenant(ctx, tx, box, t); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Who(ctx), audit.Entry{Action: audit.TenantCreated, Tenant: t.ID, After: map[string]any{"name": t.Name, "magento_url": t.MagentoURL}})
	})
	return tenant, err
}

func storeTenant(ctx context.Context, db dbsqlc.DBTX, box *secret.Box, t Tenant) (dbsqlc.Tenant, error) {
	status := statusPending
	if t.Connected {
		status = statusActive
	}
	queries := dbsqlc.New()
	err := queries.TenantInsert(ctx, db, dbsqlc.TenantInsertParams{
		ID: t.ID, Name: t.Name, MagentoUrl: t.MagentoURL, ConnectionStatus: status, ApiKeySealed: sealKey(box, t.ID, t.APIKey.Reveal()),
	})
	if isDuplicate(err) {
		return dbsqlc.Tenant{}, ErrTenantExists
	}
	if err != nil {
		return dbsqlc.Tenant{}, fmt.Errorf("store tenant: %w", err)
	}
	tenant, err := queries.TenantGet(ctx, db, t.ID)
	if err != nil {
		return tenant, fmt.Errorf("read tenant: %w", err)
	}
	return tenant, nil
}

// The states of a tenant's connection; see schema.sql.
const (
	statusActive  = "active"
	statusPending = "pending"
)

// sealKey seals a key of a tenant. All keys of a tenant are sealed for one
// place, so that a statement can move them from column to column.
func sealKey(box *secret.Box, id uuid.UUID, key string) []byte {
	return box.Seal([]byte(key), secret.Place(secret.TenantAPIKey, id.String()))
}

// ChangeTenant sets the name and the address that are given, and releases the
// shop's held runs. ErrNoTenant.
func ChangeTenant(ctx context.Context, op *riverjobs.Operator, id uuid.UUID, name, magentoURL *string) (tenant dbsqlc.Tenant, released int, err error) {
	err = pgdb.InTx(ctx, op.Pool, func(tx pgx.Tx) error {
		before, err := dbsqlc.New().TenantLock(ctx, tx, id)
		if isNoRow(err) {
			return ErrNoTenant
		}
		if err != nil {
			return fmt.Errorf("lock tenant: %w", err)
		}
		tenant, err = dbsqlc.New().TenantChange(ctx, tx, dbsqlc.TenantChangeParams{ID: id, Name: name, MagentoUrl: magentoURL})
		if err != nil {
			return fmt.Errorf("change tenant: %w", err)
		}
		if released, err = releaseTenant(ctx, tx, op, id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, op.Who, audit.Entry{Action: audit.TenantChanged, Tenant: id,
			Before: map[string]any{"name": before.Name, "magento_url": before.MagentoUrl}, After: map[string]any{"name": tenant.Name, "magento_url": tenant.MagentoUrl}})
	})
	return tenant, released, err
}

// keyGrace is how long tokens of the key before are good at most: one run of the
// shop's cron, which signs with the key it began with, can send 50 events and wait
// 15 s for each. Later ones are told to come again (see pkg/ingress).
const keyGrace = 15 * time.Minute

// ReplaceKey stores another key for a shop and releases its held runs. ErrNoTenant.
func ReplaceKey(ctx context.Context, op *riverjobs.Operator, box *secret.Box, id uuid.UUID, key string) (released int, err error) {
	err = pgdb.InTx(ctx, op.Pool, func(tx pgx.Tx) error {
		queries := dbsqlc.New()
		tenant, err := queries.TenantLock(ctx, tx, id)
		if isNoRow(err) {
			return ErrNoTenant
		}
		if err != nil {
			return fmt.Errorf("lock tenant: %w", err)
		}
		_, lost := openKey(box, id, tenant.ApiKeySealed) // with the key that sealed it
		_, err = queries.TenantSetKey(ctx, tx, dbsqlc.TenantSetKeyParams{
			ID: id, ApiKeySealed: sealKey(box, id, key), GraceSeconds: keyGrace.Seconds(), KeepPrevious: lost == nil,
		})
		if err != nil {
			return fmt.Errorf("store key: %w", err)
		}
		if released, err = releaseTenant(ctx, tx, op, id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, op.Who, audit.Entry{Action: audit.KeyReplaced, Tenant: id})
	})
	return released, err
}

// releaseTenant releases the held runs of all live bindings of a shop.
func releaseTenant(ctx context.Context, tx pgx.Tx, op *riverjobs.Operator, id uuid.UUID) (int, error) {
	bindings, err := dbsqlc.New().BindingLiveByTenant(ctx, tx, id)
	if err != nil {
		return 0, fmt.Errorf("find bindings: %w", err)
	}
	total := 0
	for _, b := range bindings {
		released, err := op.ReleaseHeld(ctx, tx, b.ID, b.PolicyVersion)
		if err != nil {
			return total, err
		}
		total += released
	}
	return total, nil
}

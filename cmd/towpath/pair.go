package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento"
	"towpath/pkg/provider"
	"towpath/pkg/secret"
	"towpath/pkg/shopjwt"
)

// pairing is what a pairing needs.
type pairing struct{ Name, MagentoURL, Code, BaseURL string }

// pair makes a tenant with a key of its own and hands the key to the shop.
//
// The tenant is stored first, so the key is at hand whatever happens: the shop
// may send its first event the moment it has the key, and if the answer is lost
// or the process dies after the call, a ping tells whether the shop took it. A
// tenant that stays pending had a code that was refused.
func pair(ctx context.Context, pool *pgxpool.Pool, conns connections, p pairing) (dbsqlc.Tenant, error) {
	key := shopjwt.NewAPIKey()
	tenant, err := conns.newTenant(ctx, pool, p, key)
	if err != nil {
		return tenant, fmt.Errorf("store tenant: %w", err)
	}
	shop, err := magento.New(magento.Config{BaseURL: tenant.MagentoUrl, TenantID: tenant.ID.String(), APIKey: key, HTTP: conns.shops, Now: conns.now})
	if err != nil {
		return tenant, err
	}
	err = shop.Pair(ctx, magento.PairRequest{Code: p.Code, LedgerBaseURL: p.BaseURL, Provider: "xero"})
	if err != nil && provider.AsFailure(err).Kind == provider.Unknown {
		_, err = shop.Ping(ctx)
	}
	if err != nil {
		return tenant, fmt.Errorf("pair with %s: %w", tenant.MagentoUrl, err)
	}
	_, err = dbsqlc.New().TenantSetConnection(ctx, pool, dbsqlc.TenantSetConnectionParams{ID: tenant.ID, ConnectionStatus: "active"})
	if err != nil {
		return tenant, fmt.Errorf("note pairing: %w", err)
	}
	tenant.ConnectionStatus = "active"
	return tenant, nil
}

// newTenant stores a tenant that is not connected yet.
func (c connections) newTenant(ctx context.Context, pool *pgxpool.Pool, p pairing, key string) (dbsqlc.Tenant, error) {
	id := uuid.New()
	queries := dbsqlc.New()
	err := queries.TenantInsert(ctx, pool, dbsqlc.TenantInsertParams{
		ID: id, Name: p.Name, MagentoUrl: p.MagentoURL, ConnectionStatus: "pending",
		ApiKeySealed: c.box.Seal([]byte(key), secret.Place(secret.TenantAPIKey, id.String())),
	})
	if err != nil {
		return dbsqlc.Tenant{}, err
	}
	return queries.TenantGet(ctx, pool, id)
}

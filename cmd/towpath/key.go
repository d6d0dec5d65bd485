package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/secret"
)

// checkKey refuses a key that does not open what is stored: with it every webhook
// and every job would fail, and what it seals the others could not open.
func checkKey(ctx context.Context, pool *pgxpool.Pool, box *secret.Box) error {
	tenants, err := dbsqlc.New().TenantList(ctx, pool)
	if err != nil {
		return fmt.Errorf("read tenants: %w", err)
	}
	for _, tenant := range tenants {
		if _, err := box.Open(tenant.ApiKeySealed, secret.Place(secret.TenantAPIKey, tenant.ID.String())); err != nil {
			return fmt.Errorf("open the key of tenant %s: %w; give the TOWPATH_SECRET_KEY that it was sealed with (both keys while they are rotated); "+
				"if that is lost, the shop needs a new key: towpath tenant rotate-key, then towpath tenant pair", tenant.ID, err)
		}
	}
	return nil
}

package ingress

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
)

// tileBody is what the tile in the shop's admin shows.
type tileBody struct {
	Tenant  tileTenant  `json:"tenant"`
	Binding tileBinding `json:"binding"`
	Sync    tileSync    `json:"sync"`
}

type tileTenant struct {
	ConnectionStatus string `json:"magento_connection_status"` // active, pending or token_revoked
}

type tileBinding struct {
	Status string `json:"status"` // active, needs_consent, revoked; none where there never was one
	Region string `json:"region"`
}

type tileSync struct {
	PendingCount int64   `json:"pending_count"` // runs queued, running or held
	Failed24h    int64   `json:"failed_24h"`
	LastRunAt    *string `json:"last_run_at"` // when the last event came in
}

// tileHealth answers GET /v1/tile/health for all of the tenant's bindings, or
// for ?provider=.
func (in *Ingress) tileHealth(x *exchange) (reply, error) {
	var body tileBody
	err := in.shopCall(x, func(ctx context.Context, conn *pgxpool.Conn, shop caller, query url.Values) error {
		asked, err := askedProvider(query)
		if err != nil {
			return err
		}
		body, err = in.readTile(ctx, conn, shop, asked)
		return err
	})
	return reply{status: http.StatusOK, body: body}, err
}

func (in *Ingress) readTile(ctx context.Context, conn *pgxpool.Conn, shop caller, asked *string) (tileBody, error) {
	status, err := in.queries.IngressTileBinding(ctx, conn, dbsqlc.IngressTileBindingParams{TenantID: shop.tenant, Provider: asked})
	if errors.Is(err, pgx.ErrNoRows) {
		status, err = "none", nil
	}
	if err != nil {
		return tileBody{}, err
	}
	counts, err := in.queries.IngressTileCounts(ctx, conn, dbsqlc.IngressTileCountsParams{
		TenantID: shop.tenant, Provider: asked, Since: in.cfg.Now().Add(-24 * time.Hour),
	})
	if err != nil {
		return tileBody{}, err
	}
	body := tileBody{
		Tenant:  tileTenant{ConnectionStatus: shop.connection},
		Binding: tileBinding{Status: status},
		Sync:    tileSync{PendingCount: counts.Pending, Failed24h: counts.Failed},
	}
	last, err := in.queries.IngressLastRunAt(ctx, conn, dbsqlc.IngressLastRunAtParams{TenantID: shop.tenant, Provider: asked})
	if errors.Is(err, pgx.ErrNoRows) {
		return body, nil
	}
	body.Sync.LastRunAt = shopTime(&last)
	return body, err
}

package ingress

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/syncrun"
)

// The calls under /v1: the tenant is the token's own sub. Each spends its token
// as a webhook does; the same request sent again with the same token is a
// repeat and is answered anew.

// shopCall verifies and spends the token of a call, reads its query and lends
// do a connection for what is to be done.
func (in *Ingress) shopCall(x *exchange, do func(ctx context.Context, conn *pgxpool.Conn, shop caller, query url.Values) error) error {
	shop, err := in.authenticateSubject(x)
	if err != nil {
		return err
	}
	query, err := readQuery(x.r.URL.RawQuery)
	if err != nil {
		return err
	}
	return in.withConn(x.context(), in.cfg.ReadTimeout, func(ctx context.Context, conn *pgxpool.Conn) error {
		requestKey := x.r.Method + " " + x.r.URL.Path + "?" + query.Encode()
		err := syncrun.SpendToken(ctx, conn, shop.tenant, shop.claims.JTI, requestKey, shop.claims.SpentUntil())
		if errors.Is(err, syncrun.ErrTokenSpent) {
			return tokenRefused(err)
		}
		if err != nil {
			return err
		}
		return do(ctx, conn, shop, query)
	})
}

// askedProvider is provider as the queries take it: nil for any.
func askedProvider(query url.Values) (*string, error) {
	name, err := provider(query)
	if err != nil || name == "" {
		return nil, err
	}
	return &name, nil
}

// shopTime is a time as the shop's modules read it.
func shopTime(t *time.Time) *string {
	if t == nil {
		return nil
	}
	text := t.UTC().Format(time.RFC3339)
	return &text
}

package ingress

import (
	"bytes"
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/shopjwt"
)

// connectionPending is the state of a tenant whose shop has not shown its key.
const connectionPending = "pending"

// verifyAny tries the shop's key, then the one that a pairing has offered and the
// one before the last pairing: while a pairing's end is not known the shop may
// have either, and an event that was signed just before must not be dead-lettered.
// signedBy is the sealed key that the token is of. row is the zero row for a
// tenant that does not exist.
func (in *Ingress) verifyAny(x *exchange, row dbsqlc.IngressCallerRow, tenant uuid.UUID, token shopjwt.Token) (claims shopjwt.Claims, signedBy []byte, err error) {
	verifier, err := in.keys.verifier(tenant, row.ApiKeySealed)
	if err != nil {
		return claims, nil, err // the key is lost or not configured: ours to mend
	}
	claims, err = in.verify(x, verifier, tenant, token)
	if !errors.Is(err, shopjwt.ErrInvalid) {
		return claims, row.ApiKeySealed, err
	}
	for _, sealed := range [][]byte{row.OfferedKeySealed, row.PreviousKeySealed} {
		if sealed == nil {
			continue
		}
		verifier, failed := in.keys.derive(tenant, tenant, sealed)
		if failed != nil {
			return claims, nil, failed
		}
		if claims, err = in.verify(x, verifier, tenant, token); !errors.Is(err, shopjwt.ErrInvalid) {
			return claims, sealed, err
		}
	}
	return claims, nil, err
}

// keySeen notes what a good token tells of its key. Each change happens once: if
// the process stops before it, the next token makes it. A token of the previous
// key proves nothing any more once the newer one was seen; it gets a 503, since
// the shop signs its next attempt with the newer one.
func (in *Ingress) keySeen(ctx context.Context, row dbsqlc.IngressCallerRow, signedBy []byte) error {
	note := func(write func(context.Context, *pgxpool.Conn) error) error {
		return in.withConn(ctx, in.cfg.ReadTimeout, write)
	}
	switch {
	case bytes.Equal(signedBy, row.ApiKeySealed):
		if !row.PreviousKeyGood && row.ConnectionStatus != connectionPending {
			return nil
		}
		return note(func(ctx context.Context, conn *pgxpool.Conn) error {
			return in.queries.IngressKeySeen(ctx, conn, dbsqlc.IngressKeySeenParams{TenantID: row.TenantID, ApiKeySealed: signedBy})
		})
	case bytes.Equal(signedBy, row.OfferedKeySealed):
		return note(func(ctx context.Context, conn *pgxpool.Conn) error {
			return in.queries.IngressTakeOffered(ctx, conn, dbsqlc.IngressTakeOfferedParams{TenantID: row.TenantID, OfferedKeySealed: signedBy})
		})
	case row.PreviousKeyGood:
		return nil
	}
	return refuse(codeKeyReplaced, "the shop was paired again since this was signed; it will be sent again with the new key")
}

package ingress

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
)

// disconnectBody names what the request revoked.
type disconnectBody struct {
	Status  string           `json:"status"`
	Revoked []revokedBinding `json:"revoked"`
}

type revokedBinding struct {
	BindingID uuid.UUID `json:"binding_id"`
	Provider  string    `json:"provider"`
}

// disconnect revokes the binding with ?provider=, or every binding: a shop that
// names none has one connection for all. The provider's tokens are deleted;
// what was synced stays known.
//
// The same request with the same token is a repeat: it is answered as the first
// time and revokes nothing, so that no binding made since goes with it.
func (in *Ingress) disconnect(x *exchange) (reply, error) {
	if err := checkLength(x); err != nil {
		return reply{}, err
	}
	var body disconnectBody
	err := in.shopCall(x, func(ctx context.Context, conn *pgxpool.Conn, shop caller, query url.Values) error {
		asked, err := askedProvider(query)
		if err != nil {
			return err
		}
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) (err error) {
			body, err = in.disconnectOnce(ctx, tx, shop, asked)
			return err
		})
	})
	return reply{status: http.StatusOK, body: body}, err
}

// disconnectOnce revokes and keeps the answer, in one transaction. The token is
// spent before it. If the process stops in between, nothing was revoked, and the
// same request revokes when it comes again; if it stops after the commit, that
// request is answered from here.
func (in *Ingress) disconnectOnce(ctx context.Context, tx pgx.Tx, shop caller, asked *string) (body disconnectBody, err error) {
	given, err := in.queries.IngressAnswered(ctx, tx, dbsqlc.IngressAnsweredParams{TenantID: shop.tenant, Jti: shop.claims.JTI})
	if err != nil {
		return body, err
	}
	if given != nil {
		err = json.Unmarshal(given, &body)
		return body, err
	}
	revoked, err := in.queries.IngressRevoke(ctx, tx, dbsqlc.IngressRevokeParams{TenantID: shop.tenant, Provider: asked})
	if err != nil {
		return body, err
	}
	body = disconnectBody{Status: "revoked", Revoked: []revokedBinding{}}
	for _, b := range revoked {
		body.Revoked = append(body.Revoked, revokedBinding{BindingID: b.ID, Provider: b.Provider})
	}
	answer, err := json.Marshal(body)
	if err != nil {
		return body, fmt.Errorf("encode answer: %w", err)
	}
	return body, in.queries.IngressKeepAnswer(ctx, tx, dbsqlc.IngressKeepAnswerParams{
		TenantID: shop.tenant, Jti: shop.claims.JTI, Answer: answer,
	})
}

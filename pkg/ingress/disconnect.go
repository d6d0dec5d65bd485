package ingress

import (
	"context"
	"net/http"
	"net/url"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
)

// disconnectBody names what this very request revoked; a repeat revokes
// nothing more.
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
// what was synced stays known. The token is spent first: if the process stops
// in between, the same request revokes when it comes again.
func (in *Ingress) disconnect(x *exchange) (reply, error) {
	if err := checkLength(x.r); err != nil {
		return reply{}, err
	}
	body := disconnectBody{Status: "revoked", Revoked: []revokedBinding{}}
	err := in.shopCall(x, func(ctx context.Context, conn *pgxpool.Conn, shop caller, query url.Values) error {
		asked, err := askedProvider(query)
		if err != nil {
			return err
		}
		revoked, err := in.queries.IngressRevoke(ctx, conn, dbsqlc.IngressRevokeParams{TenantID: shop.tenant, Provider: asked})
		for _, b := range revoked {
			body.Revoked = append(body.Revoked, revokedBinding{BindingID: b.ID, Provider: b.Provider})
		}
		return err
	})
	return reply{status: http.StatusOK, body: body}, err
}

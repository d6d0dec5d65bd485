package account

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/oauth"
	"towpath/pkg/secret"
)

// AppKind is how the app of a binding gets its tokens: oauth.ClientCredentials or
// oauth.AuthorizationCode. ErrBindingRevoked, ErrNoApp.
func AppKind(ctx context.Context, pool *pgxpool.Pool, binding dbsqlc.Binding) (string, error) {
	if binding.Status == "revoked" {
		return "", ErrBindingRevoked
	}
	row, err := dbsqlc.New().OAuthGrantGet(ctx, pool, binding.ID)
	if isNoRow(err) {
		return "", ErrNoApp
	}
	if err != nil {
		return "", fmt.Errorf("read grant of binding %s: %w", binding.ID, err)
	}
	return row.OauthGrant.Kind, nil
}

// ChangeApp sets what is given before a binding is connected: the organisation that
// it is to be connected to, and another secret of its app. ErrOtherOrganisation.
func ChangeApp(ctx context.Context, pool *pgxpool.Pool, box *secret.Box, binding dbsqlc.Binding, orgID string, value secret.String) error {
	queries := dbsqlc.New()
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if orgID != "" && orgID != binding.OrgID {
			n, err := queries.OAuthBindingPin(ctx, tx, dbsqlc.OAuthBindingPinParams{ID: binding.ID, OrgID: orgID})
			if err != nil {
				return fmt.Errorf("store organisation: %w", err)
			}
			if n == 0 {
				return ErrOtherOrganisation
			}
		}
		if value.IsEmpty() {
			return nil
		}
		_, err := queries.OAuthGrantSetSecret(ctx, tx, dbsqlc.OAuthGrantSetSecretParams{
			BindingID: binding.ID, ClientSecretSealed: oauth.SealClientSecret(box, binding.ID, value.Reveal())})
		if err != nil {
			return fmt.Errorf("store client secret: %w", err)
		}
		return nil
	})
}

package account

import (
	"cmp"
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/oauth"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb"
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
	return pgdb.InTx(ctx, pool, func(tx pgx.Tx) error {
		if orgID != "" && orgID != binding.OrgID {
			n, err := queries.OAuthBindingPin(ctx, tx, dbsqlc.OAuthBindingPinParams{ID: binding.ID, OrgID: orgID})
			if err != nil {
				return fmt.Errorf("store organisation: %w", err)
			}
			if n == 0 {
				return ErrOtherOrganisation
			}
			err = audit.Write(ctx, tx, audit.Who(ctx), audit.Entry{Action: audit.BindingChanged, Tenant: binding.TenantID, Binding: binding.ID,
				Before: map[string]any{"org_id": binding.OrgID}, After: map[string]any{"org_id": orgID}})
			if err != nil {
				return err
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
		return audit.Write(ctx, tx, audit.Who(ctx), audit.Entry{Action: audit.AppReplaced, Tenant: binding.TenantID, Binding: binding.ID,
			After: map[string]any{"client_secret": "another"}})
	})
}

// ReplaceApp gives a binding another app, or its first one in place of a fixed
// token; what is not given stays, the secret only with its client id. Organisation
// and what was synced stay. What the app before got is forgotten; a fixed token
// serves until the app is connected, which is of the kind that is answered. A
// *FieldError, ErrBindingRevoked.
func ReplaceApp(ctx context.Context, pool *pgxpool.Pool, box *secret.Box, id uuid.UUID, given App, private outbound.Private) (kind string, err error) {
	queries := dbsqlc.New()
	err = pgdb.InTx(ctx, pool, func(tx pgx.Tx) error {
		if _, err := queries.BindingLock(ctx, tx, id); err != nil {
			return fmt.Errorf("lock binding: %w", err)
		}
		binding, err := queries.BindingGet(ctx, tx, id)
		if err != nil {
			return fmt.Errorf("read binding: %w", err)
		}
		if binding.Status == "revoked" {
			return ErrBindingRevoked
		}
		app := given
		row, err := queries.OAuthGrantGet(ctx, tx, id)
		switch {
		case err == nil:
			app, err = app.over(box, row.OauthGrant)
		case isNoRow(err):
			err = nil
		}
		if err != nil {
			return fmt.Errorf("read app: %w", err)
		}
		grant, err := app.grant(box, dbsqlc.BindingInsertParams{ID: id, Provider: binding.Provider}, private)
		if err != nil {
			return err
		}
		kind = grant.Kind
		if err := queries.OAuthGrantSet(ctx, tx, dbsqlc.OAuthGrantSetParams(grant)); err != nil {
			return fmt.Errorf("store app: %w", err)
		}
		if binding.TokenSealed == nil {
			if _, err = queries.BindingSetStatus(ctx, tx, dbsqlc.BindingSetStatusParams{ID: id, Status: "needs_consent"}); err != nil {
				return fmt.Errorf("set status: %w", err)
			}
		}
		return audit.Write(ctx, tx, audit.Who(ctx), audit.Entry{Action: audit.AppReplaced, Tenant: binding.TenantID, Binding: id,
			Before: map[string]any{"client_id": row.OauthGrant.ClientID, "kind": row.OauthGrant.Kind},
			After:  map[string]any{"client_id": grant.ClientID, "kind": grant.Kind}})
	})
	return kind, err
}

// over is the app with what is not given taken from the one before.
func (a App) over(box *secret.Box, before dbsqlc.OauthGrant) (App, error) {
	a.Grant, a.IdentityURL = cmp.Or(a.Grant, before.Kind), cmp.Or(a.IdentityURL, before.IdentityUrl)
	a.ClientID = cmp.Or(a.ClientID, before.ClientID)
	if !a.Secret.IsEmpty() || a.ClientID != before.ClientID || len(before.ClientSecretSealed) == 0 {
		return a, nil
	}
	kept, err := oauth.OpenClientSecret(box, before.BindingID, before.ClientSecretSealed)
	a.Secret = secret.NewString(kept)
	return a, err
}

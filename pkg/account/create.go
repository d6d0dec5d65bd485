package account

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/oauth"
	"towpath/pkg/outbound"
	"towpath/pkg/provider"
	"towpath/pkg/provider/specs"
	"towpath/pkg/secret"
)

// NewBinding is what a person says of a binding to be made. Empty Wire and APIURL
// are the provider's own.
type NewBinding struct {
	Tenant                        uuid.UUID
	Provider, Wire, APIURL, OrgID string
}

// FieldError: what a person said in a field is of no use. Field is named as the
// flag of the command line without its dashes; Text goes on behind it and says what
// is wrong and what to give.
type FieldError struct{ Field, Text string }

func (e *FieldError) Error() string { return e.Field + e.Text }

func wrong(field, text string, args ...any) error {
	return &FieldError{Field: field, Text: " " + fmt.Sprintf(text, args...)}
}

func wrongURL(field string, err error) error {
	return &FieldError{Field: field, Text: ": " + err.Error()}
}

// Row checks it all and makes the row of a binding with an id of its own, still
// without a token. A *FieldError says what is refused.
func (n NewBinding) Row(private outbound.Private) (dbsqlc.BindingInsertParams, error) {
	row := dbsqlc.BindingInsertParams{ID: uuid.New(), TenantID: n.Tenant, Provider: n.Provider, Wire: n.Wire, ApiUrl: n.APIURL, OrgID: n.OrgID}
	spec, known := specs.Of(n.Provider)
	if !known {
		return row, wrong("provider", "is %q; use %s", n.Provider, strings.Join(specs.Names(), " or "))
	}
	if row.Wire == "" {
		row.Wire = spec.Wires[0].Name
	}
	wire, speaks := spec.Wire(row.Wire)
	if !speaks {
		return row, wrong("wire", "is %q; %s speaks %s", row.Wire, spec.Name, strings.Join(spec.WireNames(), " or "))
	}
	if row.OrgID != "" && uuid.Validate(row.OrgID) != nil {
		return row, wrong("org-id", "is %q; use a UUID", row.OrgID)
	}
	if row.ApiUrl == "" {
		row.ApiUrl = wire.APIURL
	}
	if row.ApiUrl == "" {
		return row, wrong("api-url", "is needed: wire %s of %s has no address of its own", wire.Name, spec.Name)
	}
	if err := private.CheckURL(row.ApiUrl); err != nil {
		return row, wrongURL("api-url", err)
	}
	return row, nil
}

// App gets and renews the tokens of a binding.
type App struct {
	ClientID    string
	Secret      secret.String
	Grant       string // empty: the one that needs no person, where provider and secret allow it
	IdentityURL string // empty: the provider's own
}

// Check holds it against what a provider offers, before anybody is asked. A *FieldError.
func (a App) Check(provider string, private outbound.Private) error {
	spec, _ := specs.Of(provider)
	kind := a.kind(spec)
	switch {
	case a.ClientID == "":
		return wrong("client-id", "is missing")
	case !slices.Contains([]string{oauth.ClientCredentials, oauth.AuthorizationCode}, kind):
		return wrong("grant", "is %q; use client_credentials or authorization_code", a.Grant)
	case kind == oauth.ClientCredentials && !spec.OAuth.ClientCredentials:
		return wrong("grant", "is %q; %s has authorization_code only", a.Grant, spec.Name)
	case a.Secret.IsEmpty() && (kind == oauth.ClientCredentials || spec.OAuth.SecretForConsent):
		return wrong("client-secret-file", "is needed: the app's secret is missing")
	case a.IdentityURL != "" && !spec.OAuth.IdentityServer:
		return wrong("identity-url", "is not for %s; its own is under --api-url", spec.Name)
	}
	if a.IdentityURL != "" {
		if err := private.CheckURL(a.IdentityURL); err != nil {
			return wrongURL("identity-url", err)
		}
	}
	return nil
}

// kind is the grant, by default the one that needs no person where there is one.
func (a App) kind(spec provider.Spec) string {
	switch {
	case a.Grant != "":
		return a.Grant
	case !a.Secret.IsEmpty() && spec.OAuth.ClientCredentials:
		return oauth.ClientCredentials
	}
	return oauth.AuthorizationCode
}

// grant is the row of a checked app; the secret is sealed for the binding.
func (a App) grant(box *secret.Box, of dbsqlc.BindingInsertParams, private outbound.Private) (dbsqlc.OAuthGrantInsertParams, error) {
	spec, _ := specs.Of(of.Provider)
	row := dbsqlc.OAuthGrantInsertParams{BindingID: of.ID, Kind: a.kind(spec), ClientID: a.ClientID, IdentityUrl: a.IdentityURL}
	if err := a.Check(of.Provider, private); err != nil {
		return row, err
	}
	if !a.Secret.IsEmpty() {
		row.ClientSecretSealed = oauth.SealClientSecret(box, of.ID, a.Secret.Reveal())
	}
	return row, nil
}

// CreateAppBinding stores a binding with an app instead of a token; it waits for its
// connection, which is of the kind that is answered. A *FieldError, or what
// CreateBinding refuses.
func CreateAppBinding(ctx context.Context, pool *pgxpool.Pool, box *secret.Box, row dbsqlc.BindingInsertParams, app App, private outbound.Private) (kind string, err error) {
	grant, err := app.grant(box, row, private)
	if err != nil {
		return "", err
	}
	return grant.Kind, CreateBinding(ctx, pool, row, func(tx pgx.Tx) error {
		queries := dbsqlc.New()
		if _, err := queries.BindingSetStatus(ctx, tx, dbsqlc.BindingSetStatusParams{ID: row.ID, Status: "needs_consent"}); err != nil {
			return err
		}
		return queries.OAuthGrantInsert(ctx, tx, grant)
	})
}

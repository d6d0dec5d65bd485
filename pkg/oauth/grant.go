package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
	"towpath/pkg/secret"
)

// Kinds of grants: how the tokens are got.
const (
	ClientCredentials = "client_credentials" // an app's own: no browser, one organisation
	AuthorizationCode = "authorization_code" // a person's consent, renewed by a refresh token
)

// Places of the sealed columns; the id is the binding's in each.
const (
	placeSecret   = "oauth_grants.client_secret_sealed"
	placeTokens   = "oauth_grants.tokens_sealed"
	placeVerifier = "oauth_states.verifier_sealed"
)

const (
	// margin is how much of its life a token needs for the call that takes it.
	margin = 5 * time.Second
	// recheckAfter is when an app that was refused is tried again; a consent that
	// was withdrawn never is.
	recheckAfter = 5 * time.Minute
	// forceAfter is the age below which a token that the provider refuses is not
	// replaced: another would not help. It bounds the refreshes where a scope is
	// missing, which Xero answers with the 401 of an expired token.
	forceAfter = time.Minute
)

const codeInvalidGrant = "invalid_grant"

// tokens are what the identity server gave last.
type tokens struct {
	access, refresh secret.String
	previous        secret.String // the refresh token before; Xero takes it for thirty minutes more
}

// sealedTokens is the plaintext of the envelope.
type sealedTokens struct {
	Access   string `json:"access"`
	Refresh  string `json:"refresh,omitempty"`
	Previous string `json:"previous,omitempty"`
}

func (t tokens) seal(box *secret.Box, binding uuid.UUID) ([]byte, error) {
	plain, err := json.Marshal(sealedTokens{t.access.Reveal(), t.refresh.Reveal(), t.previous.Reveal()})
	if err != nil {
		return nil, fmt.Errorf("encode tokens of binding %s: %w", binding, err)
	}
	return box.Seal(plain, secret.Place(placeTokens, binding.String())), nil
}

func openTokens(box *secret.Box, sealed []byte, binding uuid.UUID) (tokens, error) {
	plain, err := box.Open(sealed, secret.Place(placeTokens, binding.String()))
	if err != nil {
		return tokens{}, fmt.Errorf("open the tokens of binding %s: %w", binding, err)
	}
	var t sealedTokens
	if json.Unmarshal(plain, &t) != nil { // the error might show what it could not read
		return tokens{}, fmt.Errorf("the tokens of binding %s cannot be read", binding)
	}
	return tokens{secret.NewString(t.Access), secret.NewString(t.Refresh), secret.NewString(t.Previous)}, nil
}

// SealClientSecret seals an app's secret for the grant of a binding.
func SealClientSecret(box *secret.Box, binding uuid.UUID, value string) []byte {
	return box.Seal([]byte(value), secret.Place(placeSecret, binding.String()))
}

// OpenClientSecret opens what SealClientSecret sealed.
func OpenClientSecret(box *secret.Box, binding uuid.UUID, sealed []byte) (string, error) {
	plain, err := box.Open(sealed, secret.Place(placeSecret, binding.String()))
	if err != nil {
		return "", fmt.Errorf("open the client secret of binding %s: %w", binding, err)
	}
	return string(plain), nil
}

// grant is a row with its secrets opened.
type grant struct {
	dbsqlc.OAuthGrantGetRow
	spec      provider.Spec
	endpoints provider.Endpoints
	secret    secret.String // empty for an app without one
	tokens    tokens
}

// read answers a binding's grant, or an Auth failure where there is none.
func (k *Keeper) read(ctx context.Context, db dbsqlc.DBTX, binding uuid.UUID) (grant, error) {
	row, err := k.queries.OAuthGrantGet(ctx, db, binding)
	if errors.Is(err, pgx.ErrNoRows) {
		return grant{}, &provider.Failure{Kind: provider.Auth, Code: provider.CodeAuth,
			Message: "the binding has neither a token nor an app to get one with; it may have been revoked"}
	}
	if err != nil {
		return grant{}, fmt.Errorf("read grant of binding %s: %w", binding, err)
	}
	g := grant{OAuthGrantGetRow: row}
	if err := g.findProvider(); err != nil {
		return g, err
	}
	if sealed := row.OauthGrant.ClientSecretSealed; len(sealed) > 0 { // empty: forgotten
		plain, err := OpenClientSecret(k.cfg.Box, binding, sealed)
		if err != nil {
			return g, err
		}
		g.secret = secret.NewString(plain)
	}
	if sealed := row.OauthGrant.TokensSealed; sealed != nil {
		g.tokens, err = openTokens(k.cfg.Box, sealed, binding)
	}
	return g, err
}

func (g grant) id() uuid.UUID   { return g.OauthGrant.BindingID }
func (g grant) connected() bool { return g.OauthGrant.TokensSealed != nil }
func (g grant) left() time.Duration {
	return time.Duration(g.ExpiresIn * float64(time.Second))
}
func (g grant) age() time.Duration { return time.Duration(g.Age * float64(time.Second)) }

// valid reports whether the access token can still be used; refused is one that
// the provider answered with a 401.
func (g grant) valid(refused string) bool {
	return g.connected() && g.left() > margin && (g.tokens.access.Reveal() != refused || g.age() < forceAfter)
}

// fresh reports whether it need not be renewed yet.
func (g grant) fresh(refused string) bool { return g.valid(refused) && g.RefreshIn > 0 }

// lost is the failure of a grant that gives no token: it was never connected,
// or the identity server said no; nil where it does or may.
func (g grant) lost() error {
	if !g.connected() {
		return g.auth("the binding is not connected yet: towpath binding connect " + g.id().String())
	}
	if g.OauthGrant.Refused == nil {
		return nil
	}
	said := *g.OauthGrant.Refused
	if said != codeInvalidGrant && g.RefusedFor > recheckAfter.Seconds() {
		return nil
	}
	return g.refusal(said)
}

// refusal is the Auth failure of what the identity server said.
func (g grant) refusal(code string) error {
	if code == codeInvalidGrant {
		return g.auth(g.spec.Title + " has withdrawn the consent (invalid_grant); give it again: towpath binding connect " + g.id().String())
	}
	return g.auth(fmt.Sprintf("%s refuses the app (%s); check its id, secret and scopes, then: towpath binding connect %s",
		g.spec.Title, code, g.id()))
}

func (g grant) auth(message string) *provider.Failure {
	return &provider.Failure{Kind: provider.Auth, Code: provider.CodeAuth, Message: message}
}

func isAuth(err error) bool {
	var f *provider.Failure
	return errors.As(err, &f) && f.Kind == provider.Auth
}

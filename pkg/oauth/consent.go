package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/oauth2"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/secret"
)

// CallbackPath is where the provider sends the browser back to, under the
// service's base URL.
const CallbackPath = "/oauth/callback"

// ConsentLife is how long a consent URL may be followed.
const ConsentLife = 10 * time.Minute

// Refusal is why a connection could not be made, for the person who makes it.
type Refusal struct{ Title, Text string }

func (r *Refusal) Error() string { return r.Text }

// Consent answers the URL on which a person connects the binding. It works
// once: its state is stored as a hash, so the database cannot tell it, and goes
// with its first use. An app without a secret proves itself by PKCE.
func (k *Keeper) Consent(ctx context.Context, binding uuid.UUID, baseURL string) (string, error) {
	redirect, err := redirectURI(baseURL)
	if err != nil {
		return "", err
	}
	g, err := k.read(ctx, k.cfg.Pool, binding)
	if err != nil {
		return "", err
	}
	if g.OauthGrant.Kind != AuthorizationCode {
		return "", &Refusal{"No consent needed", "The binding's app has an organisation of its own; it needs nobody's consent."}
	}
	app := g.app()
	app.RedirectURL = redirect
	if scopes := g.endpoints.scopes; len(scopes) > 0 {
		app.Scopes = append([]string{"offline_access"}, scopes...)
	}
	row := dbsqlc.OAuthStateInsertParams{BindingID: binding, RedirectUri: redirect, Seconds: ConsentLife.Seconds()}
	var options []oauth2.AuthCodeOption
	if g.secret.IsEmpty() {
		verifier := oauth2.GenerateVerifier()
		row.VerifierSealed = k.cfg.Box.Seal([]byte(verifier), secret.Place(placeVerifier, binding.String()))
		options = append(options, oauth2.S256ChallengeOption(verifier))
	}
	state := newState()
	row.StateHash = stateHash(state)
	if _, err := k.queries.OAuthStateDeleteExpired(ctx, k.cfg.Pool); err != nil {
		return "", fmt.Errorf("remove old consents: %w", err)
	}
	if err := k.queries.OAuthStateInsert(ctx, k.cfg.Pool, row); err != nil {
		return "", fmt.Errorf("store consent: %w", err)
	}
	return app.AuthCodeURL(state, options...), nil
}

// redirectURI refuses at once what Xero would refuse on a page that says
// little: it sends browsers back to https, or to localhost by that name.
func redirectURI(baseURL string) (string, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost") {
		return "", &Refusal{"Address not usable",
			fmt.Sprintf("Towpath's address is %q, but a provider sends browsers back to https://... or http://localhost only; set TOWPATH_BASE_URL.", baseURL)}
	}
	return strings.TrimRight(baseURL, "/") + CallbackPath, nil
}

const stateBytes = 32

func newState() string {
	raw := make([]byte, stateBytes)
	_, _ = rand.Read(raw) // it never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

func stateHash(state string) []byte {
	sum := sha256.Sum256([]byte(state))
	return sum[:]
}

// consent is one that a person came back from.
type consent struct {
	binding  uuid.UUID
	redirect string
	verifier string
}

// take uses a state up.
func (k *Keeper) take(ctx context.Context, state string) (consent, error) {
	used := &Refusal{"This link does not work any more",
		"A consent link works once and for ten minutes. If the page before said \"Connected\", all is well; else ask for a new link."}
	if len(state) != base64.RawURLEncoding.EncodedLen(stateBytes) {
		return consent{}, used
	}
	row, err := k.queries.OAuthStateTake(ctx, k.cfg.Pool, stateHash(state))
	if errors.Is(err, pgx.ErrNoRows) {
		return consent{}, used
	}
	if err != nil {
		return consent{}, fmt.Errorf("take consent: %w", err)
	}
	c := consent{binding: row.BindingID, redirect: row.RedirectUri}
	if row.VerifierSealed != nil {
		verifier, err := k.cfg.Box.Open(row.VerifierSealed, secret.Place(placeVerifier, row.BindingID.String()))
		if err != nil {
			return c, fmt.Errorf("open the verifier of binding %s: %w", row.BindingID, err)
		}
		c.verifier = string(verifier)
	}
	return c, nil
}

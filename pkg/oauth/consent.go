package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
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

// Under the service's base URL: StartPath is where a consent begins, CallbackPath
// where the provider sends the browser back to.
const (
	StartPath    = "/oauth/start"
	CallbackPath = "/oauth/callback"
)

// ConsentLife is how long a consent URL may be followed.
const ConsentLife = 10 * time.Minute

// Refusal is why a connection could not be made, for the person who makes it.
type Refusal struct{ Title, Text string }

func (r *Refusal) Error() string { return r.Text }

// Consent answers the URL on which a person connects the binding: a page of ours,
// which leads on to the provider's. It works once, for the browser that goes on
// from there first.
func (k *Keeper) Consent(ctx context.Context, binding uuid.UUID, baseURL string) (string, error) {
	redirect, err := redirectURI(baseURL)
	if err != nil {
		return "", err
	}
	g, err := k.read(ctx, k.cfg.Pages, binding)
	if err != nil {
		return "", err
	}
	if g.OauthGrant.Kind != AuthorizationCode {
		return "", &Refusal{"No consent needed", "The binding's app has an organisation of its own; it needs nobody's consent."}
	}
	link := k.newToken(placeLink)
	if _, err := k.queries.OAuthStateDeleteExpired(ctx, k.cfg.Pages); err != nil {
		return "", fmt.Errorf("remove old consents: %w", err)
	}
	row := dbsqlc.OAuthStateInsertParams{StateHash: hashOf(link), BindingID: binding, RedirectUri: redirect, Seconds: ConsentLife.Seconds()}
	if err := k.queries.OAuthStateInsert(ctx, k.cfg.Pages, row); err != nil {
		return "", fmt.Errorf("store consent: %w", err)
	}
	return strings.TrimSuffix(redirect, CallbackPath) + StartPath + "?link=" + link, nil
}

// GoOn is a consent URL that leads to the provider at once, without our page: for
// a person who asked for it in this very browser. A link that is handed to others
// keeps the page, since programs that look at mail follow links.
func GoOn(consentURL string) string { return consentURL + "&go=on" }

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

// Places of the tokens that browsers carry; they are stored nowhere.
const (
	placeLink  = "oauth_states.link"
	placeState = "oauth_states.state"
)

const tokenBytes = 16

// newToken makes a link or a state. It is sealed so that a made-up one is known
// by its form, without a query; which one it is only its row says.
func (k *Keeper) newToken(place string) string {
	raw := make([]byte, tokenBytes)
	_, _ = rand.Read(raw) // it never fails
	return base64.RawURLEncoding.EncodeToString(k.cfg.Box.Seal(raw, place))
}

// ours reports whether a Towpath with our key made the token.
func (k *Keeper) ours(token, place string) bool {
	if len(token) > 128 {
		return false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return false
	}
	raw, err := k.cfg.Box.Open(sealed, place)
	return err == nil && len(raw) == tokenBytes
}

func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// linked is what a link that nobody has followed yet connects.
type linked struct{ Tenant, Ledger, Host string }

var errUsed = &Refusal{"This link does not work any more",
	"A consent link works once and for ten minutes. If the page before said \"Connected\", all is well; else ask for a new link."}

// link reads a link and its grant.
func (k *Keeper) link(ctx context.Context, token string) (dbsqlc.OAuthStateLinkRow, grant, error) {
	if !k.ours(token, placeLink) {
		return dbsqlc.OAuthStateLinkRow{}, grant{}, errUsed
	}
	row, err := k.queries.OAuthStateLink(ctx, k.cfg.Pages, hashOf(token))
	if errors.Is(err, pgx.ErrNoRows) {
		return row, grant{}, errUsed
	}
	if err != nil {
		return row, grant{}, fmt.Errorf("read consent link: %w", err)
	}
	g, err := k.read(ctx, k.cfg.Pages, row.BindingID)
	return row, g, err
}

// peek tells what a link connects and changes nothing.
func (k *Keeper) peek(ctx context.Context, token string) (linked, error) {
	row, g, err := k.link(ctx, token)
	if err != nil {
		return linked{}, err
	}
	u, err := url.Parse(g.endpoints.Authorize)
	if err != nil {
		return linked{}, fmt.Errorf("the authorize address of binding %s is not a url", row.BindingID)
	}
	return linked{Tenant: row.Tenant, Ledger: g.spec.Title, Host: u.Host}, nil
}

// begun is a consent that one browser has begun: where that goes, and the cookie
// that it brings back with the state.
type begun struct{ address, state, cookie string }

// begin uses a link up. If the process dies after its commit, the browser has no
// cookie and nobody can use the state: the person asks for a new link.
func (k *Keeper) begin(ctx context.Context, token string) (begun, error) {
	row, g, err := k.link(ctx, token)
	if err != nil {
		return begun{}, err
	}
	verifier := oauth2.GenerateVerifier()
	b := begun{state: k.newToken(placeState), cookie: rand.Text()}
	n, err := k.queries.OAuthStateBegin(ctx, k.cfg.Pages, dbsqlc.OAuthStateBeginParams{
		LinkHash: hashOf(token), StateHash: hashOf(b.state), BrowserHash: hashOf(b.cookie),
		VerifierSealed: k.cfg.Box.Seal([]byte(verifier), secret.Place(placeVerifier, row.BindingID.String())),
	})
	if err != nil {
		return begun{}, fmt.Errorf("begin consent: %w", err)
	}
	if n == 0 { // another browser was faster
		return begun{}, errUsed
	}
	app := g.app()
	app.RedirectURL = row.RedirectUri
	if scopes := g.spec.OAuth.Scopes; len(scopes) > 0 {
		app.Scopes = append([]string{"offline_access"}, scopes...)
	}
	b.address = app.AuthCodeURL(b.state, oauth2.S256ChallengeOption(verifier))
	return b, nil
}

// cookieName is a consent's own, so that two may be under way in one browser.
// Over https its prefix keeps other hosts of the domain from setting it.
func cookieName(state string, secure bool) string {
	name := "towpath-consent-" + hex.EncodeToString(hashOf(state)[:4])
	if secure {
		return "__Host-" + name
	}
	return name
}

// consent is one that a person came back from.
type consent struct {
	binding  uuid.UUID
	redirect string
	verifier string
}

// take uses a state up. What is not of our making, and a state without the cookie
// of its browser, costs no query and uses nothing up.
func (k *Keeper) take(ctx context.Context, state, cookie string) (consent, error) {
	if !k.ours(state, placeState) {
		return consent{}, errUsed
	}
	if len(cookie) != len(rand.Text()) {
		return consent{}, &Refusal{"Another browser", "This consent was begun in another browser, or its cookies are turned off. Nothing was changed; ask for a new link and follow it in one browser."}
	}
	row, err := k.queries.OAuthStateTake(ctx, k.cfg.Pages, dbsqlc.OAuthStateTakeParams{StateHash: hashOf(state), BrowserHash: hashOf(cookie)})
	if errors.Is(err, pgx.ErrNoRows) {
		return consent{}, errUsed
	}
	if err != nil {
		return consent{}, fmt.Errorf("take consent: %w", err)
	}
	verifier, err := k.cfg.Box.Open(row.VerifierSealed, secret.Place(placeVerifier, row.BindingID.String()))
	if err != nil {
		return consent{}, fmt.Errorf("open the verifier of binding %s: %w", row.BindingID, err)
	}
	return consent{binding: row.BindingID, redirect: row.RedirectUri, verifier: string(verifier)}, nil
}

package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"towpath/pkg/foreign"
	"towpath/pkg/outbound"
	"towpath/pkg/secret"
)

// CallbackPath is where the provider sends the browser back to, under the base URL.
const CallbackPath = "/dashboard/sign-in/callback"

const (
	callTime  = 10 * time.Second // of each call to the provider
	maxAnswer = 1 << 20          // bytes
	// fresh is how long the discovery document is taken as it was read, and with it the
	// keys: one that the provider takes away is taken for no longer.
	fresh = time.Hour
	// retryAfter is how long a failure is taken for the state of the provider: strangers
	// who open the page ask it no oftener.
	retryAfter = 3 * time.Second
)

// Provider is the identity provider of this installation. It is asked when somebody signs
// in, not before, so that one that is away keeps no process from starting. It is safe for
// concurrent use.
type Provider struct {
	cfg      Config
	redirect string
	box      *secret.Box
	http     *http.Client
	now      func() time.Time

	turn   chan struct{} // of who may read the discovery document, and what follows
	found  *discovered   // nil: none yet
	failed error         // of the last try
	tried  time.Time
}

// discovered is what the provider says of itself.
type discovered struct {
	provider *oidc.Provider
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
	keys     string // jwks_uri
	says     bool   // its answers to the browser name the issuer (RFC 9207)
	at       time.Time
}

// New makes a provider of settings that Check has passed; it asks nobody. baseURL is
// where browsers reach this Towpath.
func New(cfg Config, baseURL string, box *secret.Box, now func() time.Time) *Provider {
	return &Provider{
		cfg: cfg, redirect: strings.TrimRight(baseURL, "/") + CallbackPath, box: box, now: now, turn: make(chan struct{}, 1),
		http: client(callTime),
	}
}

// client reaches private addresses too: the operator alone says where the provider is.
func client(timeout time.Duration) *http.Client {
	return outbound.New(outbound.Config{AllowPrivate: true, Timeout: timeout, MaxConnsPerHost: 8, MaxBody: maxAnswer})
}

// Name is what people call it.
func (p *Provider) Name() string { return p.cfg.Name() }

// AwayError says that the provider did not do its part; what was tried may be tried again.
type AwayError struct{ cause error }

func (e *AwayError) Error() string {
	return foreign.Text(outbound.Redact(e.cause).Error(), foreign.Kept)
}
func (e *AwayError) Unwrap() error { return e.cause }

// discover answers what the provider says of itself, as it was read less than fresh ago.
// Where it cannot be read anew, what it said before goes on.
func (p *Provider) discover(ctx context.Context) (*discovered, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, &AwayError{ctx.Err()}
	}
	now := p.now()
	if p.found != nil && now.Sub(p.found.at) < fresh {
		return p.found, nil
	}
	if p.failed == nil || now.Sub(p.tried) >= retryAfter {
		// Who goes away while it is read must not leave a failure to the others.
		reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
		defer cancel()
		found, err := p.read(reading)
		if p.failed, p.tried = err, p.now(); err == nil {
			p.found = found
		}
	}
	if p.found != nil {
		return p.found, nil
	}
	return nil, &AwayError{p.failed}
}

func (p *Provider) read(ctx context.Context) (*discovered, error) {
	ctx = oidc.ClientContext(ctx, p.http)
	provider, err := oidc.NewProvider(ctx, p.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("read discovery of %s: %w", p.cfg.Issuer, err)
	}
	var says struct {
		Keys        string   `json:"jwks_uri"`
		AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
		NamesIssuer bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := provider.Claims(&says); err != nil {
		return nil, fmt.Errorf("read discovery of %s: %w", p.cfg.Issuer, err)
	}
	endpoint := provider.Endpoint()
	for name, address := range map[string]string{"authorization_endpoint": endpoint.AuthURL, "token_endpoint": endpoint.TokenURL, "jwks_uri": says.Keys,
		"userinfo_endpoint": provider.UserInfoEndpoint()} {
		if name == "userinfo_endpoint" && address == "" { // it need not be there
			continue
		}
		if err := p.checkEndpoint(address); err != nil {
			return nil, fmt.Errorf("discovery of %s: %s %w", p.cfg.Issuer, name, err)
		}
	}
	// Said, not found out: a code is good for one try.
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if len(says.AuthMethods) > 0 && !slices.Contains(says.AuthMethods, "client_secret_basic") {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &discovered{
		provider: provider, keys: says.Keys, says: says.NamesIssuer, at: p.now(),
		oauth: oauth2.Config{ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret.Reveal(), Endpoint: endpoint, RedirectURL: p.redirect,
			Scopes: append([]string{oidc.ScopeOpenID}, p.cfg.Scopes...)},
		verifier: provider.VerifierContext(ctx, &oidc.Config{ClientID: p.cfg.ClientID, Now: p.now}),
	}, nil
}

// checkEndpoint holds the provider's addresses to the issuer's scheme: secrets and codes
// do not leave TLS.
func (p *Provider) checkEndpoint(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return errors.New("is no address")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname()) || strings.HasPrefix(p.cfg.Issuer, "https://")) {
		return fmt.Errorf("%s://%s does not begin with https://", u.Scheme, u.Host)
	}
	return nil
}

// Look reads the discovery document and the keys, and says in words what is there.
func (p *Provider) Look(ctx context.Context) (string, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, found.keys, nil)
	if err != nil {
		return "", fmt.Errorf("read keys: %w", err)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return "", &AwayError{fmt.Errorf("read keys: %w", err)}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	switch {
	case err != nil:
		return "", &AwayError{fmt.Errorf("read keys: %w", err)}
	case resp.StatusCode != http.StatusOK:
		return "", &AwayError{fmt.Errorf("read keys: %s answers %s", found.keys, resp.Status)}
	case json.Unmarshal(raw, &set) != nil || len(set.Keys) == 0:
		return "", &AwayError{fmt.Errorf("read keys: %s has none", found.keys)}
	}
	return fmt.Sprintf("%s answers; it has %d keys; browsers come back to %s", p.cfg.Issuer, len(set.Keys), p.redirect), nil
}

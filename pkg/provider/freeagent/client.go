package freeagent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"towpath/pkg/provider"
)

// Config is what a Client needs. BaseURL, Token and HTTP are required.
type Config struct {
	// BaseURL is the binding's api_url. Without a path the wire's own, /v2, is
	// appended; with one it is used as it is.
	BaseURL string
	// Token returns a valid access token; it refreshes by itself.
	Token func(ctx context.Context) (string, error)
	// Permit is asked before each call, when all but the sending is done; what it
	// refuses is not sent. provider.Unlimited where nil. Token's own calls are
	// not asked for here.
	Permit provider.Permit
	// HTTP does the calls. Redirects are never followed, whatever it says: they would
	// carry the token elsewhere and turn a POST into a GET.
	HTTP *http.Client
	// Now is the clock; time.Now where nil.
	Now func() time.Time
	// Observe is told of each call: operation from the list in request.go, code
	// the HTTP status, "timeout" or "error".
	Observe func(operation, code string, elapsed time.Duration)
	// UserAgent names the application, which FreeAgent demands; "Towpath" where
	// empty.
	UserAgent string
	// MatchContacts looks for the buyer's e-mail before a contact is created.
	// FreeAgent itself does not refuse a taken e-mail, so without this a contact
	// that the merchant made by hand gets a duplicate. It costs one list per new
	// buyer, or one per hundred contacts where the server ignores the filter.
	MatchContacts bool
}

// Client speaks wire v2 for one binding. It is safe for concurrent use.
type Client struct {
	cfg  Config
	http *http.Client
	root string // {base}/v2, no trailing slash
}

// New checks cfg and makes a Client of it. It makes no call.
func New(cfg Config) (*Client, error) {
	root, err := rootURL(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("configure wire v2: %w", err)
	}
	if cfg.Token == nil {
		return nil, errors.New("configure wire v2: Token is missing")
	}
	if cfg.Permit == nil {
		cfg.Permit = provider.Unlimited
	}
	if cfg.HTTP == nil {
		return nil, errors.New("configure wire v2: HTTP is missing")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, string, time.Duration) {}
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "Towpath"
	}
	noRedirects := *cfg.HTTP
	noRedirects.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{cfg: cfg, http: &noRedirects, root: root}, nil
}

func rootURL(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", errors.New("BaseURL is not an http(s) URL")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("BaseURL has a user, query or fragment")
	}
	root := strings.TrimRight(u.String(), "/")
	if strings.Trim(u.Path, "/") == "" {
		root += "/v2"
	}
	return root, nil
}

package xerosim

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// IdentityConfig sets up a simulated identity server.
type IdentityConfig struct {
	Now  func() time.Time // default time.Now
	Apps []App

	// Xero's own lives where zero: 30 minutes, 60 days, 5 minutes, and 30 minutes
	// in which a spent refresh token still works.
	AccessLife, RefreshLife, CodeLife, Grace time.Duration
}

// App is registered at the identity server.
type App struct {
	ID        string
	Secret    string   // empty: a native app, which must use PKCE
	Redirects []string // compared letter by letter; https, or http://localhost
	// Custom is the organisation of a custom connection, which asks with its own
	// credentials; empty: an app that needs a consent.
	Custom string
	Broad  bool // made before March 2026: the broad scopes are allowed too
}

// Organisation is one that the consenting person may give access to.
type Organisation struct{ ID, Name string }

// Identity is Xero's identity server and the list of connections. It is as
// strict as Xero and keeps nothing between processes. It is safe for concurrent
// use.
type Identity struct {
	cfg IdentityConfig

	mu        sync.Mutex
	orgs      []Organisation
	connected map[string][]string // app id -> organisations
	choice    []string            // what the person chooses at the next consents
	denies    bool
	codes     map[string]*code
	refreshes map[string]*refreshToken
	accesses  map[string]*accessToken
	issued    []string
	calls     map[string]int
	faults    []*Fault
}

type code struct {
	app, redirect, challenge string
	scopes                   []string
	made                     time.Time
	used                     bool
}

type refreshToken struct {
	app     string
	scopes  []string
	expires time.Time
	spent   time.Time // zero: not yet
	revoked bool
}

type accessToken struct {
	app     string
	expires time.Time
}

// NewIdentity makes an identity server; the first organisation is the one that
// the person chooses.
func NewIdentity(cfg IdentityConfig, orgs ...Organisation) *Identity {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	for life, otherwise := range map[*time.Duration]time.Duration{
		&cfg.AccessLife: 30 * time.Minute, &cfg.RefreshLife: 60 * 24 * time.Hour, &cfg.CodeLife: 5 * time.Minute, &cfg.Grace: 30 * time.Minute,
	} {
		if *life == 0 {
			*life = otherwise
		}
	}
	cfg.Apps = slices.Clone(cfg.Apps)
	i := &Identity{cfg: cfg, orgs: orgs, connected: map[string][]string{}, codes: map[string]*code{},
		refreshes: map[string]*refreshToken{}, accesses: map[string]*accessToken{}, calls: map[string]int{}}
	if len(orgs) > 0 {
		i.choice = []string{orgs[0].ID}
	}
	return i
}

// ServeHTTP serves the identity server's paths and /connections.
func (i *Identity) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := map[string]func(*http.Request) answer{
		"GET /identity/connect/authorize": i.authorize,
		"POST /connect/token":             i.token,
		"POST /connect/revocation":        i.revoke,
		"GET /connections":                i.connections,
	}[r.Method+" "+r.URL.Path]
	if route == nil {
		http.NotFound(w, r)
		return
	}
	operation := r.Method + " " + r.URL.Path
	if fault := i.strike(operation, Before); fault != nil && !fault.carryOut(w, r, answer{}) {
		return
	}
	i.mu.Lock()
	i.calls[operation]++
	truth := route(r)
	i.mu.Unlock()
	if fault := i.strike(operation, After); fault != nil && !fault.carryOut(w, r, truth) {
		return
	}
	truth.write(w)
}

// Guard puts the identity server in front of an organisation's API: its own
// paths, and for all others Xero's 401 and 403 where the token is dead or does
// not reach the organisation that the request names.
func (i *Identity) Guard(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, prefix+"/") {
			i.ServeHTTP(w, r)
			return
		}
		if refusal := i.admits(r); refusal != nil {
			refusal.write(w)
			return
		}
		api.ServeHTTP(w, r)
	})
}

func (i *Identity) admits(r *http.Request) *answer {
	i.mu.Lock()
	defer i.mu.Unlock()
	access := i.bearer(r)
	if access == nil {
		return problem(http.StatusUnauthorized, "Unauthorized", "TokenExpired: token expired at 11/20/2026 10:00:00")
	}
	org := r.Header.Get("xero-tenant-id")
	if app := i.app(access.app); org == "" && app.Custom != "" {
		return nil
	}
	if !slices.ContainsFunc(i.connected[access.app], func(id string) bool { return strings.EqualFold(id, org) }) {
		return problem(http.StatusForbidden, "Forbidden", "AuthenticationUnsuccessful")
	}
	return nil
}

// bearer is the live access token of a request.
func (i *Identity) bearer(r *http.Request) *accessToken {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	access := i.accesses[token]
	if access == nil || !i.cfg.Now().Before(access.expires) {
		return nil
	}
	return access
}

func (i *Identity) connections(r *http.Request) answer {
	access := i.bearer(r)
	if access == nil {
		return *problem(http.StatusUnauthorized, "Unauthorized", "TokenExpired: token expired at 11/20/2026 10:00:00")
	}
	list := []fields{}
	for n, id := range i.connected[access.app] {
		for _, org := range i.orgs {
			if org.ID == id {
				list = append(list, fields{"id": "c0000000-0000-4000-8000-00000000000" + string(rune('0'+n%10)), "authEventId": zeroGUID,
					"tenantId": org.ID, "tenantType": "ORGANISATION", "tenantName": org.Name})
			}
		}
	}
	return jsonAnswer(http.StatusOK, list)
}

func (i *Identity) app(id string) App {
	for _, app := range i.cfg.Apps {
		if app.ID == id {
			return app
		}
	}
	return App{}
}

// secret makes a code or a token and remembers that it was given away.
func (i *Identity) secret() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // it never fails
	made := base64.RawURLEncoding.EncodeToString(raw)
	i.issued = append(i.issued, made)
	return made
}

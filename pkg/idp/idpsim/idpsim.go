// Package idpsim is a simulated identity provider for tests, as strict as a real one: it
// knows its clients and the addresses that they may be sent back to, wants PKCE, state
// and nonce, takes a code once and for a minute, and signs by keys that it may rotate.
package idpsim

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Client is an application that may use it.
type Client struct {
	ID, Secret string
	Redirects  []string
}

// Person is whoever is signed in at the provider.
type Person struct {
	Subject string
	Claims  map[string]any // in the ID token
	Info    map[string]any // at userinfo only
}

// Fault is what goes wrong at a path.
type Fault struct {
	Path   string
	Status int             // answered in place of the answer
	Body   string          // with it
	Cut    bool            // half of the answer, then the connection ends
	Hang   <-chan struct{} // no answer before it is closed
	Header bool            // with Hang: the headers come, the body does not
	Times  int             // 0: for good
}

// Config is a provider.
type Config struct {
	Clients []Client
	Now     func() time.Time
	ES256   bool // signs by a curve; else RS256
	Post    bool // takes a client's secret in the form only
	Names   bool // its answers to browsers have iss (RFC 9207)
}

// Sim is the provider. Its issuer is the address that it is asked at.
type Sim struct {
	cfg Config
	mux *http.ServeMux

	mu     sync.Mutex
	person Person
	change func(claims map[string]any)
	codes  map[string]*grant
	tokens map[string]Person
	key    signer  // published, and signs
	forged *signer // signs in its place
	faults []*Fault
	calls  map[string]int
}

// grant is what a code stands for.
type grant struct {
	client, redirect, nonce, challenge string
	person                             Person
	at                                 time.Time
	used                               bool
}

// New makes a provider with a key.
func New(cfg Config) *Sim {
	s := &Sim{cfg: cfg, mux: http.NewServeMux(), codes: map[string]*grant{}, tokens: map[string]Person{}, calls: map[string]int{}}
	s.Rotate()
	s.mux.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
	s.mux.HandleFunc("GET /authorize", s.authorize)
	s.mux.HandleFunc("POST /token", s.token)
	s.mux.HandleFunc("GET /keys", s.keys)
	s.mux.HandleFunc("GET /userinfo", s.userinfo)
	return s
}

// Person signs somebody in at the provider, in every browser.
func (s *Sim) Person(p Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.person = p
}

// Change is done to the claims of each ID token before it is signed; a claim that is set
// to nil is left out.
func (s *Sim) Change(change func(claims map[string]any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change = change
}

// Inject adds a fault.
func (s *Sim) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Mend ends all faults.
func (s *Sim) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Calls counts what a path was asked.
func (s *Sim) Calls(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[path]
}

// ServeHTTP answers, or fails as Inject says.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := s.counted(r.URL.Path)
	switch {
	case fault == nil:
		s.mux.ServeHTTP(w, r)
	case fault.Hang != nil:
		if fault.Header {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-fault.Hang:
		case <-r.Context().Done():
		}
	case fault.Cut:
		w.Header().Set("Content-Length", "4000")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"issuer":`))
		panic(http.ErrAbortHandler)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(fault.Status)
		_, _ = w.Write([]byte(fault.Body))
	}
}

func (s *Sim) counted(path string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[path]++
	for i, f := range s.faults {
		if f.Path != path {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return f
	}
	return nil
}

func issuerOf(r *http.Request) string { return "http://" + r.Host }

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Sim) discovery(w http.ResponseWriter, r *http.Request) {
	issuer, method := issuerOf(r), "client_secret_basic"
	if s.cfg.Post {
		method = "client_secret_post"
	}
	answer(w, http.StatusOK, map[string]any{
		"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/keys",
		"userinfo_endpoint": issuer + "/userinfo", "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256", "HS256", "none"}, "token_endpoint_auth_methods_supported": []string{method},
		"code_challenge_methods_supported": []string{"S256"}, "authorization_response_iss_parameter_supported": s.cfg.Names,
	})
}

// authorize sends the browser back with a code for whoever is signed in. What names no
// known client, or an address that is not the client's, is sent nowhere.
func (s *Sim) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	i := slices.IndexFunc(s.cfg.Clients, func(c Client) bool { return c.ID == q.Get("client_id") })
	if i < 0 || !slices.Contains(s.cfg.Clients[i].Redirects, q.Get("redirect_uri")) {
		http.Error(w, "unknown client or redirect_uri", http.StatusBadRequest)
		return
	}
	back := url.Values{"state": {q.Get("state")}}
	if s.cfg.Names {
		back.Set("iss", issuerOf(r))
	}
	switch {
	case q.Get("response_type") != "code", q.Get("state") == "", q.Get("nonce") == "", q.Get("code_challenge_method") != "S256", len(q.Get("code_challenge")) != 43:
		back.Set("error", "invalid_request")
	case !slices.Contains(strings.Fields(q.Get("scope")), "openid"):
		back.Set("error", "invalid_scope")
	default:
		back.Set("code", s.grant(grant{client: q.Get("client_id"), redirect: q.Get("redirect_uri"), nonce: q.Get("nonce"), challenge: q.Get("code_challenge")}))
	}
	if back.Get("code") == "" && back.Get("error") == "" {
		back.Set("error", "access_denied")
		back.Set("error_description", "nobody is signed in")
		back.Del("code")
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

// grant makes a code; empty: nobody is signed in.
func (s *Sim) grant(g grant) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.person.Subject == "" {
		return ""
	}
	code := rand.Text()
	g.person, g.at = s.person, s.cfg.Now()
	s.codes[code] = &g
	return code
}

func (s *Sim) userinfo(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	person, known := s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	s.mu.Unlock()
	if !known {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	said := map[string]any{"sub": person.Subject}
	maps.Copy(said, person.Info)
	answer(w, http.StatusOK, said)
}

package dashboard

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"

	"towpath/pkg/secret"
)

// Gate admits the browser that came by an address with a token, ?token=…, and
// remembers it by a cookie until it is closed. It is for a Towpath that makes
// its own token at every start, such as the demo's.
type Gate struct {
	token  [sha256.Size]byte
	cookie string // its name; the token's digest keeps two gates of one host apart
	base   string
}

// NewGate makes a gate. basePath is put before the path that it redirects to.
func NewGate(token secret.String, basePath string) *Gate {
	digest := sha256.Sum256([]byte(token.Reveal()))
	name := sha256.Sum256(digest[:])
	return &Gate{token: digest, cookie: "towpath-" + hex.EncodeToString(name[:4]), base: basePath}
}

// Handler puts the gate before a handler.
func (g *Gate) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case g.Entered(w, r):
		case g.Knows(r):
			next.ServeHTTP(w, r)
		default:
			http.Error(w, "Open the address that was printed at the start; it has a token.", http.StatusForbidden)
		}
	})
}

// Knows reports whether the browser has been admitted.
func (g *Gate) Knows(r *http.Request) bool {
	c, err := r.Cookie(g.cookie)
	return err == nil && g.right(c.Value)
}

// Entered admits a browser that brings the token and sends it on to the same
// page without it, so that it stays in no history; false for any other request.
func (g *Gate) Entered(w http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	token := query.Get("token")
	if r.Method != http.MethodGet || !g.right(token) {
		return false
	}
	query.Del("token")
	to := g.base + "/" + strings.TrimLeft(r.URL.Path, "/")
	if rest := query.Encode(); rest != "" {
		to += "?" + rest
	}
	http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, to, http.StatusSeeOther)
	return true
}

func (g *Gate) right(token string) bool {
	if token == "" { // also where the gate itself was made without one
		return false
	}
	given := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(given[:], g.token[:]) == 1
}

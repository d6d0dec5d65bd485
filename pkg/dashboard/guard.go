package dashboard

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/julienschmidt/httprouter"

	"towpath/pkg/secret"
)

// contentPolicy allows this origin's own style sheet, script and icon, and
// nothing else; no page has an inline script or style.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard decides who sees the dashboard. With a password: whoever knows it, by
// HTTP Basic under any user name. Without one: this machine's own browser, and
// no proxy that passes others on.
type guard struct {
	open     bool
	password [sha256.Size]byte
	origin   *http.CrossOriginProtection
}

func newGuard(password secret.String) guard {
	return guard{
		open: password.IsEmpty(), password: sha256.Sum256([]byte(password.Reveal())),
		origin: http.NewCrossOriginProtection(),
	}
}

// refusal is an answer to somebody who may not see the page; the zero value is
// none.
type refusal struct {
	status int
	reason string // for the log
	text   string
}

func (g guard) check(r *http.Request) refusal {
	if g.open {
		if reason := notLocal(r); reason != "" {
			return refusal{http.StatusForbidden, reason, "The dashboard has no password, so it only answers browsers on this machine, at http://localhost or http://127.0.0.1.\n" +
				"To reach it from elsewhere or through a proxy, set TOWPATH_ADMIN_PASSWORD and start Towpath again."}
		}
	} else if _, password, sent := r.BasicAuth(); !sent || !g.right(password) {
		reason := "no credentials"
		if sent {
			reason = "wrong password"
		}
		return refusal{http.StatusUnauthorized, reason, "The dashboard asks for the admin password (TOWPATH_ADMIN_PASSWORD); the user name does not matter."}
	}
	if g.origin.Check(r) != nil {
		return refusal{http.StatusForbidden, "cross-origin", "This request came from another site's page. Open the dashboard itself and press the button there."}
	}
	return refusal{}
}

// right compares digests, so that neither content nor length of the password
// shows in the time that it takes.
func (g guard) right(password string) bool {
	given := sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(given[:], g.password[:]) == 1
}

// notLocal says why a request is not this machine's own browser, or nothing.
// The peer's address alone does not tell: a reverse proxy on this machine is a
// local peer too, and so is the browser of somebody lured to a name that
// resolves to 127.0.0.1. HTTP/1.0 is what nginx speaks to its upstream unless
// told otherwise; no browser does.
func notLocal(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return "peer is not local"
	}
	if !isLoopbackName(r.Host) {
		return "host name is not local"
	}
	if !r.ProtoAtLeast(1, 1) {
		return "passed on by a proxy"
	}
	for name := range r.Header {
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			return "passed on by a proxy"
		}
	}
	return ""
}

func isLoopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	switch strings.ToLower(strings.Trim(host, "[]")) {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return false
}

// guarded puts the guard and the headers that every answer has in front of a
// handler, and writes the request's log line.
func (d *Dashboard) guarded(h httprouter.Handle) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		header := w.Header()
		header.Set("Content-Security-Policy", contentPolicy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "same-origin") // no-referrer would make a form's Origin null
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		seen := &recorder{ResponseWriter: w, status: http.StatusOK}
		started := d.cfg.Now()
		refused := d.guard.check(r)
		if refused.status != 0 {
			if refused.status == http.StatusUnauthorized {
				header.Set("WWW-Authenticate", `Basic realm="Towpath", charset="UTF-8"`)
			}
			http.Error(seen, refused.text, refused.status)
		} else {
			h(seen, r, params)
		}
		d.log(r, params, seen.status, refused.reason, d.cfg.Now().Sub(started))
	}
}

package dashboard

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/julienschmidt/httprouter"

	"towpath/pkg/secret"
	"towpath/pkg/users"
)

// contentPolicy allows this origin's own style sheet, script and icon, and
// nothing else; no page has an inline script or style.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard decides who sees the dashboard: whoever knows the password, by HTTP Basic
// under any user name, or came through the gate. Without either nobody does. What
// a request looks like, its peer and its headers, admits nobody: behind a proxy
// or a relay everybody looks like this machine.
type guard struct {
	locked   bool // there is no password
	password [sha256.Size]byte
	gate     *Gate
	origin   *http.CrossOriginProtection
	limit    *limiter
	known    knownBrowsers
}

func newGuard(cfg Config) guard {
	g := guard{
		locked: cfg.Password.IsEmpty(), password: sha256.Sum256([]byte(cfg.Password.Reveal())), gate: cfg.Gate,
		origin: http.NewCrossOriginProtection(), limit: newLimiter(cfg.Now),
	}
	g.known = knownBrowsers{box: cfg.Box, path: cfg.BasePath + "/dashboard", secure: cfg.Secure,
		place: "dashboard.known_browser/" + hex.EncodeToString(g.password[:])}
	return g
}

// refusal is an answer to somebody who may not see the page; the zero value is
// none.
type refusal struct {
	status int
	reason string // for the log
	text   string
	wait   time.Duration
}

// check says who made a request, or why it is refused. It may set a cookie; it
// writes nothing. Who came through the gate, or knows the password, is the admin.
func (g guard) check(w http.ResponseWriter, r *http.Request) (Visitor, refusal) {
	if g.gate == nil || !g.gate.Knows(r) {
		if refused := g.checkPassword(w, r); refused.status != 0 {
			return Visitor{}, refused
		}
	}
	if g.origin.Check(r) != nil {
		return Visitor{}, refusal{status: http.StatusForbidden, reason: "cross-origin",
			text: "This request came from another site's page. Open the dashboard itself and press the button there."}
	}
	return Visitor{Name: users.Admin.String(), Role: users.Admin}, refusal{}
}

// forbid refuses a visitor whose role does not suffice.
func forbid(v Visitor, least users.Role) refusal {
	return refusal{status: http.StatusForbidden, reason: "role",
		text: fmt.Sprintf("You are signed in as %s, whose role is %s. This takes the role %s: ask an admin of this Towpath.", v.Name, v.Role, least)}
}

func (g guard) checkPassword(w http.ResponseWriter, r *http.Request) refusal {
	switch _, password, sent := r.BasicAuth(); {
	case g.locked && g.gate != nil:
		return refusal{status: http.StatusForbidden, reason: "no token", text: "Open the address that was printed at the start; it has a token."}
	case g.locked:
		return refusal{status: http.StatusForbidden, reason: "no password is set",
			text: "There is no dashboard, because no password is set for it.\nSet TOWPATH_ADMIN_PASSWORD (at least 12 characters) and start Towpath again."}
	case !sent:
		return refusal{status: http.StatusUnauthorized, reason: "no credentials", text: askPassword}
	default:
		return g.guess(w, r, password)
	}
}

const askPassword = "The dashboard asks for the admin password (TOWPATH_ADMIN_PASSWORD); the user name does not matter."

func (g guard) guess(w http.ResponseWriter, r *http.Request, password string) refusal {
	browser, known := g.known.read(r)
	key := "address " + addressOf(r)
	if known {
		key = "browser " + browser
	}
	ok, wait := g.limit.guess(key, known, func() bool { return g.right(password) })
	switch {
	case wait > 0:
		return refusal{status: http.StatusTooManyRequests, reason: "too many wrong passwords", wait: wait,
			text: "Too many wrong passwords. The next one is looked at in " + wait.Round(time.Second).String() + "; until then the right one is not either."}
	case !ok:
		return refusal{status: http.StatusUnauthorized, reason: "wrong password", text: askPassword}
	case !known:
		g.known.remember(w)
	}
	return refusal{}
}

// right compares digests, so that neither content nor length of the password
// shows in the time that it takes.
func (g guard) right(password string) bool {
	given := sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(given[:], g.password[:]) == 1
}

// knownBrowsers tells those that knew the password before, by a cookie that only
// this Towpath can make and that ends with the password. It admits nobody: it
// only keeps the wrong passwords of others from counting against them.
type knownBrowsers struct {
	box         *secret.Box // nil: none is known
	path, place string
	secure      bool
}

const (
	knownCookie = "towpath-known"
	knownDays   = 90
)

func (k knownBrowsers) read(r *http.Request) (id string, known bool) {
	c, err := r.Cookie(knownCookie)
	if err != nil || k.box == nil || len(c.Value) > 200 {
		return "", false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return "", false
	}
	plain, err := k.box.Open(sealed, k.place)
	return string(plain), err == nil
}

func (k knownBrowsers) remember(w http.ResponseWriter) {
	if k.box == nil {
		return
	}
	sealed := k.box.Seal([]byte(rand.Text()), k.place)
	http.SetCookie(w, &http.Cookie{Name: knownCookie, Value: base64.RawURLEncoding.EncodeToString(sealed), Path: k.path,
		MaxAge: knownDays * 24 * 60 * 60, HttpOnly: true, Secure: k.secure, SameSite: http.SameSiteLaxMode})
}

// guarded puts the guard and the headers that every answer has in front of a
// route, and writes the request's log line.
func (d *Dashboard) guarded(at route) httprouter.Handle {
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
		if d.guard.gate != nil && d.guard.gate.Entered(seen, r) {
			return
		}
		visitor, refused := d.check(seen, r)
		if refused.status == 0 && !visitor.Role.May(at.least) {
			refused = forbid(visitor, at.least)
		}
		switch refused.status {
		case 0:
			at.handle(seen, as(r, visitor), params)
		case http.StatusUnauthorized:
			header.Set("WWW-Authenticate", `Basic realm="Towpath", charset="UTF-8"`)
			http.Error(seen, refused.text, refused.status)
		case http.StatusTooManyRequests:
			header.Set("Retry-After", strconv.Itoa(int(math.Ceil(refused.wait.Seconds()))))
			http.Error(seen, refused.text, refused.status)
		default:
			http.Error(seen, refused.text, refused.status)
		}
		d.log(r, params, seen.status, refused.reason, d.cfg.Now().Sub(started))
	}
}

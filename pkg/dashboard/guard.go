package dashboard

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"towpath/pkg/users"
)

// contentPolicy allows this origin's own style sheet, script and icon, and
// nothing else; no page has an inline script or style.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard says who made a request: whom a session's cookie names, who sends a user's
// name and password by HTTP Basic, as scripts do, or who came through the gate. What
// a request looks like, its peer and its headers, admits nobody: behind a proxy or a
// relay everybody looks like this machine.
type guard struct {
	users   *users.Store // nil: nobody signs in
	gate    *Gate
	origin  *http.CrossOriginProtection
	known   knownBrowsers
	session sessionCookie
}

func newGuard(cfg Config) guard {
	return guard{
		users: cfg.Users, gate: cfg.Gate, origin: http.NewCrossOriginProtection(),
		known:   knownBrowsers{box: cfg.Box, path: cfg.BasePath + "/dashboard", secure: cfg.Secure},
		session: sessionCookie{path: cfg.BasePath + "/", secure: cfg.Secure},
	}
}

// refusal is an answer to somebody who may not see the page; the zero value is
// none.
type refusal struct {
	status int
	reason string // for the log
	text   string
	wait   time.Duration
	err    error // why it could not be judged
}

func (r refusal) seconds() string { return strconv.Itoa(int(math.Ceil(r.wait.Seconds()))) }

// check says who made a request, or why it is refused. Where the database is away
// nobody is let in.
func (g guard) check(r *http.Request) (Visitor, refusal) {
	if g.gate != nil && g.gate.Knows(r) {
		return Visitor{Name: users.FirstAdmin, Role: users.Admin}, refusal{}
	}
	if g.users == nil {
		return Visitor{}, refusal{status: http.StatusForbidden, reason: "no token", text: "Open the address that was printed at the start; it has a token."}
	}
	if token, sent := g.session.token(r); sent {
		user, ok, err := g.users.Resume(r.Context(), token)
		if err != nil {
			return Visitor{}, refusal{status: http.StatusServiceUnavailable, reason: "not judged", err: err}
		}
		if ok {
			return Visitor{Name: user.Name, Role: user.Role, Session: true, Tenant: user.Tenant, Password: user.Password, Issuer: user.Issuer}, refusal{}
		}
	}
	if name, password, sent := r.BasicAuth(); sent {
		outcome, refused := g.guess(r, name, password)
		return Visitor{Name: outcome.User.Name, Role: outcome.User.Role, Tenant: outcome.User.Tenant}, refused
	}
	return Visitor{}, refusal{status: http.StatusUnauthorized, reason: "no credentials", text: askPassword}
}

const (
	askPassword = "The dashboard asks for a user and a password. People sign in at /dashboard/sign-in; scripts send both by HTTP Basic.\n" +
		"TOWPATH_ADMIN_PASSWORD is the password of the user admin; others are made by: towpath user add"
	wrongPassword = "The user name or the password is wrong."
	fromElsewhere = "This request came from another site's page. Open the dashboard itself and press the button there."
)

// guess judges a name and a password, however they came.
func (g guard) guess(r *http.Request, name, password string) (users.Outcome, refusal) {
	outcome, err := g.users.SignIn(r.Context(), users.Attempt{Name: name, Password: password, Address: addressOf(r), Known: g.known.of(r)})
	switch {
	case err != nil:
		return outcome, refusal{status: http.StatusServiceUnavailable, reason: "not judged", err: err}
	case outcome.Wait > 0:
		return outcome, tooMany("wrong passwords", outcome.Wait)
	case !outcome.OK:
		return outcome, refusal{status: http.StatusUnauthorized, reason: "wrong password", text: wrongPassword + "\n" + askPassword}
	}
	return outcome, refusal{}
}

// tooMany refuses somebody whose allowance is spent.
func tooMany(what string, wait time.Duration) refusal {
	return refusal{status: http.StatusTooManyRequests, reason: "too many " + what, wait: wait,
		text: "Too many " + what + ". The next one is looked at in " + wait.Round(time.Second).String() + "; until then the right one is not either."}
}

// forbid refuses a visitor whose role does not suffice.
func forbid(v Visitor, least users.Role) refusal {
	return refusal{status: http.StatusForbidden, reason: "role",
		text: fmt.Sprintf("You are signed in as %s, whose role is %s. This takes the role %s: ask an admin of this Towpath.", v.Name, v.Role, least)}
}

// forbidAll refuses a visitor who may see one shop's frame only.
func (d *Dashboard) forbidAll(v Visitor) refusal {
	return refusal{status: http.StatusForbidden, reason: "role",
		text: fmt.Sprintf("You are signed in as %s, who sees one shop only: in the shop's admin, or at %s", v.Name, d.at("/embed/"+v.Tenant.String()))}
}

// setHeaders sets what every answer has.
func setHeaders(header http.Header) {
	header.Set("Content-Security-Policy", contentPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "same-origin") // no-referrer would make a form's Origin null
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
}

// guarded puts the guard and the headers that every answer has in front of a
// route, and writes the request's log line. What is for everybody asks nobody: it
// works with the database away.
func (d *Dashboard) guarded(at route) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		setHeaders(w.Header())
		seen := &recorder{ResponseWriter: w, status: http.StatusOK}
		started := d.cfg.Now()
		if d.guard.gate != nil && d.guard.gate.Entered(seen, r) {
			return
		}
		var visitor Visitor
		var refused refusal
		switch {
		case d.guard.origin.Check(r) != nil:
			refused = refusal{status: http.StatusForbidden, reason: "cross-origin", text: fromElsewhere}
		case at.least > users.Nobody:
			visitor, refused = d.check(r)
			switch {
			case refused.status != 0:
			case visitor.Tenant != nil:
				refused = d.forbidAll(visitor)
				visitor = Visitor{}
			case !visitor.Role.May(at.least):
				refused = forbid(visitor, at.least)
			}
		}
		r = as(r, visitor)
		if refused.status == 0 {
			at.handle(seen, r, params)
		} else {
			d.refuse(seen, r, refused)
		}
		d.log(r, params, seen.status, refused.reason, d.cfg.Now().Sub(started))
	}
}

// refuse answers a request that is not let in. A browser that opens a page is sent to
// sign in; only what is no browser is asked by HTTP Basic, for which browsers would
// show a window of their own.
func (d *Dashboard) refuse(w http.ResponseWriter, r *http.Request, refused refusal) {
	_, _, sent := r.BasicAuth()
	switch {
	case refused.status == http.StatusServiceUnavailable:
		d.away(w, r, refused.err)
		return
	case refused.status == http.StatusUnauthorized && !sent && opensPage(r):
		http.Redirect(w, r, d.signInAddress(r), http.StatusSeeOther)
		return
	case refused.status == http.StatusUnauthorized && (sent || !fromBrowser(r)):
		w.Header().Set("WWW-Authenticate", `Basic realm="Towpath", charset="UTF-8"`)
	case refused.status == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", refused.seconds())
	case refused.reason == "role" && opensPage(r):
		d.show(w, refused.status, d.pages.message, d.about(r, "Not allowed", "Your role does not allow this", refused.text))
		return
	}
	http.Error(w, refused.text, refused.status)
}

func opensPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// fromBrowser is for what an open page asks for by script.
func fromBrowser(r *http.Request) bool {
	_, signedIn := r.Cookie(sessionName)
	return opensPage(r) || signedIn == nil || r.Header.Get("Sec-Fetch-Mode") != ""
}

package dashboard

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/julienschmidt/httprouter"

	"towpath/pkg/users"
)

// sessionCookie is where a browser keeps the token of its session. Scripts of a page
// cannot read it; other sites' pages cannot send it with a form.
type sessionCookie struct {
	path   string
	secure bool
}

const sessionName = "towpath-session"

func (c sessionCookie) token(r *http.Request) (string, bool) {
	cookie, err := r.Cookie(sessionName)
	if err != nil || cookie.Value == "" {
		return "", false
	}
	return cookie.Value, true
}

func (c sessionCookie) set(w http.ResponseWriter, token string) {
	cookie := &http.Cookie{Name: sessionName, Value: token, Path: c.path, MaxAge: int(users.Lifetime.Seconds()),
		HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode}
	if token == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

// signInPage is /dashboard/sign-in.
type signInPage struct {
	frame
	Name, Next string
	Wrong      string // why the last attempt failed
	Nobody     bool   // there is no user yet
	Provider   string // the identity provider; empty: there is none
	Begin      string // the way to it
	Refused    string // why nobody is signed in by it
}

const signInPath = "/dashboard/sign-in"

// signInAddress is where a browser signs in, and from there goes where it wanted to.
func (d *Dashboard) signInAddress(r *http.Request) string {
	next := r.URL.RequestURI()
	if r.Method != http.MethodGet { // a button: back to its page, to be pressed again
		next = ""
		if from, err := url.Parse(r.Referer()); err == nil && from.Host == r.Host {
			next = strings.TrimPrefix(from.RequestURI(), d.cfg.BasePath)
		}
	}
	if next = localPage(next); next == startPage {
		return d.at(signInPath)
	}
	return d.at(signInPath) + "?" + url.Values{"next": {next}}.Encode()
}

const startPage = "/dashboard"

// localPage is the page of the dashboard that next names, else its start: nobody is
// sent elsewhere by a link to the sign-in.
func localPage(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.Opaque != "" || strings.Contains(next, `\`) ||
		!strings.HasPrefix(u.Path, startPage+"/") || strings.Contains(u.Path, "..") || strings.HasPrefix(u.Path, signInPath) {
		return startPage
	}
	return u.RequestURI()
}

func (d *Dashboard) signInForm(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	d.showSignIn(w, r, http.StatusOK, signInPage{Next: localPage(r.URL.Query().Get("next"))})
}

func (d *Dashboard) showSignIn(w http.ResponseWriter, r *http.Request, status int, page signInPage) {
	if d.guard.users == nil {
		d.notFound(w, r)
		return
	}
	ctx, cancel := d.within(r)
	defer cancel()
	any, err := d.guard.users.Any(ctx)
	if err != nil {
		d.away(w, r, err)
		return
	}
	page.frame, page.Nobody = d.frame(ctx, "Sign in", ""), !any && d.cfg.Identity == nil
	if d.cfg.Identity != nil {
		page.Provider, page.Begin = d.cfg.Identity.Name(), oidcPath
		if page.Next != startPage {
			page.Begin += "?" + url.Values{"next": {page.Next}}.Encode()
		}
	}
	d.show(w, status, d.pages.signIn, page)
}

// maxSignIn is the most that a form of the sign-in sends.
const maxSignIn = 8 << 10

// signIn begins a session under a new token. What the browser's session was before
// ends: a token that somebody else put there is worth nothing.
func (d *Dashboard) signIn(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if d.guard.users == nil {
		d.notFound(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	name, password, next := r.PostFormValue("name"), r.PostFormValue("password"), localPage(r.PostFormValue("next"))
	outcome, refused := d.guard.guess(r, name, password)
	switch refused.status {
	case 0:
		d.begin(w, r, outcome, next)
	case http.StatusServiceUnavailable:
		d.away(w, r, refused.err)
	default:
		d.cfg.Logger.WarnContext(r.Context(), "sign-in refused", "reason", refused.reason, "peer", addressOf(r)) // no name: people type passwords there
		d.showSignIn(w, r, refused.status, signInPage{Name: name, Next: next, Wrong: saidTo(w, refused)})
	}
}

// saidTo is why a password was not taken, for the page; it says when to come again.
func saidTo(w http.ResponseWriter, refused refusal) string {
	if refused.status != http.StatusTooManyRequests {
		return wrongPassword
	}
	w.Header().Set("Retry-After", refused.seconds())
	return refused.text
}

// begin lets a user in whose password was right.
func (d *Dashboard) begin(w http.ResponseWriter, r *http.Request, outcome users.Outcome, next string) {
	if old, sent := d.guard.session.token(r); sent {
		if err := d.guard.users.End(r.Context(), old); err != nil {
			d.away(w, r, err)
			return
		}
	}
	token, err := d.guard.users.Begin(r.Context(), outcome.User)
	if err != nil {
		d.away(w, r, err)
		return
	}
	d.guard.session.set(w, token)
	d.guard.known.remember(w, outcome.Mark)
	d.cfg.Logger.InfoContext(r.Context(), "signed in", "user", outcome.User.Name, "role", outcome.User.Role.String(), "oidc_issuer", outcome.User.Issuer, "peer", addressOf(r))
	http.Redirect(w, r, d.at(next), http.StatusSeeOther)
}

// signOut ends the session; a repeat ends nothing more.
func (d *Dashboard) signOut(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if token, sent := d.guard.session.token(r); sent && d.guard.users != nil {
		if err := d.guard.users.End(r.Context(), token); err != nil {
			d.away(w, r, err)
			return
		}
	}
	d.guard.session.set(w, "")
	http.Redirect(w, r, d.at(signInPath), http.StatusSeeOther)
}

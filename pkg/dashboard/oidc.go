package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"towpath/pkg/idp"
	"towpath/pkg/users"
)

// oidcPath is where a browser leaves for the identity provider. It is a link, no form:
// browsers hold the target of a redirect that follows a form against form-action.
const oidcPath = "/dashboard/sign-in/oidc"

// oidcTime bounds what is asked of the identity provider for one request.
const oidcTime = 45 * time.Second

// oidcCookies are those of sign-ins under way, one each, so that two pages of a browser
// may sign in at once. Over https their prefix keeps other hosts of the domain from
// setting one: else somebody could sign others in as himself.
func (d *Dashboard) oidcCookies() string {
	if d.cfg.Secure {
		return "__Host-towpath-oidc-"
	}
	return "towpath-oidc-"
}

func (d *Dashboard) oidcCookie(state, value string) *http.Cookie {
	sum := sha256.Sum256([]byte(state))
	return d.oidcCookieNamed(d.oidcCookies()+hex.EncodeToString(sum[:4]), value)
}

// oidcCookieNamed is sent with the link that leads back from the provider's site: Lax.
func (d *Dashboard) oidcCookieNamed(name, value string) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(idp.Life.Seconds()), HttpOnly: true, Secure: d.cfg.Secure, SameSite: http.SameSiteLaxMode}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// maxUnderWay is how many sign-ins a browser may have begun at once: more are forgotten,
// so that its cookies do not grow.
const maxUnderWay = 4

// oidcBegin sends a browser to the identity provider.
func (d *Dashboard) oidcBegin(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if !d.oidcThere(w, r) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), oidcTime)
	defer cancel()
	next := localPage(r.URL.Query().Get("next"))
	begun, err := d.cfg.Identity.Begin(ctx, next)
	if err != nil {
		d.notVouched(w, r, next, err)
		return
	}
	var old []string
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, d.oidcCookies()) {
			old = append(old, c.Name)
		}
	}
	if len(old) >= maxUnderWay {
		for _, name := range old {
			http.SetCookie(w, d.oidcCookieNamed(name, ""))
		}
	}
	http.SetCookie(w, d.oidcCookie(begun.State, begun.Cookie))
	http.Redirect(w, r, begun.Address, http.StatusSeeOther)
}

// oidcThere answers where there is no identity provider, and what must not use a sign-in
// up.
func (d *Dashboard) oidcThere(w http.ResponseWriter, r *http.Request) bool {
	if d.cfg.Identity == nil || d.guard.users == nil {
		d.show(w, http.StatusNotFound, d.pages.message, d.about(r, "Not found", "No identity provider", "This Towpath signs people in by a password only."))
		return false
	}
	return r.Method == http.MethodGet
}

// oidcCallback lets in whom the identity provider vouches for. The query holds the code
// and is never logged. The cookie goes with the try, whatever comes of it: a reload finds
// the sign-in ended. If the process dies on the way, the browser begins again.
func (d *Dashboard) oidcCallback(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if !d.oidcThere(w, r) {
		return
	}
	trip, err := d.cfg.Identity.Recognize(d.oidcAnswer(w, r))
	if err != nil {
		d.notVouched(w, r, startPage, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), oidcTime)
	defer cancel()
	next := localPage(trip.Next())
	var vouched users.Vouched
	var failed error
	wait, err := d.guard.users.Charged(ctx, addressOf(r), func() (wrong bool) {
		vouched, failed = d.cfg.Identity.Finish(ctx, trip)
		var no *idp.Refusal
		return errors.As(failed, &no)
	})
	switch {
	case err != nil:
		d.away(w, r, err)
	case wait > 0:
		refused := tooMany("sign-ins that failed", wait)
		d.cfg.Logger.WarnContext(r.Context(), "sign-in refused", "reason", refused.reason, "peer", addressOf(r))
		d.showSignIn(w, r, refused.status, signInPage{Next: next, Refused: saidTo(w, refused)})
	case failed != nil:
		d.notVouched(w, r, next, failed)
	default:
		d.letIn(w, r, vouched, next)
	}
}

// oidcAnswer reads what a browser came back with, and takes its cookie away.
func (d *Dashboard) oidcAnswer(w http.ResponseWriter, r *http.Request) idp.Answer {
	q := r.URL.Query()
	a := idp.Answer{State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss"), Fault: q.Get("error"), Detail: q.Get("error_description")}
	gone := d.oidcCookie(a.State, "")
	if c, err := r.Cookie(gone.Name); err == nil {
		a.Cookie = c.Value
		http.SetCookie(w, gone)
	}
	return a
}

// letIn begins the session of the user whom an account of the provider means.
func (d *Dashboard) letIn(w http.ResponseWriter, r *http.Request, vouched users.Vouched, next string) {
	user, err := d.guard.users.SignInVouched(r.Context(), vouched)
	var no *users.NotLetIn
	switch {
	case errors.As(err, &no):
		d.cfg.Logger.WarnContext(r.Context(), "sign-in refused", "reason", no.Reason, "user", vouched.Name, "subject", vouched.Subject, "peer", addressOf(r))
		d.showSignIn(w, r, http.StatusForbidden, signInPage{Next: next, Refused: no.Text})
	case err != nil:
		d.away(w, r, err)
	default:
		d.begin(w, r, users.Outcome{User: user}, next)
	}
}

// notVouched says why nobody is signed in. A password still does.
func (d *Dashboard) notVouched(w http.ResponseWriter, r *http.Request, next string, err error) {
	page := signInPage{Next: next}
	var no *idp.Refusal
	if errors.As(err, &no) {
		d.cfg.Logger.WarnContext(r.Context(), "sign-in refused", "reason", no.Reason, "error", no, "peer", addressOf(r))
		page.Refused = no.Text
		d.showSignIn(w, r, http.StatusUnauthorized, page)
		return
	}
	d.cfg.Logger.ErrorContext(r.Context(), "identity provider away", "error", err)
	page.Refused = d.cfg.Identity.Name() + " does not answer as it should, so nobody can be signed in by it now. Try again in a moment, or sign in by a password. towpath doctor says more."
	w.Header().Set("Retry-After", "10")
	d.showSignIn(w, r, http.StatusServiceUnavailable, page)
}

package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/users"
)

// The page that the shop's module shows in a frame of the shop's admin. The module
// sends nothing but the address: no token, and no word of who looks at it. So the
// frame has a sign-in of its own, whose cookie goes nowhere else, and the address
// alone shows nothing.

// embedPage is /embed/{tenant}.
type embedPage struct {
	frame
	TenantID uuid.UUID
	Shop     string
	SignIn   bool   // the form is shown, and no runs
	Name     string // as it was typed
	Wrong    string // why nobody is signed in, or why not here
	Ended    bool   // the shop is connected to no ledger any more
	Staff    bool   // may open the runs' own pages
	Rows     []listRow
	Older    string
	Newest   string
}

const embedCookie = "towpath-embed"

// embedSession is the frame's cookie. Browsers send a cookie into a frame of another
// site only if it says SameSite=None, which needs https, and keep it for this shop's
// admin alone if it says Partitioned. Without https it works where shop and Towpath are
// one site, as on one machine.
func (d *Dashboard) embedSession(tenant uuid.UUID, token string) *http.Cookie {
	c := &http.Cookie{Name: embedCookie, Value: token, Path: d.at("/embed/" + tenant.String()), MaxAge: int(users.Lifetime.Seconds()),
		HttpOnly: true, Secure: d.cfg.Secure, SameSite: http.SameSiteLaxMode}
	if d.cfg.Secure {
		c.SameSite, c.Partitioned = http.SameSiteNoneMode, true
	}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}

// embedded reads whose frame this is and lets that shop's pages alone frame the answer.
// False: the answer has been given.
func (d *Dashboard) embedded(ctx context.Context, w http.ResponseWriter, r *http.Request, params httprouter.Params) (dbsqlc.EmbedTenantGetRow, bool) {
	id, ok := parseID(params.ByName("tenant"))
	if !ok {
		d.noFrame(w, r)
		return dbsqlc.EmbedTenantGetRow{}, false
	}
	tenant, err := d.queries.EmbedTenantGet(ctx, d.cfg.Pool, id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		d.noFrame(w, r)
	case err != nil:
		d.away(w, r, err)
	default:
		if origin := originOf(tenant.MagentoUrl); origin != "" {
			w.Header().Set("Content-Security-Policy", strings.Replace(contentPolicy, "frame-ancestors 'none'", "frame-ancestors "+origin, 1))
			w.Header().Del("X-Frame-Options") // it knows no origins
		}
		return tenant, true
	}
	return tenant, false
}

// originOf is the scheme, host and port of an address; empty where it has none, or
// anything that would end a directive.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || strings.ContainsAny(u.Host, " ;,'\"*") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func (d *Dashboard) noFrame(w http.ResponseWriter, r *http.Request) {
	d.show(w, http.StatusNotFound, d.pages.message, d.about(r, "Not found", "There is no such shop",
		"The shop was paired with another Towpath, or has been deleted here. Pair it again: towpath tenant pair --help"))
}

// embed shows the runs of the shop in whose admin it is framed to somebody who may see
// them.
func (d *Dashboard) embed(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	ctx, cancel := d.within(r)
	defer cancel()
	tenant, ok := d.embedded(ctx, w, r, params)
	if !ok {
		return
	}
	page := embedPage{frame: d.frame(ctx, tenant.Name, ""), TenantID: tenant.ID, Shop: tenant.Name}
	visitor, wrong, err := d.embedVisitor(r)
	switch {
	case err != nil:
		d.away(w, r, err)
		return
	case visitor.Role == users.Nobody:
		page.SignIn, page.Wrong = true, wrong
		d.show(w, http.StatusUnauthorized, d.pages.embed, page)
		return
	case visitor.Tenant != nil && *visitor.Tenant != tenant.ID:
		page.SignIn, page.Wrong = true, notThisShop
		d.show(w, http.StatusForbidden, d.pages.embed, page)
		return
	}
	page.Visitor, page.Staff = visitor, visitor.Tenant == nil
	if !tenant.Live {
		page.Ended = true
		d.show(w, http.StatusUnauthorized, d.pages.embed, page)
		return
	}
	d.embedRuns(ctx, w, r, page)
}

const (
	notThisShop  = "This user may see another shop only. Sign in as a user of this one: towpath user add NAME --role viewer --tenant SHOP"
	sessionEnded = "Your session has ended. Sign in again."
)

// embedVisitor is who has signed in in the frame, or came through the gate.
func (d *Dashboard) embedVisitor(r *http.Request) (v Visitor, wrong string, err error) {
	if d.guard.gate != nil && d.guard.gate.Knows(r) {
		return Visitor{Name: users.FirstAdmin, Role: users.Admin}, "", nil
	}
	cookie, none := r.Cookie(embedCookie)
	if none != nil || d.guard.users == nil {
		return Visitor{}, "", nil
	}
	user, ok, err := d.guard.users.Resume(r.Context(), cookie.Value)
	if err != nil || !ok {
		return Visitor{}, sessionEnded, err
	}
	return Visitor{Name: user.Name, Role: user.Role, Tenant: user.Tenant, Session: true}, "", nil
}

func (d *Dashboard) embedRuns(ctx context.Context, w http.ResponseWriter, r *http.Request, page embedPage) {
	f := filter{Tenant: page.TenantID.String(), Before: r.URL.Query().Get("before")}
	before, ok := parseCursor(f.Before)
	if !ok {
		before, f.Before = newest(), ""
	}
	runs, err := d.queries.DashboardRunList(ctx, d.cfg.Pool, f.params(before, int32(d.cfg.PageSize+1)))
	if err != nil {
		d.away(w, r, err)
		return
	}
	here := "/embed/" + page.TenantID.String()
	if len(runs) > d.cfg.PageSize {
		runs = runs[:d.cfg.PageSize]
		last := runs[len(runs)-1]
		page.Older = here + "?" + url.Values{"before": {cursor{at: last.ReceivedAt, id: last.ID}.String()}}.Encode()
	}
	if f.Before != "" {
		page.Newest = here
	}
	for _, run := range runs {
		page.Rows = append(page.Rows, rowOf(page.Now, f, run))
	}
	page.Refresh = d.cfg.Refresh
	d.show(w, http.StatusOK, d.pages.embed, page)
}

// embedSignIn begins a session of the frame. A repeat begins another.
func (d *Dashboard) embedSignIn(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	tenant, ok := d.embedded(r.Context(), w, r, params)
	if !ok {
		return
	}
	if d.guard.users == nil {
		d.noFrame(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	page := embedPage{frame: d.frame(r.Context(), tenant.Name, ""), TenantID: tenant.ID, Shop: tenant.Name, SignIn: true, Name: r.PostFormValue("name")}
	outcome, refused := d.guard.guess(r, page.Name, r.PostFormValue("password"))
	switch {
	case refused.status == http.StatusServiceUnavailable:
		d.away(w, r, refused.err)
		return
	case refused.status != 0:
		d.cfg.Logger.WarnContext(r.Context(), "sign-in refused", "reason", refused.reason, "peer", addressOf(r), "tenant", tenant.ID)
		page.Wrong = saidTo(w, refused)
		d.show(w, refused.status, d.pages.embed, page)
		return
	case outcome.User.Tenant != nil && *outcome.User.Tenant != tenant.ID:
		page.Wrong = notThisShop
		d.show(w, http.StatusForbidden, d.pages.embed, page)
		return
	}
	token, err := d.guard.users.Begin(r.Context(), outcome.User)
	if err != nil {
		d.away(w, r, err)
		return
	}
	http.SetCookie(w, d.embedSession(tenant.ID, token))
	d.cfg.Logger.InfoContext(r.Context(), "signed in", "user", outcome.User.Name, "role", outcome.User.Role.String(), "peer", addressOf(r), "tenant", tenant.ID)
	http.Redirect(w, r, d.at("/embed/"+tenant.ID.String()), http.StatusSeeOther)
}

// embedSignOut ends the frame's session; a repeat ends nothing more.
func (d *Dashboard) embedSignOut(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	tenant, ok := d.embedded(r.Context(), w, r, params)
	if !ok {
		return
	}
	if c, err := r.Cookie(embedCookie); err == nil && d.guard.users != nil {
		if err := d.guard.users.End(r.Context(), c.Value); err != nil {
			d.away(w, r, err)
			return
		}
	}
	http.SetCookie(w, d.embedSession(tenant.ID, ""))
	http.Redirect(w, r, d.at("/embed/"+tenant.ID.String()), http.StatusSeeOther)
}

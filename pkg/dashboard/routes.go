package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/idp"
	"towpath/pkg/users"
)

// route is one address of the pages: who may ask for it, and what answers. GET
// serves HEAD too.
type route struct {
	method, path string
	least        users.Role
	handle       httprouter.Handle
}

// routes are all of them. A test names the least role of each, and tries each as
// everybody. What changes something is a POST.
func (d *Dashboard) routes() []route {
	return []route{
		{http.MethodGet, "/dashboard/static/:file", users.Nobody, d.file},    // style sheet, script, icon
		{http.MethodGet, "/dashboard/sign-in", users.Nobody, d.signInForm},   // name and password
		{http.MethodPost, "/dashboard/sign-in", users.Nobody, d.signIn},      // a repeat begins another session
		{http.MethodPost, "/dashboard/sign-out", users.Nobody, d.signOut},    // a repeat finds nothing to end
		{http.MethodGet, oidcPath, users.Nobody, d.oidcBegin},                // on to the identity provider; stores nothing
		{http.MethodGet, idp.CallbackPath, users.Nobody, d.oidcCallback},     // back from there; a repeat finds the sign-in ended
		{http.MethodGet, "/dashboard/account", users.Viewer, d.account},      // who one is, and a form for another password
		{http.MethodPost, "/dashboard/account", users.Viewer, d.newPassword}, // a repeat finds the old password wrong

		{http.MethodGet, "/dashboard", users.Viewer, d.overview}, // how the day goes, and what needs somebody

		{http.MethodGet, "/dashboard/sync", users.Viewer, d.list},                 // the runs, newest first, filtered, page by page
		{http.MethodGet, "/dashboard/sync/:id", users.Viewer, d.run},              // one run: what it waits for, its history, its documents
		{http.MethodPost, "/dashboard/sync/:id/retry", users.Operator, d.retry},   // a repeat finds nothing to do
		{http.MethodPost, "/dashboard/sync/:id/cancel", users.Operator, d.cancel}, // ends a run; a repeat finds nothing to do

		{http.MethodGet, "/dashboard/bulk/:deed", users.Operator, d.bulkPreview}, // what would be retried or cancelled under a filter
		{http.MethodPost, "/dashboard/bulk/:deed", users.Operator, d.bulkAct},    // a repeat does it to what still fits

		{http.MethodGet, "/dashboard/held", users.Viewer, d.held},               // what is held, by reason, with what to do
		{http.MethodPost, "/dashboard/held/release", users.Operator, d.release}, // a repeat releases what is held by then

		{http.MethodGet, "/dashboard/live", users.Viewer, d.live}, // a stream of events: something changed

		{http.MethodGet, "/dashboard/connections", users.Viewer, d.connections},                 // the bindings: what works, what a person must do, what waits
		{http.MethodPost, "/dashboard/connections/:binding/connect", users.Operator, d.connect}, // at once, or on to the consent; a repeat does it again

		{http.MethodGet, QueuePath, users.Viewer, d.queue}, // River UI: the jobs; what is done there shows in the runs
		{http.MethodGet, QueuePath + "/*rest", users.Viewer, d.queue},
		{http.MethodPost, QueuePath + "/*rest", users.Operator, d.queue},
		{http.MethodPut, QueuePath + "/*rest", users.Operator, d.queue},
		{http.MethodPatch, QueuePath + "/*rest", users.Operator, d.queue},

		// The frame in the shop's admin: who may see it is its own affair.
		{http.MethodGet, "/embed/:tenant", users.Nobody, d.embed},
		{http.MethodPost, "/embed/:tenant/sign-in", users.Nobody, d.embedSignIn},   // a repeat begins another session
		{http.MethodPost, "/embed/:tenant/sign-out", users.Nobody, d.embedSignOut}, // a repeat finds nothing to end

		{http.MethodGet, "/dashboard/gaps", users.Viewer, d.gaps}, // numbers that did not come, and shops quieter than usual

		{http.MethodGet, "/dashboard/shops", users.Viewer, d.shopList},     // every shop, also one without a binding, and what each needs
		{http.MethodGet, "/dashboard/shops/:tenant", users.Viewer, d.shop}, // one shop, its connections and what it needs
		{http.MethodGet, "/dashboard/pair", users.Admin, d.pairForm},
		{http.MethodPost, "/dashboard/pair", users.Admin, d.pair},                          // sent again whatever happened: it finds out, and pairs if it must
		{http.MethodGet, "/dashboard/shops/:tenant/key", users.Admin, d.keyForm},           // asks before another key is made
		{http.MethodPost, "/dashboard/shops/:tenant/key", users.Admin, d.rotateKey},        // a repeat makes another
		{http.MethodGet, "/dashboard/bindings/:binding/disconnect", users.Admin, d.ending}, // what waits, and whether
		{http.MethodPost, "/dashboard/bindings/:binding/disconnect", users.Admin, d.end},   // a repeat finds it ended
		{http.MethodGet, "/dashboard/audit", users.Viewer, d.auditLog},                     // who changed what

		{http.MethodGet, "/dashboard/users", users.Admin, d.userList},                      // who may use the pages, and a form for another
		{http.MethodPost, "/dashboard/users", users.Admin, d.addUser},                      // a repeat finds the name taken
		{http.MethodGet, "/dashboard/users/:user", users.Admin, d.user},                    // one user, and what can be done to it
		{http.MethodPost, "/dashboard/users/:user/role", users.Admin, d.setRole},           // a repeat sets the same
		{http.MethodPost, "/dashboard/users/:user/password", users.Admin, d.resetPassword}, // a repeat makes another
		{http.MethodPost, "/dashboard/users/:user/disable", users.Admin, d.disableUser},    // a repeat finds it disabled
		{http.MethodPost, "/dashboard/users/:user/enable", users.Admin, d.enableUser},      // a repeat finds it enabled
		{http.MethodPost, "/dashboard/users/:user/sign-out", users.Admin, d.signOutUser},   // a repeat finds nothing to end

		{http.MethodGet, "/dashboard/bindings/:binding/settings", users.Viewer, d.settings},         // the form, with the settings in force
		{http.MethodPost, "/dashboard/bindings/:binding/settings", users.Admin, d.review},           // of a form: what it would change; stores nothing
		{http.MethodPost, "/dashboard/bindings/:binding/settings/review", users.Admin, d.review},    // the same of JSON, as of an older version
		{http.MethodPost, "/dashboard/bindings/:binding/settings/what-if", users.Admin, d.tryOut},   // and on stored documents; stores nothing
		{http.MethodPost, "/dashboard/bindings/:binding/settings/edit", users.Admin, d.edit},        // back to the form; stores nothing
		{http.MethodPost, "/dashboard/bindings/:binding/settings/save", users.Admin, d.save},        // a repeat finds another version in force, and stores nothing
		{http.MethodPost, "/dashboard/bindings/:binding/refresh", users.Operator, d.refresh},        // asks the ledger what it has; a repeat does it again
		{http.MethodGet, "/dashboard/bindings/:binding/versions/:version", users.Viewer, d.version}, // one version of the settings, and what restoring it would change
	}
}

// Register adds the routes to a router, each behind the guard.
func (d *Dashboard) Register(router *httprouter.Router) {
	for _, at := range d.routes() {
		router.Handle(at.method, at.path, d.guarded(at))
		if at.method == http.MethodGet {
			router.Handle(http.MethodHead, at.path, d.guarded(at))
		}
	}
	router.NotFound = d.unknown(router.NotFound)
}

// unknown answers a person who opens a page that is not there with a page, in place of
// next, which is for machines.
func (d *Dashboard) unknown(next http.Handler) http.Handler {
	if next == nil {
		next = http.NotFoundHandler()
	}
	page := d.guarded(route{http.MethodGet, "/dashboard/", users.Viewer, func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
		d.show(w, http.StatusNotFound, d.pages.message, d.about(r, "Not found", "There is no such page", "The address may be cut short or mistyped."))
	}})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/dashboard/") && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			page(w, r, nil)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// leastRoles is the table by "METHOD path", for what a page offers.
func leastRoles(routes []route) map[string]users.Role {
	least := map[string]users.Role{}
	for _, at := range routes {
		least[at.method+" "+at.path] = at.least
	}
	return least
}

// Visitor is who made a request.
type Visitor struct {
	Name    string
	Role    users.Role
	Session bool       // signed in on the page, and may sign out there
	Tenant  *uuid.UUID // may see this shop's frame only; nil: everything that the role may

	Password bool   // of a session: has one, and may change it
	Issuer   string // of a session: the identity provider that vouches for it; empty: none
}

type visitorKey struct{}

// VisitorOf is who made the request of this context; the zero value where nobody is
// known. Config's functions are given it, for the history of what they change.
func VisitorOf(ctx context.Context) Visitor {
	v, _ := ctx.Value(visitorKey{}).(Visitor)
	return v
}

// as hands a visitor to what answers the request.
func as(r *http.Request, v Visitor) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), visitorKey{}, v))
}

// May reports whether the visitor may use a route, "POST /dashboard/sync/:id/retry":
// a page shows no button that is refused. A route that is not in the table is a
// mistake in the template.
func (f frame) May(route string) (bool, error) {
	least, known := f.least[route]
	if !known {
		return false, fmt.Errorf("no route %q", route)
	}
	return f.Visitor.Role.May(least), nil
}

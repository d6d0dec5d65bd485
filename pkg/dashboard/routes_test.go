package dashboard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dashboard"
	"towpath/pkg/users"
)

// leastRoles are what each page and button takes. It is written here once more, so
// that nobody loosens one by accident.
func leastRoles() map[string]users.Role {
	return map[string]users.Role{
		"GET /dashboard":                               users.Viewer,
		"GET /dashboard/static/:file":                  users.Nobody,
		"GET /dashboard/sign-in":                       users.Nobody,
		"POST /dashboard/sign-in":                      users.Nobody,
		"POST /dashboard/sign-out":                     users.Nobody,
		"GET /dashboard/sign-in/oidc":                  users.Nobody,
		"GET /dashboard/sign-in/callback":              users.Nobody,
		"GET /dashboard/account":                       users.Viewer,
		"POST /dashboard/account":                      users.Viewer,
		"GET /dashboard/sync":                          users.Viewer,
		"GET /dashboard/sync/:id":                      users.Viewer,
		"POST /dashboard/sync/:id/retry":               users.Operator,
		"GET /dashboard/bulk/:deed":                    users.Operator,
		"POST /dashboard/bulk/:deed":                   users.Operator,
		"GET /dashboard/held":                          users.Viewer,
		"POST /dashboard/held/release":                 users.Operator,
		"GET /dashboard/live":                          users.Viewer,
		"POST /dashboard/sync/:id/cancel":              users.Operator,
		"GET /dashboard/connections":                   users.Viewer,
		"POST /dashboard/connections/:binding/connect": users.Operator,
		"GET /dashboard/queue":                         users.Viewer,
		"GET /dashboard/queue/*rest":                   users.Viewer,
		"POST /dashboard/queue/*rest":                  users.Operator,
		"PUT /dashboard/queue/*rest":                   users.Operator,
		"PATCH /dashboard/queue/*rest":                 users.Operator,
		"GET /embed/:tenant":                           users.Nobody,
		"POST /embed/:tenant/sign-in":                  users.Nobody,
		"POST /embed/:tenant/sign-out":                 users.Nobody,
		"GET /dashboard/gaps":                          users.Viewer,
		"GET /dashboard/shops":                         users.Viewer,
		"GET /dashboard/shops/:tenant":                 users.Viewer,
		"GET /dashboard/pair":                          users.Admin,
		"POST /dashboard/pair":                         users.Admin,
		"GET /dashboard/shops/:tenant/key":             users.Admin,
		"POST /dashboard/shops/:tenant/key":            users.Admin,
		"GET /dashboard/audit":                         users.Viewer,

		"GET /dashboard/users":                 users.Admin,
		"POST /dashboard/users":                users.Admin,
		"GET /dashboard/users/:user":           users.Admin,
		"POST /dashboard/users/:user/role":     users.Admin,
		"POST /dashboard/users/:user/password": users.Admin,
		"POST /dashboard/users/:user/disable":  users.Admin,
		"POST /dashboard/users/:user/enable":   users.Admin,
		"POST /dashboard/users/:user/sign-out": users.Admin,

		"GET /dashboard/bindings/:binding/disconnect":  users.Admin,
		"POST /dashboard/bindings/:binding/disconnect": users.Admin,

		"GET /dashboard/bindings/:binding/settings":          users.Viewer,
		"POST /dashboard/bindings/:binding/settings":         users.Admin,
		"POST /dashboard/bindings/:binding/settings/review":  users.Admin,
		"POST /dashboard/bindings/:binding/settings/what-if": users.Admin,
		"POST /dashboard/bindings/:binding/settings/edit":    users.Admin,
		"POST /dashboard/bindings/:binding/settings/save":    users.Admin,
		"POST /dashboard/bindings/:binding/refresh":          users.Operator,
		"GET /dashboard/bindings/:binding/versions/:version": users.Viewer,
	}
}

// Every route answers the roles that it is for, and 403 to all others; no other
// route is there, and nothing that a form posts is for viewers.
func Test_Every_route_is_for_its_roles_only(t *testing.T) {
	t.Parallel()
	placeholder := regexp.MustCompile(`[:*][a-z]+`)
	b := setup(t)
	d := dashboard.New(dashboard.Config{Pool: b.pool,
		Retry:   func(context.Context, uuid.UUID) error { return nil },
		Connect: func(context.Context, uuid.UUID) (string, error) { return "", nil }})
	d.Close() // a stream would have no end
	router := httprouter.New()
	d.Register(router)
	seen := map[string]users.Role{}
	for _, row := range d.Rows() {
		seen[row.Method+" "+row.Path] = row.Least
		methods := []string{row.Method}
		if row.Method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		} else if !slices.Contains([]string{"/dashboard/sign-in", "/dashboard/sign-out", "/dashboard/account", "/embed/:tenant/sign-in", "/embed/:tenant/sign-out"}, row.Path) {
			require.True(t, row.Least.May(users.Operator), "%s changes something", row.Path)
		}
		path := placeholder.ReplaceAllString(row.Path, uuid.NewString())
		for role := users.Nobody; role <= users.Admin; role++ {
			d.Everybody(role)
			for _, method := range methods {
				w := httptest.NewRecorder()
				router.ServeHTTP(w, httptest.NewRequest(method, path, nil))
				if row.Path == "/dashboard/account" && method == http.MethodPost && role.May(users.Viewer) {
					continue // only who has signed in on the page: Test_Somebody_changes_their_own_password
				}
				refused := w.Code == http.StatusForbidden
				require.Equal(t, !role.May(row.Least), refused, "%s %s as %s: %d", method, path, role, w.Code)
			}
		}
	}
	require.Equal(t, leastRoles(), seen)
}

func Test_A_page_that_is_not_there_is_said_on_a_page(t *testing.T) {
	t.Parallel()
	a := setup(t).get("/dashboard/nonsense")
	require.Equal(t, http.StatusNotFound, a.status)
	require.Contains(t, a.body, "There is no such page")
	require.Contains(t, a.body, ">Queue</a>", "with the way to the others")
}

// A button that would be refused is not there.
func Test_A_viewer_sees_no_button_that_he_may_not_press(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.add("failed", columns{"error_code": "validation"}).String()
	b.app("authorization_code", "")
	d := dashboard.New(dashboard.Config{Pool: b.pool,
		Retry:   func(context.Context, uuid.UUID) error { return nil },
		Connect: func(context.Context, uuid.UUID) (string, error) { return "", nil }})
	router := httprouter.New()
	d.Register(router)
	for role, buttons := range map[users.Role]bool{users.Viewer: false, users.Operator: true, users.Admin: true} {
		d.Everybody(role)
		for _, path := range []string{"/dashboard/sync/" + run, "/dashboard/connections"} {
			w := httptest.NewRecorder()
			router.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			require.Equal(t, http.StatusOK, w.Code, path)
			require.Equal(t, buttons, regexp.MustCompile(`method="post"`).MatchString(w.Body.String()), "%s as %s", path, role)
		}
	}
}

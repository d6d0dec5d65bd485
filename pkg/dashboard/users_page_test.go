package dashboard_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/users"
)

var shownPassword = regexp.MustCompile(`<pre class="json" tabindex="0">([a-z2-7]{26})</pre>`)

// An admin does on the page what towpath user does; each change ends the sessions, is in
// the audit under the admin's name, and no password is shown twice.
func Test_An_admin_adds_and_changes_users_on_the_page(t *testing.T) {
	t.Parallel()
	b := setup(t)
	router := pagesFor(t, b)
	v, grace := browser(t, router, "203.0.113.9:1"), browser(t, router, "203.0.113.9:2")
	v.signIn("ada", thePassword, "")
	post := func(path string, form url.Values) *httptest.ResponseRecorder {
		return v.do(http.MethodPost, "/dashboard/users"+path, form, nil)
	}
	for name, wrong := range map[string]url.Values{
		"up to 64 letters": {"name": {"o'brien"}, "role": {"viewer"}}, "one of the roles": {"name": {"grace"}, "role": {"root"}},
		"would see one shop": {"name": {"grace"}, "role": {"operator"}, "tenant": {b.tenant.String()}},
	} {
		w := post("", wrong)
		require.Equal(t, http.StatusUnprocessableEntity, w.Code, name)
		require.Contains(t, w.Body.String(), name)
	}
	added := post("", url.Values{"name": {"Grace@example.com"}, "role": {"viewer"}})
	require.Equal(t, http.StatusOK, added.Code)
	password := shownPassword.FindStringSubmatch(added.Body.String())
	require.Len(t, password, 2)
	require.Equal(t, http.StatusConflict, post("", url.Values{"name": {"grace@example.com"}, "role": {"admin"}}).Code, "a reload adds nobody")
	in := func(password string) bool {
		return grace.signIn("grace@example.com", password, "").Code == http.StatusSeeOther && grace.get("/dashboard/sync").Code == http.StatusOK
	}
	require.True(t, in(password[1]))
	require.NotContains(t, grace.get("/dashboard/sync").Body.String(), ">Users</a>")
	require.Equal(t, http.StatusForbidden, grace.get("/dashboard/users").Code)
	page := v.get("/dashboard/users").Body.String()
	require.Contains(t, page, `href="/tow/dashboard/users/grace@example.com"`)
	require.NotContains(t, page, password[1])

	for _, change := range []struct {
		path string
		form url.Values
		says string
	}{
		{"/role", url.Values{"role": {"operator"}}, "The role was changed."}, {"/sign-out", nil, "All sessions of the user have ended."}, {"/disable", nil, "may sign in no more"},
	} {
		require.True(t, in(password[1]), change.path)
		done := post("/grace@example.com"+change.path, change.form)
		require.Equal(t, http.StatusSeeOther, done.Code, change.path)
		require.Contains(t, v.get(done.Header().Get("Location")[len("/tow"):]).Body.String(), change.says)
		require.Equal(t, http.StatusSeeOther, grace.get("/dashboard/sync").Code, "the session ended")
	}
	require.False(t, in(password[1]), "disabled")
	post("/grace@example.com/enable", nil)
	reset := shownPassword.FindStringSubmatch(post("/grace@example.com/password", nil).Body.String())
	require.Len(t, reset, 2)
	require.False(t, in(password[1]))
	require.True(t, in(reset[1]))
	for _, path := range []string{"/role", "/disable", "/password"} {
		own := post("/ada"+path, url.Values{"role": {"viewer"}})
		require.Equal(t, http.StatusConflict, own.Code, path)
		require.Contains(t, own.Body.String(), "Nothing was changed.")
	}
	require.Equal(t, http.StatusNotFound, post("/nobody/disable", nil).Code)

	_, err := b.users.AddFor(t.Context(), "frame", users.Viewer, thePassword, &b.tenant)
	require.NoError(t, err)
	require.Equal(t, http.StatusConflict, post("/frame/role", url.Values{"role": {"admin"}}).Code)
	require.Contains(t, v.get("/dashboard/users").Body.String(), "viewer, of Acme only")

	rows, err := b.pool.Query(t.Context(), "SELECT action || ' ' || after FROM audit WHERE who = 'ada' ORDER BY id")
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{
		`user.added {"role": "viewer", "user": "grace@example.com"}`, `user.changed {"role": "operator", "user": "grace@example.com"}`,
		`user.changed {"user": "grace@example.com", "sessions": "ended"}`, `user.changed {"user": "grace@example.com", "disabled": true}`,
		`user.changed {"user": "grace@example.com", "disabled": false}`, `user.changed {"user": "grace@example.com", "password": "another"}`,
	}, got)
	require.Equal(t, http.StatusSeeOther, post("/ada/sign-out", nil).Code)
	require.Equal(t, http.StatusSeeOther, v.get("/dashboard/users").Code, "one's own sessions too")
}

package dashboard_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/julienschmidt/httprouter"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dashboard"
	"towpath/pkg/secret"
	"towpath/pkg/users"
)

// visitor is a browser at an address; it keeps its cookies.
type visitor struct {
	t       *testing.T
	router  http.Handler
	peer    string
	cookies map[string]string
	framed  bool // in another site's page
}

// pagesFor is a dashboard of its own process, without the button to connect.
func pagesFor(t *testing.T, b *bundle, change ...func(*dashboard.Config)) *httprouter.Router {
	t.Helper()
	box, err := secret.ParseKeys(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	require.NoError(t, err)
	cfg := dashboard.Config{Pool: b.pool, Users: b.users, Box: box, Now: func() time.Time { return now }, Secure: true, BasePath: "/tow"}
	for _, c := range change {
		c(&cfg)
	}
	router := httprouter.New()
	dashboard.New(cfg).Register(router)
	return router
}

func browser(t *testing.T, router http.Handler, peer string) *visitor {
	return &visitor{t: t, router: router, peer: peer, cookies: map[string]string{}}
}

func (v *visitor) do(method, path string, form url.Values, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.RemoteAddr = v.peer
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	v.router.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		require.True(v.t, c.HttpOnly && c.Secure && (c.SameSite == http.SameSiteLaxMode || v.framed && c.SameSite == http.SameSiteNoneMode && c.Partitioned), c.Name)
		v.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	return w
}

func (v *visitor) get(path string) *httptest.ResponseRecorder {
	return v.do(http.MethodGet, path, nil, nil)
}

func (v *visitor) signIn(name, password, next string) *httptest.ResponseRecorder {
	return v.do(http.MethodPost, "/dashboard/sign-in", url.Values{"name": {name}, "password": {password}, "next": {next}}, nil)
}

func Test_Signing_in_leads_to_the_page_that_was_asked_for_and_out_again(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := browser(t, pagesFor(t, b), "203.0.113.9:1")
	asked := v.get("/dashboard/sync?status=failed")
	require.Equal(t, http.StatusSeeOther, asked.Code)
	require.Equal(t, "/tow/dashboard/sign-in?next=%2Fdashboard%2Fsync%3Fstatus%3Dfailed", asked.Header().Get("Location"))
	form := v.get("/dashboard/sign-in?next=%2Fdashboard%2Fsync%3Fstatus%3Dfailed")
	require.Equal(t, http.StatusOK, form.Code)
	require.Contains(t, form.Body.String(), `value="/dashboard/sync?status=failed"`)
	require.NotContains(t, form.Body.String(), "There is no user yet")
	require.NotContains(t, form.Body.String(), `href="/tow/dashboard/gaps"`, "no navigation for strangers")

	for _, wrong := range [][2]string{{"ada", "wrong password"}, {"grace", thePassword}, {"", ""}, {"ada", ""}, {"ada", strings.Repeat("x", 5000)}} {
		w := v.signIn(wrong[0], wrong[1], "")
		require.Equal(t, http.StatusUnauthorized, w.Code)
		require.Contains(t, w.Body.String(), "The user name or the password is wrong.", "the same for a user that is not there")
		require.Empty(t, w.Header().Get("WWW-Authenticate"))
		require.Empty(t, v.cookies)
	}
	in := v.signIn("Ada", thePassword, "/dashboard/sync?status=failed")
	require.Equal(t, http.StatusSeeOther, in.Code)
	require.Equal(t, "/tow/dashboard/sync?status=failed", in.Header().Get("Location"))
	first := v.cookies["towpath-session"]
	require.NotEmpty(t, first)
	page := v.get("/dashboard/sync")
	require.Equal(t, http.StatusOK, page.Code)
	require.Contains(t, page.Body.String(), "ada, admin")
	require.NotContains(t, page.Body.String(), first)

	require.Equal(t, http.StatusForbidden, v.do(http.MethodPost, "/dashboard/sign-out", nil, map[string]string{"Sec-Fetch-Site": "cross-site"}).Code)
	require.Equal(t, http.StatusOK, v.get("/dashboard/sync").Code)
	out := v.do(http.MethodPost, "/dashboard/sign-out", nil, nil)
	require.Equal(t, "/tow/dashboard/sign-in", out.Header().Get("Location"))
	require.NotContains(t, v.cookies, "towpath-session")
	v.cookies["towpath-session"] = first
	require.Equal(t, http.StatusSeeOther, v.get("/dashboard/sync").Code, "its token is worth nothing any more")
	script := v.do(http.MethodGet, "/dashboard/sync", nil, map[string]string{"Accept": "*/*"})
	require.Equal(t, http.StatusUnauthorized, script.Code, "the page's script reloads")
	require.Empty(t, script.Header().Get("WWW-Authenticate"), "no window of the browser's")
	require.Equal(t, http.StatusForbidden, v.do(http.MethodPost, "/dashboard/sign-in", url.Values{"name": {"ada"}, "password": {thePassword}}, map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}).Code)
}

func Test_Nobody_is_sent_elsewhere_by_a_link_to_the_sign_in(t *testing.T) {
	t.Parallel()
	v := browser(t, pagesFor(t, setup(t)), "203.0.113.9:1")
	for _, next := range []string{"https://evil.example/dashboard/sync", "//evil.example/dashboard/", `/\evil.example`, `/dashboard/\..\..`, "/dashboard/../../x", "javascript:alert(1)",
		"/dashboardx", "/dashboard/sign-in?next=x", "", "/livez", "http:/dashboard/sync"} {
		require.Equal(t, "/tow/dashboard", v.signIn("ada", thePassword, next).Header().Get("Location"), next)
	}
}

// The state is in Postgres: what one process counts, the other knows.
func Test_Sign_in_is_slowed_over_two_processes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two := pagesFor(t, b), pagesFor(t, b)
	for i := range 10 {
		require.Equal(t, http.StatusUnauthorized, browser(t, []http.Handler{one, two}[i%2], "203.0.113.9:1").signIn("ada", fmt.Sprint("guess ", i), "").Code)
	}
	for _, router := range []http.Handler{one, two} {
		w := browser(t, router, "203.0.113.9:77").signIn("ada", thePassword, "")
		require.Equal(t, http.StatusTooManyRequests, w.Code)
		require.Equal(t, "60", w.Header().Get("Retry-After"))
		require.Contains(t, w.Body.String(), "Too many wrong passwords")
	}
	require.Equal(t, http.StatusSeeOther, browser(t, two, "198.51.100.7:1").signIn("ada", thePassword, "").Code)
	same := browser(t, one, "[2001:db8::1:1]:5000")
	for range 10 {
		same.signIn("ada", "guess", "")
		same.peer = "[2001:db8::ffff:2]:5000"
	}
	require.Equal(t, http.StatusTooManyRequests, same.signIn("ada", thePassword, "").Code, "one /64 is one address")
	proxied := func(forwarded string) int {
		return browser(t, one, "127.0.0.1:5000").do(http.MethodPost, "/dashboard/sign-in", url.Values{"name": {"ada"}, "password": {"guess"}}, map[string]string{"X-Forwarded-For": forwarded}).Code
	}
	for range 5 {
		proxied("198.51.100.1, 192.0.2.1")
	}
	b.exec("UPDATE sign_in_slowed SET clear_at = clear_at + interval '1 hour' WHERE key = 'address 192.0.2.1'")
	require.Equal(t, http.StatusTooManyRequests, proxied("10.9.8.7, 192.0.2.1"), "the last is the proxy's own word")
	require.Equal(t, http.StatusUnauthorized, proxied("192.0.2.2"))
}

func Test_A_browser_that_signed_in_before_is_not_locked_out(t *testing.T) {
	t.Parallel()
	b := setup(t)
	router := pagesFor(t, b)
	v := browser(t, router, "203.0.113.9:1")
	v.signIn("ada", thePassword, "")
	v.do(http.MethodPost, "/dashboard/sign-out", nil, nil)
	require.Contains(t, v.cookies, "towpath-known")
	attacker := browser(t, router, "203.0.113.9:1")
	for range 12 {
		attacker.signIn("ada", "guess", "")
	}
	require.Equal(t, http.StatusTooManyRequests, attacker.signIn("ada", thePassword, "").Code)
	require.Equal(t, http.StatusSeeOther, v.signIn("ada", thePassword, "").Code)
	attacker.cookies["towpath-known"] = base64.RawURLEncoding.EncodeToString(make([]byte, 60))
	require.Equal(t, http.StatusTooManyRequests, attacker.signIn("ada", thePassword, "").Code, "a forged cookie")
}

// The buttons are not there for a viewer, and a POST that was made up is refused.
func Test_A_viewer_may_not(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.add("failed", columns{"error_code": "validation"}).String()
	var retried atomic.Int32
	_, err := b.users.Add(t.Context(), "grace", users.Viewer, thePassword)
	require.NoError(t, err)
	v := browser(t, pagesFor(t, b, retry(func(ctx context.Context, _ uuid.UUID) error {
		require.Equal(t, "grace", dashboard.VisitorOf(ctx).Name)
		retried.Add(1)
		return nil
	})), "203.0.113.9:1")
	v.signIn("grace", thePassword, "")
	press := func() *httptest.ResponseRecorder {
		return v.do(http.MethodPost, "/dashboard/sync/"+run+"/retry", nil, nil)
	}
	page := v.get("/dashboard/sync/" + run).Body.String()
	require.NotContains(t, page, ">Retry<")
	require.Contains(t, page, "Queue (read only)", "River UI draws its buttons for everybody")
	refused := press()
	require.Equal(t, http.StatusForbidden, refused.Code)
	require.Contains(t, unescape(refused.Body.String()), "You are signed in as grace, whose role is viewer. This takes the role operator")
	require.Zero(t, retried.Load())

	_, err = b.users.SetRole(t.Context(), "grace", users.Operator)
	require.NoError(t, err)
	require.Equal(t, http.StatusSeeOther, press().Code)
	require.Zero(t, retried.Load(), "the session ended with the role")
	v.signIn("grace", thePassword, "")
	require.Contains(t, v.get("/dashboard/sync/"+run).Body.String(), ">Retry<")
	press()
	require.EqualValues(t, 1, retried.Load())
}

func Test_Somebody_changes_their_own_password(t *testing.T) {
	t.Parallel()
	b := setup(t)
	router := pagesFor(t, b)
	v, other := browser(t, router, "203.0.113.9:1"), browser(t, router, "203.0.113.9:2")
	v.signIn("ada", thePassword, "")
	other.signIn("ada", thePassword, "")
	change := func(old, fresh, again string) *httptest.ResponseRecorder {
		return v.do(http.MethodPost, "/dashboard/account", url.Values{"old": {old}, "new": {fresh}, "again": {again}}, nil)
	}
	require.Contains(t, v.get("/dashboard/account").Body.String(), "Change the password")
	for _, wrong := range []struct{ old, fresh, again, says string }{
		{"wrong", "another password", "another password", "The password now is another"},
		{thePassword, "another password", "another passwort", "typed in two ways"},
		{thePassword, "elevenchars", "elevenchars", "11 characters"},
	} {
		w := change(wrong.old, wrong.fresh, wrong.again)
		require.Equal(t, http.StatusUnprocessableEntity, w.Code)
		require.Contains(t, w.Body.String(), wrong.says)
	}
	done := change(thePassword, "another password", "another password")
	require.Equal(t, "/tow/dashboard/account?told=password", done.Header().Get("Location"))
	require.Contains(t, v.get("/dashboard/account?told=password").Body.String(), "The password was changed.")
	require.Equal(t, http.StatusSeeOther, other.get("/dashboard/sync").Code, "the other session has ended")
	require.Equal(t, http.StatusUnauthorized, other.signIn("ada", thePassword, "").Code)
}

// Where the database is away there is a page that says so, and nobody comes in.
func Test_With_the_database_away_nobody_comes_in(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := browser(t, pagesFor(t, b), "203.0.113.9:1")
	v.signIn("ada", thePassword, "")
	away, err := pgxpool.New(t.Context(), "postgres://u@127.0.0.1:1/none?connect_timeout=1")
	require.NoError(t, err)
	t.Cleanup(away.Close)
	store := users.New(away, time.Now)
	v.router = pagesFor(t, b, func(c *dashboard.Config) { c.Pool, c.Users = away, store })
	for _, path := range []string{"/dashboard/sync", "/dashboard/sign-in", "/dashboard/account"} {
		w := v.get(path)
		require.Equal(t, http.StatusServiceUnavailable, w.Code, path)
		require.Contains(t, w.Body.String(), "The database does not answer", path)
		require.NotContains(t, w.Body.String(), "Sign out")
	}
	require.Equal(t, http.StatusServiceUnavailable, v.signIn("ada", thePassword, "").Code)
	require.Equal(t, http.StatusServiceUnavailable, v.do(http.MethodPost, "/dashboard/sign-out", nil, nil).Code)
	require.Equal(t, http.StatusOK, v.get("/dashboard/static/dashboard.css").Code)
}

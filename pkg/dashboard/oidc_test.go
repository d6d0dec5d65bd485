package dashboard_test

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/dashboard"
	"towpath/pkg/idp"
	"towpath/pkg/idp/idpsim"
	"towpath/pkg/loopback"
	"towpath/pkg/secret"
	"towpath/pkg/users"
)

// provided is a dashboard with an identity provider.
type provided struct {
	*bundle
	sim    *idpsim.Sim
	issuer *httptest.Server
	log    *bytes.Buffer
	pages  http.Handler
}

const towpathAddress = "https://towpath.example/tow"

func provide(t *testing.T) *provided {
	t.Helper()
	p := &provided{bundle: setup(t), log: &bytes.Buffer{}}
	p.sim = idpsim.New(idpsim.Config{Now: func() time.Time { return now }, Clients: []idpsim.Client{{ID: "towpath", Secret: "the-clients-secret", Redirects: []string{towpathAddress + idp.CallbackPath}}}})
	p.issuer = httptest.NewServer(p.sim)
	t.Cleanup(p.issuer.Close)
	p.pages = p.process()
	p.known("grace@example.com", true, "operators")
	return p
}

// process is this Towpath, started anew.
func (p *provided) process() http.Handler {
	box, err := secret.ParseKeys(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	require.NoError(p.t, err)
	cfg := idp.Config{Issuer: p.issuer.URL, ClientID: "towpath", ClientSecret: secret.NewString("the-clients-secret"), Title: "Staff & Co",
		Roles: []idp.Grant{{Role: users.Operator, Value: "operators"}, {Role: users.Viewer, Value: "staff"}}, RolesClaim: idp.DefaultRolesClaim, UserClaim: idp.DefaultUserClaim}
	require.NoError(p.t, cfg.Check())
	return pagesFor(p.t, p.bundle, func(c *dashboard.Config) {
		c.Identity = idp.New(cfg, towpathAddress, box, func() time.Time { return now })
		c.Logger = slog.New(slog.NewTextHandler(p.log, nil))
	})
}

// known is who is signed in at the provider.
func (p *provided) known(email string, verified bool, groups ...string) {
	p.sim.Person(idpsim.Person{Subject: "s-" + email, Claims: map[string]any{"email": email, "email_verified": verified, "groups": groups}})
}

// leaves presses the link; the answer is where the provider sends the browser back to.
func (p *provided) leaves(v *visitor, next string) string {
	p.t.Helper()
	away := v.get("/dashboard/sign-in/oidc?" + url.Values{"next": {next}}.Encode())
	require.Equal(p.t, http.StatusSeeOther, away.Code)
	client := loopback.Alone(nil)
	resp, err := client.Get(away.Header().Get("Location"))
	require.NoError(p.t, err)
	require.NoError(p.t, resp.Body.Close())
	back := resp.Header.Get("Location")
	require.True(p.t, strings.HasPrefix(back, towpathAddress), back)
	return strings.TrimPrefix(back, towpathAddress)
}

// arrives follows a link from the provider's site.
func arrives(v *visitor, back string) *httptest.ResponseRecorder {
	return v.do(http.MethodGet, back, nil, map[string]string{"Sec-Fetch-Site": "cross-site"})
}

func Test_Somebody_signs_in_by_the_identity_provider_and_out_again(t *testing.T) {
	t.Parallel()
	p := provide(t)
	v := browser(t, p.pages, "203.0.113.9:1")
	form := v.get("/dashboard/sign-in?next=%2Fdashboard%2Fheld").Body.String()
	require.Contains(t, form, `href="/tow/dashboard/sign-in/oidc?next=%2Fdashboard%2Fheld">Sign in with Staff &amp; Co</a>`)
	require.Contains(t, form, `name="password"`, "a password does too")

	back := p.leaves(v, "/dashboard/held")
	require.Len(t, v.cookies, 1)
	for name := range v.cookies {
		require.Contains(t, name, "__Host-towpath-oidc-")
	}
	in := arrives(v, back)
	require.Equal(t, http.StatusSeeOther, in.Code, in.Body)
	require.Equal(t, "/tow/dashboard/held", in.Header().Get("Location"))
	require.Len(t, v.cookies, 1, "the session's alone")
	page := v.get("/dashboard/held").Body.String()
	require.Contains(t, page, "grace@example.com, operator")
	require.NotContains(t, v.get("/dashboard/account").Body.String(), "Change the password", "she has none")
	require.Equal(t, http.StatusForbidden, v.do(http.MethodPost, "/dashboard/account", url.Values{"old": {""}, "new": {thePassword}, "again": {thePassword}}, nil).Code)
	require.NotContains(t, p.log.String(), "code=")
	require.NotContains(t, p.log.String(), "the-clients-secret")

	session := v.cookies["towpath-session"]
	v.do(http.MethodPost, "/dashboard/sign-out", nil, nil)
	v.cookies["towpath-session"] = session
	require.Equal(t, http.StatusSeeOther, v.get("/dashboard/held").Code, "signed out")
	delete(v.cookies, "towpath-session")
	again := arrives(v, back)
	require.Equal(t, http.StatusUnauthorized, again.Code)
	require.Contains(t, again.Body.String(), "has been ended already", "a reload signs nobody in")
	require.Equal(t, http.StatusSeeOther, v.signIn("ada", thePassword, "").Code)
	require.Equal(t, "/tow/dashboard", arrives(v, p.leaves(v, "https://evil.example/")).Header().Get("Location"), "nobody is sent elsewhere")
}

func Test_Nobody_comes_in_whom_the_provider_gives_no_role_or_an_admin_shut_out(t *testing.T) {
	t.Parallel()
	p := provide(t)
	v := browser(t, p.pages, "203.0.113.9:1")
	refused := func(code int, says string) {
		t.Helper()
		w := arrives(v, p.leaves(v, ""))
		require.Equal(t, code, w.Code, w.Body)
		require.Contains(t, unescape(w.Body.String()), says)
		require.Contains(t, w.Body.String(), `name="password"`)
		require.Empty(t, v.cookies)
	}
	p.known("grace@example.com", false, "operators")
	refused(http.StatusUnauthorized, "has not verified that grace@example.com is your e-mail address")
	p.known("grace@example.com", true, "guests")
	refused(http.StatusForbidden, "knows you as grace@example.com, and nothing that it says of you has a role here")
	p.known("grace@example.com", true, "staff")
	require.Equal(t, http.StatusSeeOther, arrives(v, p.leaves(v, "")).Code)
	require.Contains(t, v.get("/dashboard/sync").Body.String(), "grace@example.com, viewer")
	p.known("grace@example.com", true, "operators")
	second := browser(t, p.pages, "203.0.113.9:2")
	require.Equal(t, http.StatusSeeOther, arrives(second, p.leaves(second, "")).Code)
	require.Equal(t, http.StatusSeeOther, v.get("/dashboard/sync").Code, "with the role the sessions before it end")
	v.cookies = map[string]string{}
	_, err := p.users.SetDisabled(t.Context(), "grace@example.com", true)
	require.NoError(t, err)
	refused(http.StatusForbidden, "The user grace@example.com is disabled here")
	require.Contains(t, p.log.String(), "reason=disabled")
}

// The state is the browser's: another browser cannot use it, another process can.
func Test_A_sign_in_under_way_is_of_its_browser_and_survives_a_restart(t *testing.T) {
	t.Parallel()
	p := provide(t)
	one, two := browser(t, p.pages, "203.0.113.9:1"), browser(t, p.pages, "203.0.113.9:2")
	ones, twos := p.leaves(one, ""), p.leaves(two, "")
	for v, back := range map[*visitor]string{one: twos, two: ones} {
		w := arrives(v, back)
		require.Equal(t, http.StatusUnauthorized, w.Code)
		require.Contains(t, w.Body.String(), "begun in another browser")
		require.NotContains(t, v.cookies, "towpath-session")
	}
	require.Zero(t, p.sim.Calls("/token"), "no code was used up")
	one.router, two.router = p.process(), p.process()
	require.Equal(t, http.StatusSeeOther, arrives(one, ones).Code)
	require.Equal(t, http.StatusMethodNotAllowed, two.do(http.MethodPost, twos, nil, nil).Code)
	require.Equal(t, http.StatusOK, two.do(http.MethodHead, twos, nil, nil).Code)
	require.Equal(t, http.StatusSeeOther, arrives(two, twos).Code, "a look by HEAD did not use it up")

	tabs := browser(t, p.pages, "203.0.113.9:3")
	first := p.leaves(tabs, "")
	require.Equal(t, http.StatusSeeOther, arrives(tabs, p.leaves(tabs, "")).Code)
	require.Equal(t, http.StatusSeeOther, arrives(tabs, first).Code, "two pages of a browser")
	for range 20 {
		p.leaves(tabs, "")
	}
	require.Less(t, len(tabs.cookies), 8, "its cookies do not grow")
}

func Test_A_provider_that_is_away_is_said_in_words_and_guessed_codes_are_slowed(t *testing.T) {
	t.Parallel()
	p := provide(t)
	v := browser(t, p.pages, "203.0.113.9:1")
	p.sim.Inject(idpsim.Fault{Path: "/.well-known/openid-configuration", Status: 503})
	w := v.get("/dashboard/sign-in/oidc")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "10", w.Header().Get("Retry-After"))
	require.Contains(t, unescape(w.Body.String()), "Staff & Co does not answer as it should")
	require.Equal(t, http.StatusSeeOther, v.signIn("ada", thePassword, "").Code, "a password does")

	p.sim.Mend()
	v = browser(t, p.process(), "203.0.113.9:1")
	back := p.leaves(v, "/dashboard/held")
	p.sim.Inject(idpsim.Fault{Path: "/token", Cut: true})
	w = arrives(v, back)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), `value="/dashboard/held"`, "where she wanted to go is kept")
	p.sim.Mend()
	for range 10 {
		back := p.leaves(v, "")
		u, err := url.Parse(back)
		require.NoError(t, err)
		q := u.Query()
		q.Set("code", "guess")
		require.Equal(t, http.StatusUnauthorized, arrives(v, u.Path+"?"+q.Encode()).Code)
	}
	asked := p.sim.Calls("/token")
	slowed := arrives(v, p.leaves(v, ""))
	require.Equal(t, http.StatusTooManyRequests, slowed.Code)
	require.Equal(t, "60", slowed.Header().Get("Retry-After"))
	require.Equal(t, asked, p.sim.Calls("/token"), "the provider is not asked for who guesses")
}

func Test_Without_an_identity_provider_there_is_no_way_to_one(t *testing.T) {
	t.Parallel()
	v := browser(t, pagesFor(t, setup(t)), "203.0.113.9:1")
	require.NotContains(t, v.get("/dashboard/sign-in").Body.String(), "oidc")
	require.Equal(t, http.StatusNotFound, v.get("/dashboard/sign-in/oidc").Code)
	require.Equal(t, http.StatusNotFound, v.get("/dashboard/sign-in/callback?code=a&state=b").Code)
}

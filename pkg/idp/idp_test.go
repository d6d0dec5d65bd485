package idp

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/idp/idpsim"
	"towpath/pkg/loopback"
	"towpath/pkg/secret"
	"towpath/pkg/users"
)

const base = "https://towpath.example/tow"

// bundle is a provider, and this Towpath as its client.
type bundle struct {
	t       *testing.T
	sim     *idpsim.Sim
	server  *httptest.Server
	cfg     Config
	box     *secret.Box
	clock   *clock
	towpath *Provider
}

// clock is moved by the test; both sides look at it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// ada is signed in at the provider, with a verified address.
func ada() idpsim.Person {
	return idpsim.Person{Subject: "u-1", Claims: map[string]any{"email": "ada@example.com", "email_verified": true, "groups": []string{"staff", "ops, night"}}}
}

func setup(t *testing.T, change ...func(*idpsim.Config, *Config)) *bundle {
	t.Helper()
	b := &bundle{t: t, clock: &clock{now: time.Date(2026, 4, 29, 10, 0, 0, 0, time.UTC)}}
	sim := idpsim.Config{Now: b.clock.Now, Clients: []idpsim.Client{{ID: "tow path", Secret: "s3cret+%/:", Redirects: []string{base + CallbackPath}}}}
	roles, err := ParseRoles("admin=towpath-admins; operator=ops, night ;viewer=staff")
	require.NoError(t, err)
	b.cfg = Config{ClientID: "tow path", ClientSecret: secret.NewString("s3cret+%/:"), Roles: roles, RolesClaim: DefaultRolesClaim, UserClaim: DefaultUserClaim, Scopes: []string{"email"}}
	for _, c := range change {
		c(&sim, &b.cfg)
	}
	b.sim = idpsim.New(sim)
	b.server = httptest.NewServer(b.sim)
	t.Cleanup(b.server.Close)
	b.cfg.Issuer = b.server.URL
	require.NoError(t, b.cfg.Check())
	b.box, err = secret.ParseKeys(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	require.NoError(t, err)
	b.towpath = b.process()
	b.sim.Person(ada())
	return b
}

// process is this Towpath, started anew.
func (b *bundle) process() *Provider {
	return New(b.cfg, base+"/", b.box, b.clock.Now)
}

// comesBack is a browser that goes to the provider and comes back.
func (b *bundle) comesBack() Answer {
	b.t.Helper()
	begun, err := b.towpath.Begin(b.t.Context(), "/dashboard/sync")
	require.NoError(b.t, err)
	client := loopback.Alone(nil)
	resp, err := client.Get(begun.Address)
	require.NoError(b.t, err)
	require.NoError(b.t, resp.Body.Close())
	require.Equal(b.t, http.StatusFound, resp.StatusCode, "the provider knows the client and its address")
	back, err := url.Parse(resp.Header.Get("Location"))
	require.NoError(b.t, err)
	q := back.Query()
	require.Equal(b.t, begun.State, q.Get("state"))
	return Answer{State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss"), Fault: q.Get("error"), Detail: q.Get("error_description"), Cookie: begun.Cookie}
}

// ends is what becomes of an answer: the person, or why not.
func (b *bundle) ends(a Answer) (users.Vouched, string) {
	b.t.Helper()
	trip, err := b.towpath.Recognize(a)
	var v users.Vouched
	if err == nil {
		v, err = b.towpath.Finish(b.t.Context(), trip)
	}
	return v, why(b.t, err)
}

func why(t *testing.T, err error) string {
	t.Helper()
	var no *Refusal
	var away *AwayError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &no):
		require.NotEmpty(t, no.Text)
		return no.Reason
	case errors.As(err, &away):
		return "away"
	}
	return err.Error()
}

func Test_A_person_is_known_by_a_signed_token(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*idpsim.Config, *Config){
		"RS256": func(*idpsim.Config, *Config) {}, "ES256": func(s *idpsim.Config, _ *Config) { s.ES256 = true },
		"secret in the form": func(s *idpsim.Config, _ *Config) { s.Post = true }, "answers with iss": func(s *idpsim.Config, _ *Config) { s.Names = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, change)
			v, no := b.ends(b.comesBack())
			require.Empty(t, no)
			require.Equal(t, users.Vouched{Issuer: b.server.URL, Subject: "u-1", Name: "ada@example.com", Proved: true, Role: users.Operator}, v, "the highest role of her groups")
		})
	}
}

// What the provider says is trusted as far as its signature and its claims go.
func Test_Refused_when_the_token_is_not_this_sign_ins(t *testing.T) {
	t.Parallel()
	set := func(name string, value any) func(map[string]any) { return func(c map[string]any) { c[name] = value } }
	for name, c := range map[string]struct {
		change func(map[string]any)
		why    string
	}{
		"another nonce": {set("nonce", "other"), "nonce"}, "no nonce": {set("nonce", nil), "nonce"},
		"another issuer": {set("iss", "https://evil.example"), "id token"}, "another audience": {set("aud", "other"), "id token"},
		"several audiences, of which nobody says whose it is": {set("aud", []string{"tow path", "other"}), "audience"},
		"given to another": {set("azp", "other"), "audience"}, "expired": {set("exp", 1790000000-1e8), "id token expired"},
		"not yet good": {set("nbf", time.Date(2026, 4, 29, 10, 6, 0, 0, time.UTC).Unix()), "id token"}, "another access token": {set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), "id token"},
		"nobody": {set("sub", ""), "id token"}, "address not verified": {set("email_verified", false), "e-mail not verified"},
		"address said to be verified in words": {set("email_verified", "true"), ""}, "no word on the address": {set("email_verified", nil), "e-mail not verified"},
		"no address": {set("email", nil), "no name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.sim.Change(c.change)
			_, no := b.ends(b.comesBack())
			require.Equal(t, c.why, no)
		})
	}
	t.Run("no role", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.sim.Change(set("groups", []any{"guests", 7}))
		v, no := b.ends(b.comesBack())
		require.Empty(t, no)
		require.Equal(t, users.Nobody, v.Role, "who he is, is for package users to refuse")
	})
	t.Run("forged", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.sim.Forge()
		_, no := b.ends(b.comesBack())
		require.Equal(t, "id token", no)
	})
}

func Test_Keys_that_the_provider_rotates_are_read_anew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 2 {
		_, no := b.ends(b.comesBack())
		require.Empty(t, no)
	}
	require.Equal(t, 1, b.sim.Calls("/keys"), "they are kept")
	b.sim.Rotate()
	_, no := b.ends(b.comesBack())
	require.Empty(t, no)
	require.Equal(t, 2, b.sim.Calls("/keys"))
	require.Equal(t, 1, b.sim.Calls("/.well-known/openid-configuration"))
	b.clock.add(fresh)
	_, no = b.ends(b.comesBack())
	require.Empty(t, no)
	require.Equal(t, 3, b.sim.Calls("/keys"), "a key that was taken away is trusted for an hour at most")
}

// A browser brings back what it was sent away with: nothing else counts, and nothing
// twice. Another process may end what this one began.
func Test_The_browser_that_comes_back_is_the_one_that_was_sent_away(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two := b.comesBack(), b.comesBack()
	crossed := one
	crossed.Cookie = two.Cookie
	_, no := b.ends(crossed)
	require.Equal(t, "state", no, "another sign-in of the same browser")
	crossed.Cookie = ""
	_, no = b.ends(crossed)
	require.Equal(t, "another browser", no)
	crossed = one
	crossed.State, crossed.Cookie = two.State, two.Cookie
	_, no = b.ends(crossed)
	require.Equal(t, "code refused", no, "somebody else's code: the verifier is not its")
	for _, forged := range []string{"x", "!", base64.RawURLEncoding.EncodeToString(make([]byte, 200)), one.Cookie + "AA"} {
		crossed.Cookie = forged
		_, no = b.ends(crossed)
		require.Contains(t, []string{"state", "another browser"}, no)
	}
	require.Equal(t, 1, b.sim.Calls("/token"), "the provider was asked nothing about what was never begun")

	b.towpath = b.process()
	v, no := b.ends(two)
	require.Empty(t, no, "over a restart")
	require.Equal(t, "u-1", v.Subject)
	_, no = b.ends(two)
	require.Equal(t, "code refused", no, "again")
	late := b.comesBack()
	b.clock.add(Life)
	_, no = b.ends(late)
	require.Equal(t, "too late", no)

	b.sim.Person(idpsim.Person{})
	_, no = b.ends(b.comesBack())
	require.Equal(t, "refused by the provider", no)
	mixed := b.comesBack()
	mixed.Issuer = "https://evil.example"
	_, no = b.ends(mixed)
	require.Equal(t, "issuer", no)
}

// Each call to the provider fails in each way; it passes, and the next sign-in goes well.
func Test_A_provider_that_does_not_do_its_part_is_away(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	close(hang) // the answer ends without a word
	for name, fault := range map[string]idpsim.Fault{
		"silent": {Hang: hang}, "half an answer": {Cut: true}, "503": {Status: 503, Body: "<h1>busy</h1>"}, "too long": {Status: 200, Body: `{"issuer":"` + string(make([]byte, maxAnswer))},
		"no JSON": {Status: 200, Body: "<html>maintenance</html>"},
	} {
		for _, path := range []string{"/.well-known/openid-configuration", "/token", "/keys", "/userinfo"} {
			t.Run(name+path, func(t *testing.T) {
				t.Parallel()
				b, fault := setup(t), fault
				b.sim.Change(func(c map[string]any) { delete(c, "groups") }) // userinfo has to be asked
				if fault.Path = path; path == "/.well-known/openid-configuration" {
					b.sim.Inject(fault)
					_, err := b.towpath.Begin(t.Context(), "")
					require.Equal(t, "away", why(t, err))
					asked := b.sim.Calls(path)
					_, err = b.towpath.Begin(t.Context(), "")
					require.Equal(t, "away", why(t, err))
					require.Equal(t, asked, b.sim.Calls(path), "strangers do not make it be asked again at once")
				} else {
					answer := b.comesBack()
					b.sim.Inject(fault)
					_, no := b.ends(answer)
					require.Equal(t, "away", no)
				}
				b.sim.Mend()
				b.clock.add(retryAfter)
				_, no := b.ends(b.comesBack())
				require.Empty(t, no)
			})
		}
	}
	for _, halfway := range []bool{false, true} {
		b := setup(t)
		b.towpath.http = client(300 * time.Millisecond)
		never := make(chan struct{})
		t.Cleanup(func() { close(never) })
		b.sim.Inject(idpsim.Fault{Path: "/.well-known/openid-configuration", Hang: never, Header: halfway})
		_, err := b.towpath.Begin(t.Context(), "")
		require.Equal(t, "away", why(t, err), "it is not waited for for long")
	}
	b := setup(t)
	b.ends(b.comesBack())
	b.sim.Inject(idpsim.Fault{Path: "/.well-known/openid-configuration", Status: 500})
	b.clock.add(2 * fresh)
	_, no := b.ends(b.comesBack())
	require.Empty(t, no, "what it said of itself before goes on")
}

func Test_What_the_token_does_not_say_is_asked_of_userinfo(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *idpsim.Config, c *Config) { c.RolesClaim = "realm_access.roles" })
	person := idpsim.Person{Subject: "u-1", Claims: map[string]any{"email": "made-up@example.com"},
		Info: map[string]any{"email": "ada@example.com", "email_verified": true, "realm_access": map[string]any{"roles": []string{"towpath-admins"}}}}
	b.sim.Person(person)
	v, no := b.ends(b.comesBack())
	require.Empty(t, no)
	require.Equal(t, "ada@example.com", v.Name, "the address that is said to be verified")
	require.Equal(t, users.Admin, v.Role)
	person.Info["sub"] = "u-2"
	b.sim.Person(person)
	_, no = b.ends(b.comesBack())
	require.Equal(t, "userinfo", no)
}

func Test_Settings_that_do_not_fit_are_named(t *testing.T) {
	t.Parallel()
	good := Config{Issuer: "https://id.example/realms/staff", ClientID: "towpath", ClientSecret: secret.NewString("s"), Roles: []Grant{{users.Viewer, Anybody}}, RolesClaim: "groups", UserClaim: "email"}
	require.NoError(t, good.Check())
	require.NoError(t, Config{RolesClaim: "groups"}.Check(), "none")
	for want, change := range map[string]func(*Config){
		"TOWPATH_OIDC_ISSUER is not set": func(c *Config) { c.Issuer = "" }, "TOWPATH_OIDC_CLIENT_ID": func(c *Config) { c.ClientID = "" },
		"TOWPATH_OIDC_CLIENT_SECRET_FILE": func(c *Config) { c.ClientSecret = secret.String{} }, "TOWPATH_OIDC_ROLES is not set": func(c *Config) { c.Roles = nil },
		"must begin with https": func(c *Config) { c.Issuer = "http://id.example" }, "no address": func(c *Config) { c.Issuer = "id.example" },
		"take /.well-known": func(c *Config) { c.Issuer += "/.well-known/openid-configuration" }, "without user": func(c *Config) { c.Issuer = "https://u:p@id.example" },
	} {
		c := good
		change(&c)
		require.ErrorContains(t, c.Check(), want)
	}
	grants, err := ParseRoles("admin=cn=ops,ou=groups; viewer=*")
	require.NoError(t, err)
	require.Equal(t, []Grant{{users.Admin, "cn=ops,ou=groups"}, {users.Viewer, Anybody}}, grants)
	for _, wrong := range []string{"root=x", "admin", "admin=", "admin=cn=ops,ou=groups"} {
		_, err := ParseRoles(wrong)
		require.ErrorContains(t, err, "admin=towpath-admins", wrong)
	}
}

package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/doctor"
	"towpath/pkg/idp"
	"towpath/pkg/idp/idpsim"
	"towpath/pkg/loopback"
)

// A Towpath whose admins are the identity provider's alone starts while that is away; the
// command line says so, and says of its users where they come from.
func Test_People_sign_in_by_the_identity_provider_of_the_settings(t *testing.T) {
	t.Parallel()
	const base = "https://towpath.example"
	sim := idpsim.New(idpsim.Config{Now: time.Now, ES256: true, Clients: []idpsim.Client{{ID: "towpath", Secret: "the-clients-secret", Redirects: []string{base + idp.CallbackPath}}}})
	sim.Person(idpsim.Person{Subject: "1", Claims: map[string]any{"email": "grace@example.com", "email_verified": true, "groups": "towpath-admins"}})
	provider := httptest.NewServer(sim)
	t.Cleanup(provider.Close)
	const discovery = "/.well-known/openid-configuration"
	sim.Inject(idpsim.Fault{Path: discovery, Status: http.StatusBadGateway})
	d := newDesk(t).with(map[string]string{"TOWPATH_ADMIN_PASSWORD": "", "TOWPATH_BASE_URL": base, "TOWPATH_OIDC_ISSUER": provider.URL, "TOWPATH_OIDC_CLIENT_ID": "towpath",
		"TOWPATH_OIDC_CLIENT_SECRET_FILE": file(t, "secret", "the-clients-secret\n"), "TOWPATH_OIDC_ROLES": "admin=towpath-admins"})
	s := d.run(t, "config", "check")
	require.Zero(t, s.code, s.err)
	require.Regexp(t, `(?m)^TOWPATH_OIDC_CLIENT_SECRET +\(set\) +file /`, s.out)
	one, two := d.serve(t, "dashboard"), d.serve(t, "dashboard")
	require.Zero(t, sim.Calls(discovery), "a start asks nobody")
	found := d.examined(t)["identity provider answers"]
	require.Equal(t, doctor.Wrong, found.Level)
	require.Contains(t, found.Text, "502")
	sim.Mend()
	found = d.examined(t)["identity provider answers"]
	require.Equal(t, doctor.OK, found.Level)
	require.Contains(t, found.Text, base+idp.CallbackPath)

	get := func(address string, cookies []*http.Cookie) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		require.NoError(t, err)
		for _, c := range cookies {
			req.AddCookie(c)
		}
		resp, err := loopback.Transport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp
	}
	away := get("http://"+one.Addr()+"/dashboard/sign-in/oidc", nil)
	back := get(away.Header.Get("Location"), nil).Header.Get("Location")
	in := get("http://"+two.Addr()+strings.TrimPrefix(back, base), away.Cookies())
	require.Equal(t, http.StatusSeeOther, in.StatusCode, "another process ends it")
	require.Equal(t, http.StatusOK, get("http://"+one.Addr()+"/dashboard/sync", in.Cookies()).StatusCode)

	var list []userView
	d.mustJSON(t, &list, "user", "list")
	require.Len(t, list, 1)
	require.Equal(t, "grace@example.com admin", list[0].Name+" "+list[0].Role)
	require.Equal(t, provider.URL, *list[0].Issuer)
	require.Contains(t, d.run(t, "user", "role", "grace@example.com", "viewer", "--yes").err, "TOWPATH_OIDC_ROLES")
	require.Equal(t, http.StatusUnauthorized, get("http://"+one.Addr()+"/dashboard/sync", in.Cookies()).StatusCode, "the session ended with it")
}

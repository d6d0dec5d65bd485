package dashboard_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/users"
)

// The module frames the address with the tenant's id and sends nothing else: alone that
// shows nothing, and to nobody but the shop's own pages.
func Test_The_shops_frame_shows_its_runs_to_its_people_only(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(`UPDATE tenants SET magento_url = 'https://shop.example:8443/store'`)
	other, _ := b.addTenant("Other shop")
	b.add("succeeded", columns{"provider_reference": "ACME-1"})
	b.exec(`UPDATE bindings SET status = 'active' WHERE tenant_id = $1`, other)
	_, err := b.users.AddFor(t.Context(), "grace", users.Viewer, thePassword, &b.tenant)
	require.NoError(t, err)
	_, err = b.users.AddFor(t.Context(), "olga", users.Viewer, thePassword, &other)
	require.NoError(t, err)
	router := pagesFor(t, b)
	here := "/embed/" + b.tenant.String()
	frame := func(w *httptest.ResponseRecorder) {
		require.Contains(t, w.Header().Get("Content-Security-Policy"), "; frame-ancestors https://shop.example:8443")
		require.NotContains(t, w.Header().Get("Content-Security-Policy"), "unsafe")
		require.Empty(t, w.Header().Get("X-Frame-Options"))
	}
	v := &visitor{t: t, router: router, peer: "203.0.113.9:1", cookies: map[string]string{}, framed: true}
	in := func(name, password string) *httptest.ResponseRecorder {
		return v.do(http.MethodPost, here+"/sign-in", url.Values{"name": {name}, "password": {password}}, nil)
	}

	stranger := v.get(here)
	require.Equal(t, http.StatusUnauthorized, stranger.Code)
	require.Contains(t, stranger.Body.String(), "Sign in to Towpath")
	require.NotContains(t, stranger.Body.String(), "ACME-1")
	require.Empty(t, stranger.Header().Get("WWW-Authenticate"))
	frame(stranger)
	for _, unknown := range []string{"/embed/" + uuid.NewString(), "/embed/x"} {
		w := v.get(unknown)
		require.Equal(t, http.StatusNotFound, w.Code)
		require.Contains(t, w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'")
	}

	require.Equal(t, http.StatusUnauthorized, in("grace", "wrong password").Code)
	require.Equal(t, http.StatusSeeOther, in("grace", thePassword).Code)
	own := v.get(here)
	require.Equal(t, http.StatusOK, own.Code)
	require.Contains(t, own.Body.String(), "ACME-1")
	require.NotContains(t, own.Body.String(), "/dashboard/sync/", "the runs' own pages are not hers")
	frame(own)
	v.cookies["towpath-session"] = v.cookies["towpath-embed"]
	refused := v.get("/dashboard/sync")
	require.Equal(t, http.StatusForbidden, refused.Code, "its cookie opens no other page")
	require.Contains(t, refused.Body.String(), "/tow"+here)
	delete(v.cookies, "towpath-session")
	elsewhere := v.get("/embed/" + other.String())
	require.Equal(t, http.StatusForbidden, elsewhere.Code, "another shop's token")
	require.Contains(t, elsewhere.Body.String(), "another shop")
	require.NotContains(t, elsewhere.Body.String(), "ACME-1")
	require.Equal(t, http.StatusForbidden, v.do(http.MethodPost, here+"/sign-out", nil, map[string]string{"Sec-Fetch-Site": "cross-site"}).Code)

	b.exec("UPDATE user_sessions SET expires_at = $1", now)
	ended := v.get(here)
	require.Equal(t, http.StatusUnauthorized, ended.Code)
	require.Contains(t, ended.Body.String(), "Your session has ended. Sign in again.")
	v.cookies["towpath-embed"] = "made-up"
	require.Equal(t, http.StatusUnauthorized, v.get(here).Code)
	foreign := in("olga", thePassword)
	require.Equal(t, http.StatusForbidden, foreign.Code, "whoever is another shop's")
	require.Contains(t, foreign.Body.String(), "towpath user add")

	require.Equal(t, http.StatusSeeOther, in("ada", thePassword).Code, "who runs Towpath may too")
	require.Contains(t, v.get(here).Body.String(), "/tow/dashboard/sync/")
	require.Equal(t, http.StatusOK, v.get("/embed/"+other.String()).Code)
	require.NotContains(t, v.get("/embed/"+other.String()).Body.String(), "ACME-1", "that tenant's runs only")
	b.exec(`UPDATE bindings SET status = 'revoked', revoked_at = now() WHERE tenant_id = $1`, b.tenant)
	stopped := v.get(here)
	require.Equal(t, http.StatusUnauthorized, stopped.Code)
	require.Contains(t, stopped.Body.String(), "is not connected any more")
	require.NotContains(t, stopped.Body.String(), "ACME-1")
	v.do(http.MethodPost, here+"/sign-out", nil, nil)
	require.NotContains(t, v.cookies, "towpath-embed")
}

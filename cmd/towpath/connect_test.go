package main

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/loopback"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/oauth"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/shopjwt"
)

const (
	consentApp   = "CONSENTAPP"
	customApp    = "CUSTOMAPP"
	clientSecret = "the-apps-client-secret-0123456789"
)

// appDesk is an operator with a shop, and a Xero that wants OAuth.
type appDesk struct {
	*desk
	identity *xerosim.Identity
	base     string
}

func newAppDesk(t *testing.T) *appDesk {
	t.Helper()
	d := &appDesk{desk: newDesk(t)}
	d.shop = magentosim.New(magentosim.Config{Events: []string{"invoice.created"}})
	d.xero = xerosim.New(xerosim.Config{})
	shop := httptest.NewServer(d.shop)
	t.Cleanup(shop.Close)
	d.shopURL, d.tenant, d.key = shop.URL, uuid.NewString(), shopjwt.NewAPIKey()
	d.must(t, "tenant", "create", "--name", "Shop", "--magento-url", d.shopURL, "--id", d.tenant, "--api-key", d.key)
	server := d.serve(t)
	d.base = strings.Replace("http://"+server.Addr(), "127.0.0.1", "localhost", 1)
	d.identity = xerosim.NewIdentity(xerosim.IdentityConfig{Apps: []xerosim.App{
		{ID: consentApp, Secret: clientSecret, Redirects: []string{d.base + "/oauth/callback"}},
		{ID: customApp, Secret: clientSecret, Custom: demo.OrgID},
	}}, xerosim.Organisation{ID: demo.OrgID, Name: "Demo Company (UK)"})
	xero := httptest.NewServer(d.identity.Guard(d.xero))
	t.Cleanup(xero.Close)
	d.xeroURL = xero.URL
	return d
}

// create makes the binding of an app; more are further flags.
func (d *appDesk) create(t *testing.T, app string, more ...string) bindingView {
	t.Helper()
	var binding bindingView
	d.mustJSON(t, &binding, append([]string{"binding", "create", "--tenant", d.tenant, "--provider", "xero", "--api-url", d.xeroURL,
		"--identity-url", d.xeroURL, "--client-id", app, "--client-secret-file", file(t, "secret", clientSecret+"\n")}, more...)...)
	d.binding = binding.ID.String()
	return binding
}

func (d *appDesk) settings(t *testing.T) {
	t.Helper()
	d.must(t, "binding", "policy", "set", d.binding, "--file", file(t, "policy.json", goodPolicy))
}

func (d *appDesk) view(t *testing.T) bindingView {
	t.Helper()
	var list []bindingView
	d.mustJSON(t, &list, "binding", "list")
	require.Len(t, list, 1)
	return list[0]
}

// visit is a browser of its own that follows redirects.
func visit(t *testing.T, address string) (status int, body string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	resp, err := loopback.Browser(jar).Get(address)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(raw)
}

func Test_Custom_connection_is_made_without_a_browser_and_posts(t *testing.T) {
	t.Parallel()
	d := newAppDesk(t)
	binding := d.create(t, customApp)
	require.Equal(t, "active", binding.Status)
	require.Equal(t, demo.OrgID, binding.OrgID)
	require.NotNil(t, binding.ReferenceAt, "its accounts and tax rates were read")
	d.settings(t)
	invoice := d.shop.RaiseInvoice(demo.Cart())
	d.shop.Drain(t.Context())
	until(t, "the shop shows it synced", func() bool {
		inv, _ := d.shop.Invoice(invoice.ID)
		return inv.Chip.Status == "synced"
	})
}

func Test_Runs_wait_for_the_consent_and_go_on_with_it(t *testing.T) {
	t.Parallel()
	d := newAppDesk(t)
	require.Equal(t, "needs_consent", d.create(t, consentApp, "--grant", "authorization_code").Status)
	d.settings(t)
	invoice := d.shop.RaiseInvoice(demo.Cart())
	d.shop.Drain(t.Context())
	held := func() bool {
		var runs []struct {
			Status     string  `json:"status"`
			HoldReason *string `json:"hold_reason"`
		}
		d.mustJSON(t, &runs, "runs", "list")
		return len(runs) == 1 && runs[0].Status == "held" && *runs[0].HoldReason == "auth"
	}
	until(t, "the run is held", held)

	refused := d.run(t, "binding", "connect", d.binding)
	require.Equal(t, exitFailed, refused.code)
	require.Contains(t, refused.err, "TOWPATH_BASE_URL", "Xero sends no browser to 127.0.0.1")
	var link struct {
		ConsentURL string    `json:"consent_url"`
		ExpiresAt  time.Time `json:"expires_at"`
	}
	d.mustJSON(t, &link, "binding", "connect", d.binding, "--base-url", d.base)
	require.WithinDuration(t, time.Now().Add(10*time.Minute), link.ExpiresAt, time.Minute)
	status, page := visit(t, link.ConsentURL)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "Connect Shop to Xero")
	require.Equal(t, "needs_consent", d.view(t).Status, "looking at the page changes nothing")
	status, page = visit(t, oauth.GoOn(link.ConsentURL))
	require.Equal(t, http.StatusOK, status, page)
	require.Contains(t, page, "Demo Company (UK)")
	require.Contains(t, page, "go on now: 1")
	until(t, "the shop shows it synced", func() bool {
		inv, _ := d.shop.Invoice(invoice.ID)
		return inv.Chip.Status == "synced"
	})
	require.Equal(t, "active", d.view(t).Status)
	_, metrics := visit(t, d.base+"/metrics")
	require.Contains(t, metrics, `towpath_oauth_events_total{event="connected"} 1`)
	require.Regexp(t, `towpath_oauth_token_expiry_seconds 1[78]\d\d`, metrics)
}

func Test_Binding_connect(t *testing.T) {
	t.Parallel()

	t.Run("Takes_a_new_secret", func(t *testing.T) {
		t.Parallel()
		d := newAppDesk(t)
		d.create(t, customApp)
		d.identity.SetSecret(customApp, "the-new-secret")
		refused := d.run(t, "binding", "connect", d.binding)
		require.Equal(t, exitFailed, refused.code)
		require.Contains(t, refused.err, "invalid_client")
		require.Contains(t, d.must(t, "binding", "connect", d.binding, "--client-secret", "the-new-secret"), "is connected to organisation "+demo.OrgID)
	})

	t.Run("Refuses_another_organisation", func(t *testing.T) {
		t.Parallel()
		d := newAppDesk(t)
		d.create(t, customApp)
		refused := d.run(t, "binding", "connect", d.binding, "--org-id", uuid.NewString())
		require.Equal(t, exitFailed, refused.code)
		require.Contains(t, refused.err, "belongs to organisation "+demo.OrgID)
	})

	t.Run("Says_that_a_fixed_token_has_no_app", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t).connect(t)
		refused := d.run(t, "binding", "connect", d.binding)
		require.Equal(t, exitFailed, refused.code)
		require.Contains(t, refused.err, "fixed token")
	})
}

func Test_Binding_create_refuses_flags_that_do_not_fit(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for name, flags := range map[string][]string{
		"a token and an app are both given":     {"--token", "t", "--client-id", "c"},
		"--client-id is missing":                {"--client-secret", "s"},
		"the app's secret is missing":           {"--client-id", "c", "--grant", "client_credentials"},
		"use client_credentials or":             {"--client-id", "c", "--grant", "password"},
		"are both set":                          {"--client-id", "c", "--client-secret", "s", "--client-secret-file", "f"},
		"--identity-url: url is malformed":      {"--client-id", "c", "--identity-url", "http://%zz"},
		"no access token: give it by":           {},
		"--client-secret-file: open /no/secret": {"--client-id", "c", "--client-secret-file", "/no/secret"},
	} {
		refused := d.run(t, append([]string{"binding", "create", "--tenant", uuid.NewString(), "--provider", "xero"}, flags...)...)
		require.Equal(t, exitUsage, refused.code, "%v: %s", flags, refused.err)
		require.Contains(t, refused.err, name)
	}
}

func Test_Binding_of_an_app_that_is_refused_stays_to_be_connected(t *testing.T) {
	t.Parallel()
	d := newAppDesk(t)
	s := d.run(t, "binding", "create", "--tenant", d.tenant, "--provider", "xero", "--api-url", d.xeroURL,
		"--identity-url", d.xeroURL, "--client-id", customApp, "--client-secret", "wrong-secret-0123456789")
	require.Equal(t, exitDone, s.code, s.err)
	require.Contains(t, s.err, "not connected yet: Xero's identity server refused (invalid_client)")
	require.Contains(t, s.out, "towpath binding connect "+d.view(t).ID.String())
	require.NotContains(t, s.err+s.out, "wrong-secret-0123456789")
	require.Equal(t, "needs_consent", d.view(t).Status)
}

func Test_Secrets_rotate(t *testing.T) {
	t.Parallel()
	d := newAppDesk(t)
	d.create(t, customApp)
	newKey := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("n", 32)))
	both := d.with(map[string]string{"TOWPATH_SECRET_KEY": newKey + "," + testKey})
	var done rotation
	both.mustJSON(t, &done, "secrets", "rotate")
	require.EqualValues(t, 3, done.Resealed, "the shop's key, the app's secret, its tokens")
	require.Zero(t, done.Left)
	require.Contains(t, both.must(t, "secrets", "rotate"), "0 values sealed anew")
	only := d.with(map[string]string{"TOWPATH_SECRET_KEY": newKey})
	only.must(t, "binding", "connect", d.binding)

	lost := d.with(map[string]string{"TOWPATH_SECRET_KEY": testKey}).run(t, "secrets", "rotate")
	require.Equal(t, exitFailed, lost.code)
	require.Contains(t, lost.err, "keep the old one")
}

package main

import (
	"html"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/loopback"
)

// press sends the form of the connections page's button for a binding, and does
// not follow a redirect.
func (d *appDesk) press(t *testing.T, base, binding string) answered {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/dashboard/connections/"+binding+"/connect", nil)
	require.NoError(t, err)
	req.Header.Set("Origin", base)
	req.SetBasicAuth("admin", adminPassword)
	client := loopback.Alone(nil)
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answered{status: resp.StatusCode, header: resp.Header, body: html.UnescapeString(string(body))}
}

func Test_Connect_button(t *testing.T) {
	t.Parallel()

	t.Run("Makes_a_custom_connection_at_once", func(t *testing.T) {
		t.Parallel()
		d := newAppDesk(t)
		d.create(t, customApp)
		_, err := d.pool.Exec(t.Context(), "UPDATE bindings SET status = 'needs_consent'")
		require.NoError(t, err)
		a := d.press(t, d.base, d.binding)
		require.Equal(t, http.StatusSeeOther, a.status, a.body)
		page := ask(t, http.MethodGet, d.base+a.header.Get("Location")).body
		require.Contains(t, page, "Shop is connected to Xero.")
		require.Equal(t, "active", d.view(t).Status)
	})

	t.Run("Leads_to_the_consent", func(t *testing.T) {
		t.Parallel()
		d := newAppDesk(t)
		d.create(t, consentApp, "--grant", "authorization_code")
		pages := d.with(map[string]string{"TOWPATH_BASE_URL": d.base}).serve(t, "dashboard")
		a := d.press(t, "http://"+pages.Addr(), d.binding)
		require.Equal(t, http.StatusOK, a.status, a.body)
		link := regexp.MustCompile(`url=(http[^"]+)"`).FindStringSubmatch(a.body)
		require.NotNil(t, link, a.body)
		_, page := visit(t, link[1])
		require.Contains(t, page, "Demo Company (UK)")
		require.Equal(t, "active", d.view(t).Status)
		page = ask(t, http.MethodGet, d.base+"/dashboard/connections").body
		require.Contains(t, page, ">Reconnect<")
		require.NotContains(t, page, clientSecret)
	})

	t.Run("Says_why_not", func(t *testing.T) {
		t.Parallel()
		d := newAppDesk(t)
		d.create(t, consentApp, "--grant", "authorization_code")
		a := d.press(t, d.base, d.binding)
		require.Equal(t, http.StatusConflict, a.status, "Xero sends no browser to 127.0.0.1")
		require.Contains(t, a.body, "TOWPATH_BASE_URL")

		_, err := d.pool.Exec(t.Context(), "DELETE FROM oauth_grants")
		require.NoError(t, err)
		require.Contains(t, d.press(t, d.base, d.binding).body, "towpath binding token "+d.binding+" --token-file FILE")

		d.must(t, "binding", "revoke", "--yes", d.binding)
		require.Contains(t, d.press(t, d.base, d.binding).body, "This connection was revoked")
		require.Equal(t, http.StatusNotFound, d.press(t, d.base, uuid.NewString()).status)
	})

	t.Run("Tells_a_refusal_of_the_app_and_no_secret", func(t *testing.T) {
		t.Parallel()
		d := newAppDesk(t)
		d.create(t, customApp)
		d.identity.SetSecret(customApp, "the-new-secret")
		a := d.press(t, d.base, d.binding)
		require.Equal(t, http.StatusConflict, a.status)
		require.Contains(t, a.body, "invalid_client")
		require.False(t, strings.Contains(a.body, clientSecret))
	})
}

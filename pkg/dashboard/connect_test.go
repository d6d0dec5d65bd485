package dashboard_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dashboard"
)

func connect(f func(context.Context, uuid.UUID) (string, error)) func(*dashboard.Config) {
	if f == nil {
		f = func(context.Context, uuid.UUID) (string, error) { return "", nil }
	}
	return func(c *dashboard.Config) { c.Connect = f }
}

// own are the headers of a button of this origin.
func (b *bundle) own() map[string]string {
	return map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": b.server.URL}
}

func (b *bundle) connectPath() string {
	return "/dashboard/connections/" + b.binding.String() + "/connect"
}

func Test_Connect_of_an_app_that_needs_nobody_comes_back_with_a_message(t *testing.T) {
	t.Parallel()
	var got []uuid.UUID
	b := setup(t, connect(func(_ context.Context, id uuid.UUID) (string, error) { got = append(got, id); return "", nil }))
	a := b.send(http.MethodPost, b.connectPath(), b.own())
	require.Equal(t, http.StatusSeeOther, a.status)
	require.Equal(t, []uuid.UUID{b.binding}, got)
	require.Contains(t, readable(b.get(a.header.Get("Location")).body), "Acme is connected to Xero. Documents that waited for it go on by themselves.")
	for _, told := range []string{"connected", "connected.", "connected." + uuid.NewString(), "connected.%3Cb%3E", "nothing." + b.binding.String()} {
		require.NotContains(t, b.get("/dashboard/connections?told="+told).body, `class="notice"`, told)
	}
}

// The page of a form's answer may lead elsewhere, a redirect of it may not.
func Test_Connect_of_a_consent_leads_to_the_provider(t *testing.T) {
	t.Parallel()
	const consent = `https://login.example/identity/connect/authorize?client_id=A&state=s%2Ft%22&scope=a%20b`
	b := setup(t, connect(func(context.Context, uuid.UUID) (string, error) { return consent, nil }))
	a := b.send(http.MethodPost, b.connectPath(), b.own())
	require.Equal(t, http.StatusOK, a.status)
	require.Contains(t, unescape(a.body), `<meta http-equiv="refresh" content="0; url=`+consent+`">`)
	require.Contains(t, unescape(a.body), `href="`+consent+`"`)
	require.Contains(t, readable(a.body), "On to the consent")
	require.Contains(t, a.header.Get("Content-Security-Policy"), "form-action 'self';")
	require.Equal(t, "no-store", a.header.Get("Cache-Control"), "the address holds the consent's state")
	require.NotContains(t, a.body, `data-live="`, "asked for again, it would be another consent")
}

func Test_Connect_leads_to_web_addresses_only(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"javascript:alert(1)", "data:text/html,x", "//evil.example", "not a url", "https://u:p@evil.example/"} {
		b := setup(t, connect(func(context.Context, uuid.UUID) (string, error) { return address, nil }))
		a := b.send(http.MethodPost, b.connectPath(), b.own())
		require.Equal(t, http.StatusServiceUnavailable, a.status, address)
		require.NotContains(t, a.body, address)
	}
}

func Test_Connect_says_why_not(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var outcome error
	b := setup(t, connect(func(context.Context, uuid.UUID) (string, error) { return "", outcome }),
		func(c *dashboard.Config) { c.Logger = slog.New(slog.NewTextHandler(&out, nil)) })

	outcome = fmt.Errorf("around it: %w", &dashboard.Refusal{Title: "Address not usable", Text: "set TOWPATH_BASE_URL <now>"})
	a := b.send(http.MethodPost, b.connectPath(), b.own())
	require.Equal(t, http.StatusConflict, a.status)
	require.Contains(t, readable(a.body), "Address not usable set TOWPATH_BASE_URL <now> Back to the connections")

	outcome = errors.New("dial tcp: connection refused")
	a = b.send(http.MethodPost, b.connectPath(), b.own())
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Equal(t, "10", a.header.Get("Retry-After"))
	require.Contains(t, a.body, "Nothing was changed")
	require.NotContains(t, a.body, "dial tcp", "that is for the log")
	require.Contains(t, out.String(), "dial tcp: connection refused")
	require.Contains(t, out.String(), "binding="+b.binding.String())
	require.NotContains(t, out.String(), "run_id")

	outcome = fmt.Errorf("read binding: %w", pgx.ErrNoRows)
	require.Equal(t, http.StatusNotFound, b.send(http.MethodPost, b.connectPath(), b.own()).status)
	a = b.send(http.MethodPost, "/dashboard/connections/nonsense/connect", b.own())
	require.Equal(t, http.StatusNotFound, a.status)
	require.Contains(t, a.body, "There is no such connection")
}

func Test_Connect_is_refused_to_others(t *testing.T) {
	t.Parallel()
	calls := 0
	b := setup(t, connect(func(context.Context, uuid.UUID) (string, error) { calls++; return "", nil }))
	with := func(header map[string]string) map[string]string {
		all := basic("ada", thePassword)
		for name, value := range header {
			all[name] = value
		}
		return all
	}
	require.Equal(t, http.StatusUnauthorized, b.send(http.MethodGet, "/dashboard/connections", stranger()).status)
	require.Equal(t, http.StatusUnauthorized, b.send(http.MethodPost, b.connectPath(), with(map[string]string{"Authorization": anonymous, "Origin": b.server.URL})).status)
	for name, header := range map[string]map[string]string{
		"another site": {"Sec-Fetch-Site": "cross-site"}, "another port": {"Sec-Fetch-Site": "same-site"},
		"old browser": {"Origin": "https://evil.example"}, "sandboxed": {"Origin": "null"},
	} {
		require.Equal(t, http.StatusForbidden, b.send(http.MethodPost, b.connectPath(), with(header)).status, name)
	}
	require.Equal(t, http.StatusMethodNotAllowed, b.send(http.MethodGet, b.connectPath(), with(nil)).status, "a link must not connect")
	require.Zero(t, calls)
	require.Equal(t, http.StatusSeeOther, b.send(http.MethodPost, b.connectPath(), with(b.own())).status)
	require.Equal(t, 1, calls)
}

func Test_Connect_button_only_where_there_is_an_app(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make   func(b *bundle)
		button string
	}{
		"fixed token":         {func(*bundle) {}, ""},
		"fixed token refused": {func(b *bundle) { b.needsConsent() }, ""},
		"all is well":         {func(b *bundle) { b.app("authorization_code", tokens) }, `<button type="submit" data-key="connect-ID">Reconnect<`},
		"needs consent":       {func(b *bundle) { b.app("authorization_code", tokens); b.needsConsent() }, `<button type="submit" class="strong" data-key="connect-ID">Connect again<`},
		"never connected":     {func(b *bundle) { b.app("client_credentials", ""); b.needsConsent() }, `<button type="submit" class="strong" data-key="connect-ID">Connect<`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, connect(nil))
			c.make(b)
			body := b.get("/dashboard/connections").body
			require.Equal(t, c.button != "", strings.Contains(body, `<form method="post" action="`+b.connectPath()+`">`))
			require.Contains(t, body, strings.ReplaceAll(c.button, "ID", b.binding.String()))
		})
	}
	none := setup(t)
	none.app("authorization_code", tokens)
	none.needsConsent()
	body := none.get("/dashboard/connections").body
	require.NotContains(t, body, "<form")
	require.Contains(t, body, "towpath binding connect "+none.binding.String())
	require.Equal(t, http.StatusNotFound, none.send(http.MethodPost, none.connectPath(), none.own()).status)
}

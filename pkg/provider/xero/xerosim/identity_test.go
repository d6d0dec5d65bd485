package xerosim_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/loopback"
	"towpath/pkg/provider/xero/xerosim"
)

const (
	redirect = "https://towpath.example/oauth/callback"
	orgID    = "8b7f6a54-0c1d-4e2f-9a3b-5c6d7e8f9012"
	// An S256 challenge and its verifier, from RFC 7636.
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// person is a browser and an app in front of a simulated identity server.
type person struct {
	identity *xerosim.Identity
	server   *httptest.Server
	now      time.Time
}

func newPerson(t *testing.T) *person {
	t.Helper()
	p := &person{now: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)}
	p.identity = xerosim.NewIdentity(xerosim.IdentityConfig{Now: func() time.Time { return p.now }, Apps: []xerosim.App{
		{ID: "web", Secret: "s3cret", Redirects: []string{redirect, "http://127.0.0.1:1/cb"}},
		{ID: "native", Redirects: []string{redirect}},
		{ID: "custom", Secret: "s3cret", Custom: orgID},
	}}, xerosim.Organisation{ID: orgID, Name: "Demo"})
	p.server = httptest.NewServer(p.identity)
	t.Cleanup(p.server.Close)
	return p
}

// authorize answers the query that the browser is sent back with; none where it
// is shown a page instead.
func (p *person) authorize(t *testing.T, change url.Values) url.Values {
	t.Helper()
	query := url.Values{"response_type": {"code"}, "client_id": {"web"}, "redirect_uri": {redirect}, "state": {"st"},
		"scope": {"offline_access accounting.invoices"}}
	for name, values := range change {
		query[name] = values
	}
	client := loopback.Alone(nil)
	resp, err := client.Get(p.server.URL + "/identity/connect/authorize?" + query.Encode())
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	if resp.StatusCode != http.StatusFound {
		return nil
	}
	back, err := resp.Location()
	require.NoError(t, err)
	return back.Query()
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

// ask posts to the token endpoint; an app with a secret by HTTP Basic.
func (p *person) ask(t *testing.T, app, secret string, form url.Values) tokens {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.server.URL+"/connect/token", strings.NewReader(form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != "" {
		req.SetBasicAuth(app, secret)
	}
	resp, err := loopback.Client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var answer tokens
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	return answer
}

func (p *person) exchange(t *testing.T, code string, change url.Values) tokens {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}}
	for name, values := range change {
		form[name] = values
	}
	return p.ask(t, "web", "s3cret", form)
}

func (p *person) refresh(t *testing.T, token string) tokens {
	t.Helper()
	return p.ask(t, "web", "s3cret", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

func Test_Identity_authorize(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change url.Values
		error  string // "page" where the browser is not sent back
	}{
		"Gives_a_code":                                  {},
		"Refuses_an_unknown_app":                        {url.Values{"client_id": {"x"}}, "page"},
		"Refuses_an_app_with_its_own_organisation":      {url.Values{"client_id": {"custom"}}, "page"},
		"Refuses_another_redirect":                      {url.Values{"redirect_uri": {redirect + "/"}}, "page"},
		"Refuses_plain_http_though_registered":          {url.Values{"redirect_uri": {"http://127.0.0.1:1/cb"}}, "page"},
		"Refuses_broad_scopes_to_a_new_app":             {url.Values{"scope": {"accounting.transactions"}}, "invalid_scope"},
		"Refuses_an_app_without_secret_and_challenge":   {url.Values{"client_id": {"native"}}, "invalid_request"},
		"Refuses_a_plain_challenge":                     {url.Values{"client_id": {"native"}, "code_challenge": {challenge}, "code_challenge_method": {"plain"}}, "invalid_request"},
		"Gives_a_code_to_an_app_with_an_S256_challenge": {url.Values{"client_id": {"native"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			back := newPerson(t).authorize(t, c.change)
			if c.error == "page" {
				require.Nil(t, back)
				return
			}
			require.Equal(t, c.error, back.Get("error"))
			require.Equal(t, c.error == "", back.Get("code") != "")
			require.Equal(t, "st", back.Get("state"))
		})
	}
}

func Test_Identity_token(t *testing.T) {
	t.Parallel()

	t.Run("Takes_a_code_once_and_within_five_minutes", func(t *testing.T) {
		t.Parallel()
		p := newPerson(t)
		code := p.authorize(t, nil).Get("code")
		require.NotEmpty(t, p.exchange(t, code, nil).Access)
		require.Equal(t, "invalid_grant", p.exchange(t, code, nil).Error)
		late := p.authorize(t, nil).Get("code")
		p.now = p.now.Add(5*time.Minute + time.Second)
		require.Equal(t, "invalid_grant", p.exchange(t, late, nil).Error)
	})

	t.Run("Refuses_another_redirect_app_secret_or_verifier", func(t *testing.T) {
		t.Parallel()
		p := newPerson(t)
		code := p.authorize(t, nil).Get("code")
		require.Equal(t, "invalid_grant", p.exchange(t, code, url.Values{"redirect_uri": {"https://x"}}).Error)
		require.Equal(t, "invalid_client", p.ask(t, "web", "wrong", url.Values{"grant_type": {"authorization_code"}, "code": {code}}).Error)
		require.Equal(t, "invalid_client", p.ask(t, "", "", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "client_id": {"web"}}).Error)

		native := func(verifier string) tokens {
			code := p.authorize(t, url.Values{"client_id": {"native"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}).Get("code")
			return p.ask(t, "", "", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect},
				"client_id": {"native"}, "code_verifier": {verifier}})
		}
		require.Equal(t, "invalid_grant", native(verifier+"x").Error)
		require.NotEmpty(t, native(verifier).Access)
	})

	t.Run("Rotates_and_takes_a_spent_one_for_thirty_minutes", func(t *testing.T) {
		t.Parallel()
		p := newPerson(t)
		first := p.exchange(t, p.authorize(t, nil).Get("code"), nil)
		second := p.refresh(t, first.Refresh)
		require.NotEqual(t, first.Refresh, second.Refresh)
		p.now = p.now.Add(29 * time.Minute)
		require.NotEmpty(t, p.refresh(t, first.Refresh).Access)
		p.now = p.now.Add(time.Minute)
		require.Equal(t, "invalid_grant", p.refresh(t, first.Refresh).Error)
		require.NotEmpty(t, p.refresh(t, second.Refresh).Access)
		require.False(t, p.identity.Lives(first.Access))
	})

	t.Run("Forgets_a_refresh_token_that_was_unused_for_sixty_days", func(t *testing.T) {
		t.Parallel()
		p := newPerson(t)
		first := p.exchange(t, p.authorize(t, nil).Get("code"), nil)
		p.now = p.now.Add(60 * 24 * time.Hour)
		require.Equal(t, "invalid_grant", p.refresh(t, first.Refresh).Error)
	})

	t.Run("Gives_an_app_of_its_own_organisation_no_refresh_token", func(t *testing.T) {
		t.Parallel()
		p := newPerson(t)
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {"accounting.invoices"}}
		got := p.ask(t, "custom", "s3cret", form)
		require.NotEmpty(t, got.Access)
		require.Empty(t, got.Refresh)
		require.Equal(t, "unauthorized_client", p.ask(t, "web", "s3cret", form).Error)
	})

	t.Run("Revocation_ends_everything_of_the_person", func(t *testing.T) {
		t.Parallel()
		p := newPerson(t)
		first := p.exchange(t, p.authorize(t, nil).Get("code"), nil)
		other := p.exchange(t, p.authorize(t, nil).Get("code"), nil)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.server.URL+"/connect/revocation",
			strings.NewReader(url.Values{"token": {first.Refresh}}.Encode()))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("web", "s3cret")
		resp, err := loopback.Client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, "invalid_grant", p.refresh(t, other.Refresh).Error)
		require.False(t, p.identity.Lives(other.Access))
	})
}

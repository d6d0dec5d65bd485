package custody_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/outbound"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
	"towpath/pkg/provider/xero/xerosim"
)

// ledger is the real client of Xero's API on the binding's source.
func (b *bundle) ledger(t *testing.T) *xero.Client {
	t.Helper()
	source := b.keeper.Source(b.binding)
	client, err := xero.New(xero.Config{BaseURL: b.xero.URL, OrgID: orgUK, Token: source.Token,
		HTTP: source.Client(outbound.New(outbound.Config{AllowPrivate: true}))})
	require.NoError(t, err)
	return client
}

func Test_Client(t *testing.T) {
	t.Parallel()

	t.Run("Reads_with_the_token_and_after_a_401_with_another", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		ledger := b.ledger(t)
		ref, err := ledger.Reference(t.Context())
		require.NoError(t, err)
		require.Contains(t, strings.Join(ref.Currencies, " "), "GBP")
		b.pass(t, minutes(2))
		b.identity.ExpireAccess()
		_, err = ledger.Reference(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, b.identity.Calls(getToken))
	})

	t.Run("Keeps_the_consent_when_after_a_401_the_identity_server_is_away", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		b.pass(t, minutes(2))
		b.identity.ExpireAccess()
		b.identity.Inject(xerosim.Fault{Operation: getToken, Status: 503})
		_, err := b.ledger(t).Reference(t.Context())
		require.Equal(t, provider.Temporary, provider.AsFailure(err).Kind, err)
		require.Equal(t, "active", b.status(t))
	})

	t.Run("Answers_auth_when_after_a_401_the_consent_is_gone", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		b.pass(t, minutes(2))
		b.identity.Disconnect(webApp)
		_, err := b.ledger(t).Reference(t.Context())
		require.Equal(t, provider.Auth, provider.AsFailure(err).Kind, err)
		require.Equal(t, "needs_consent", b.status(t))
	})

	t.Run("Sends_a_write_again_as_it_was_and_only_once", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		b.pass(t, minutes(2))
		var bodies []string
		refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			bodies = append(bodies, r.Header.Get("Idempotency-Key")+string(body))
			w.WriteHeader(http.StatusUnauthorized)
		}))
		t.Cleanup(refuses.Close)
		source := b.keeper.Source(b.binding)
		first := b.token(t)
		resp := put(t, source.Client(refuses.Client()), refuses.URL, first)
		require.Equal(t, http.StatusUnauthorized, resp)
		require.Equal(t, []string{"key-1the body", "key-1the body"}, bodies)
		require.NotEqual(t, first, b.token(t))
	})

	t.Run("Does_not_renew_for_every_401_of_a_missing_scope", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		b.pass(t, minutes(2))
		var calls atomic.Int64
		refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
		}))
		t.Cleanup(refuses.Close)
		client := b.keeper.Source(b.binding).Client(refuses.Client())
		for range 20 {
			require.Equal(t, http.StatusUnauthorized, put(t, client, refuses.URL, b.token(t)))
		}
		require.Equal(t, 2, b.identity.Calls(getToken), "the code's, and one forced refresh")
		require.EqualValues(t, 21, calls.Load())
	})

	t.Run("Forces_one_refresh_however_many_meet_the_401", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		b.pass(t, minutes(2))
		ledger := b.ledger(t)
		b.identity.ExpireAccess()
		failed := make(chan error)
		for range 10 {
			go func() {
				_, err := ledger.Reference(t.Context())
				failed <- err
			}()
		}
		for range 10 {
			require.NoError(t, <-failed)
		}
		require.Equal(t, 2, b.identity.Calls(getToken))
	})
}

func put(t *testing.T, client *http.Client, url, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader("the body"))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Idempotency-Key", "key-1")
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// FreeAgent's wire: no scopes, the company as the organisation, refresh tokens
// without grace.
func Test_FreeAgent_consent_connects_and_renews(t *testing.T) {
	t.Parallel()
	b := setup(t, webApp)
	var asked []string
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/v2/approve_app":
			query := r.URL.Query()
			http.Redirect(w, r, query.Get("redirect_uri")+"?code=c1&state="+query.Get("state"), http.StatusFound)
		case "/v2/token_endpoint":
			_, password, _ := r.BasicAuth()
			if password != appSecret {
				http.Error(w, "HTTP Basic: Access denied.", http.StatusUnauthorized)
				return
			}
			_, _ = io.WriteString(w, `{"access_token":"fa-`+r.FormValue("grant_type")+`","token_type":"bearer","expires_in":3600,"refresh_token":"r"}`)
		case "/v2/company":
			_, _ = io.WriteString(w, `{"company":{"id":33870,"name":"My Company"}}`)
		}
	}))
	t.Cleanup(agent.Close)
	b.exec(t, `UPDATE bindings SET provider = 'freeagent', wire = 'v2', api_url = $1`, agent.URL)
	b.exec(t, `UPDATE oauth_grants SET identity_url = ''`)
	b.consent(t, b.binding)
	require.Equal(t, "33870", b.row(t, `SELECT org_id FROM bindings`))
	b.pass(t, minutes(61))
	token, err := b.keeper.Source(b.binding).Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, "fa-refresh_token", token)
	require.Equal(t, []string{"GET /v2/approve_app", "POST /v2/token_endpoint", "GET /v2/company", "POST /v2/token_endpoint"}, asked)

	b.pass(t, minutes(61))
	b.exec(t, `UPDATE oauth_grants SET client_secret_sealed = NULL`)
	require.Contains(t, b.noToken(t, provider.Auth).Message, "invalid_client", "a refusal in plain text")
}

func Test_Revoked_binding_keeps_nothing(t *testing.T) {
	t.Parallel()
	b := connected(t)
	b.consentURL(t, b.binding)
	_, err := dbsqlc.New().BindingRevoke(t.Context(), b.pool, b.binding)
	require.NoError(t, err)
	require.Equal(t, "0", b.row(t, `SELECT ((SELECT count(*) FROM oauth_grants) + (SELECT count(*) FROM oauth_states))::text`))
	b.noToken(t, provider.Auth)
}

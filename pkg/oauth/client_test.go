package oauth_test

import (
	"context"
	"fmt"
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
	"towpath/pkg/provider/xero/xerosim"
)

// organisation reads the organisation as a ledger's client does: with the
// source's token, and its client. The status is 0 where there was no answer.
func (b *bundle) organisation(ctx context.Context) (status int, err error) {
	source := b.keeper.Source(b.binding)
	token, err := source.Token(ctx)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.xero.URL+"/api.xro/2.0/Organisation", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("xero-tenant-id", orgUK)
	resp, err := source.Client(outbound.New(outbound.Config{AllowPrivate: true})).Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func Test_Client(t *testing.T) {
	t.Parallel()

	t.Run("Reads_with_the_token_and_after_a_401_with_another", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		status, err := b.organisation(t.Context())
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
		b.pass(t, minutes(2))
		b.identity.ExpireAccess()
		status, err = b.organisation(t.Context())
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, 2, b.identity.Calls(getToken))
	})

	t.Run("Keeps_the_consent_when_after_a_401_the_identity_server_is_away", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		b.pass(t, minutes(2))
		b.identity.ExpireAccess()
		b.identity.Inject(xerosim.Fault{Operation: getToken, Status: 503})
		status, err := b.organisation(t.Context())
		require.Equal(t, provider.Temporary, provider.AsFailure(err).Kind, "%d %v", status, err)
		require.Equal(t, "active", b.status(t))
	})

	t.Run("Passes_the_401_on_when_the_consent_is_gone", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		b.pass(t, minutes(2))
		b.identity.Disconnect(webApp)
		status, err := b.organisation(t.Context())
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, status)
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
		b.identity.ExpireAccess()
		failed := make(chan error)
		for range 10 {
			go func() {
				status, err := b.organisation(t.Context())
				if status != http.StatusOK && err == nil {
					err = fmt.Errorf("answered %d", status)
				}
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

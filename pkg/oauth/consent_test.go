package oauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/loopback"
	"towpath/pkg/oauth"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/secret"
)

func Test_Consent(t *testing.T) {
	t.Parallel()

	t.Run("Asks_for_what_posting_needs_and_no_more", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		query := queryOf(t, b.consentURL(t, b.binding))
		require.Equal(t, "offline_access accounting.invoices accounting.payments accounting.contacts accounting.settings.read", query.Get("scope"))
		require.Equal(t, b.base+"/oauth/callback", query.Get("redirect_uri"))
		require.Len(t, query.Get("state"), 66)
		require.Equal(t, "S256", query.Get("code_challenge_method"), "an app with a secret sends one too")
		require.Len(t, query.Get("code_challenge"), 43)
	})

	for name, app := range map[string]string{"an_app_with_a_secret": webApp, "an_app_without_by_PKCE": nativeApp} {
		t.Run("Connects_"+name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, app)
			status, page := b.browse(t, b.consentURL(t, b.binding))
			require.Equal(t, http.StatusOK, status, page)
			require.Contains(t, page, "Demo Company (UK)")
			require.Contains(t, page, "41", "the runs that go on")
			require.Equal(t, "active", b.status(t))
			require.Equal(t, orgUK, b.row(t, `SELECT org_id FROM bindings WHERE id = $1`, b.binding))
			require.Len(t, b.released, 1)
			require.Equal(t, 1, b.counts.of("connected"))
			b.token(t)
		})
	}

	for _, app := range []string{webApp, nativeApp} {
		t.Run("Sends_an_S256_challenge_whose_verifier_is_sealed_"+app, func(t *testing.T) {
			t.Parallel()
			b := setup(t, app)
			query := queryOf(t, b.consentURL(t, b.binding))
			require.Equal(t, "S256", query.Get("code_challenge_method"))
			require.Equal(t, "1", b.row(t, `SELECT count(*)::text FROM oauth_states WHERE verifier_sealed IS NOT NULL`))
			// Another verifier than the challenge's: the identity server refuses the code.
			other := b.box.Seal([]byte(strings.Repeat("v", 43)), secret.Place("oauth_states.verifier_sealed", b.binding.String()))
			address := b.consentURL(t, b.binding)
			b.exec(t, `UPDATE oauth_states SET verifier_sealed = $1`, other)
			status, page := b.browse(t, address)
			require.Equal(t, http.StatusBadRequest, status)
			require.Contains(t, page, "invalid_grant")
		})
	}

	t.Run("Of_an_app_with_its_own_credentials_is_not_needed", func(t *testing.T) {
		t.Parallel()
		b := setup(t, customApp)
		_, err := b.keeper.Consent(t.Context(), b.binding, b.base)
		require.ErrorContains(t, err, "needs nobody's consent")
	})

	for _, base := range []string{"http://127.0.0.1:8080", "http://towpath.example", "localhost:8080", ""} {
		t.Run("Refused_where_no_provider_would_send_a_browser_to_"+base, func(t *testing.T) {
			t.Parallel()
			b := setup(t, webApp)
			_, err := b.keeper.Consent(t.Context(), b.binding, base)
			require.ErrorContains(t, err, "TOWPATH_BASE_URL")
		})
	}
}

func Test_State(t *testing.T) {
	t.Parallel()

	t.Run("Works_once", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		back := b.callback(t, b.consentURL(t, b.binding))
		status, _ := b.browse(t, back)
		require.Equal(t, http.StatusOK, status)
		status, page := b.browse(t, back)
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, page, "does not work any more")
		require.Equal(t, "active", b.status(t))
		require.Equal(t, 1, b.identity.Calls(getToken))
	})

	t.Run("Is_used_up_by_a_callback_with_a_wrong_code", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		back := b.callback(t, b.consentURL(t, b.binding))
		status, page := b.browse(t, strings.Replace(back, "code=", "code=x", 1))
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, page, "invalid_grant")
		status, _ = b.browse(t, back)
		require.Equal(t, http.StatusBadRequest, status)
		require.Equal(t, "needs_consent", b.status(t))
	})

	t.Run("Ends_after_ten_minutes", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		back := b.callback(t, b.consentURL(t, b.binding))
		require.InDelta(t, 600, number(t, b.row(t, `SELECT extract(epoch FROM expires_at - now())::text FROM oauth_states`)), 5)
		b.exec(t, `UPDATE oauth_states SET expires_at = expires_at - interval '10 minutes'`)
		status, _ := b.browse(t, back)
		require.Equal(t, http.StatusBadRequest, status)
		require.Zero(t, b.identity.Calls(getToken))
		b.consentURL(t, b.binding)
		require.Equal(t, "1", b.row(t, `SELECT count(*)::text FROM oauth_states`), "the old one was swept")
	})

	t.Run("Is_stored_as_a_hash", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		state := queryOf(t, b.consentURL(t, b.binding)).Get("state")
		require.Equal(t, "1", b.row(t, `SELECT count(*)::text FROM oauth_states WHERE state_hash = sha256($1)`, []byte(state)))
	})
}

func Test_Callback(t *testing.T) {
	t.Parallel()

	t.Run("Says_that_the_person_said_no", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		b.identity.Deny(true)
		status, page := b.browse(t, b.consentURL(t, b.binding))
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, page, "access_denied")
		require.Equal(t, "needs_consent", b.status(t))
	})

	t.Run("Names_several_organisations_and_takes_none", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		b.identity.Choose(orgUK, orgUS)
		status, page := b.browse(t, b.consentURL(t, b.binding))
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, page, orgUK)
		require.Contains(t, page, orgUS)
		require.NotContains(t, page, "<b>", "the names are other people's words")
		require.Equal(t, "null", b.row(t, `SELECT tokens_sealed::text FROM oauth_grants`))
		require.Equal(t, "needs_consent", b.status(t))
	})

	t.Run("Takes_the_binding's_organisation_out_of_several_and_keeps_its_spelling", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		b.identity.Choose(orgUK, orgUS)
		pinned := strings.ToUpper(orgUS)
		b.exec(t, `UPDATE bindings SET org_id = $1`, pinned)
		b.consent(t, b.binding)
		require.Equal(t, pinned, b.row(t, `SELECT org_id FROM bindings WHERE id = $1`, b.binding))
	})

	t.Run("Refuses_another_organisation_than_the_pinned_one_and_changes_nothing", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		before := b.row(t, `SELECT tokens_sealed::text FROM oauth_grants`)
		b.identity.Disconnect(webApp)
		b.identity.Choose(orgUS)
		status, page := b.browse(t, b.consentURL(t, b.binding))
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, page, "belongs to organisation "+orgUK)
		require.Contains(t, page, orgUS)
		require.Equal(t, before, b.row(t, `SELECT tokens_sealed::text FROM oauth_grants`))
		require.Equal(t, orgUK, b.row(t, `SELECT org_id FROM bindings WHERE id = $1`, b.binding))
	})

	t.Run("Says_that_the_app's_secret_is_wrong", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		b.identity.SetSecret(webApp, "another-secret")
		status, page := b.browse(t, b.consentURL(t, b.binding))
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, page, "invalid_client")
	})

	for name, fault := range map[string]xerosim.Fault{
		"the_token_request_is_answered_500": {Operation: getToken, Status: 500, Body: "oops"},
		"the_token_answer_is_lost":          {Operation: getToken, When: xerosim.After, Reset: true},
		"the_connections_cannot_be_read":    {Operation: "GET /connections", Status: 503},
		"the_connections_answer_is_half":    {Operation: "GET /connections", When: xerosim.After, Half: true},
	} {
		t.Run("Changes_nothing_when_"+name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, webApp)
			b.identity.Inject(fault)
			status, page := b.browse(t, b.consentURL(t, b.binding))
			require.Equal(t, http.StatusServiceUnavailable, status)
			require.Contains(t, page, "Nothing was changed")
			require.Equal(t, "null", b.row(t, `SELECT tokens_sealed::text FROM oauth_grants`))
			require.Empty(t, b.released)
			b.consent(t, b.binding)
		})
	}

	t.Run("Does_not_lose_the_consent_to_a_deadlock", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		b.exec(t, `CREATE SEQUENCE tries`) // a rollback does not take it back
		b.exec(t, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('tries') < 3 THEN RAISE 'deadlock' USING ERRCODE = '40P01'; END IF; RETURN NEW; END $$`)
		b.exec(t, `CREATE TRIGGER fail BEFORE UPDATE ON oauth_grants FOR EACH ROW EXECUTE FUNCTION fail()`)
		b.consent(t, b.binding)
		b.token(t)
	})

	t.Run("Refuses_a_binding_that_was_revoked_meanwhile", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		back := b.callback(t, b.consentURL(t, b.binding))
		_, err := dbsqlc.New().BindingRevoke(t.Context(), b.pool, b.binding)
		require.NoError(t, err)
		status, _ := b.browse(t, back)
		require.Equal(t, http.StatusBadRequest, status)
		require.Equal(t, "0", b.row(t, `SELECT (SELECT count(*) FROM oauth_grants) + (SELECT count(*) FROM oauth_states) || ''`))
		b.noToken(t, "auth")
	})

	t.Run("Takes_a_fixed_token's_place", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		b.exec(t, `UPDATE bindings SET token_sealed = 'x'`)
		b.consent(t, b.binding)
		require.Equal(t, "null", b.row(t, `SELECT token_sealed::text FROM bindings`))
	})
}

func Test_Custom_connection(t *testing.T) {
	t.Parallel()

	t.Run("Connects_without_a_browser", func(t *testing.T) {
		t.Parallel()
		b := setup(t, customApp)
		done, err := b.keeper.ConnectApp(t.Context(), b.binding)
		require.NoError(t, err)
		require.Equal(t, oauth.Connected{BindingID: b.binding, OrgID: orgUK, OrgName: "Demo Company (UK)", Released: 41}, done)
		require.Equal(t, "active", b.status(t))
		first := b.token(t)
		b.pass(t, minutes(29))
		b.tokenAfter(t, first)
	})

	t.Run("Refused_where_the_app_is_replaced_while_the_old_one_connects", func(t *testing.T) {
		t.Parallel()
		b := setup(t, customApp)
		keeper := b.newKeeper(t, &http.Client{Transport: before(func(r *http.Request) {
			if r.URL.Path == "/connections" { // its token is there, and not stored yet
				b.exec(t, `UPDATE oauth_grants SET client_id = $1, tokens_sealed = NULL`, webApp)
			}
		})})
		_, err := keeper.ConnectApp(t.Context(), b.binding)
		var no *oauth.Refusal
		require.ErrorAs(t, err, &no)
		require.Contains(t, no.Text, "replaced")
		require.Equal(t, "null", b.row(t, `SELECT tokens_sealed::text FROM oauth_grants`))
		require.Equal(t, "needs_consent", b.status(t))
		require.Empty(t, b.released)
	})

	t.Run("Refused_app_is_tried_again_after_five_minutes_and_told_of_once", func(t *testing.T) {
		t.Parallel()
		b := setup(t, customApp)
		_, err := b.keeper.ConnectApp(t.Context(), b.binding)
		require.NoError(t, err)
		b.identity.SetSecret(customApp, "another-secret")
		b.pass(t, minutes(31))
		for range 3 {
			require.Contains(t, b.noToken(t, "auth").Message, "invalid_client")
		}
		require.Equal(t, 2, b.identity.Calls(getToken))
		b.pass(t, minutes(6))
		b.noToken(t, "auth")
		require.Equal(t, 3, b.identity.Calls(getToken))
		require.Equal(t, 1, b.counts.of("refused"))
		require.Len(t, b.lines(t, "WARN"), 1)
		b.identity.SetSecret(customApp, appSecret)
		b.pass(t, minutes(6))
		b.token(t)
	})

	t.Run("Before_it_is_connected_there_is_no_token", func(t *testing.T) {
		t.Parallel()
		b := setup(t, customApp)
		require.Contains(t, b.noToken(t, "auth").Message, "not connected yet")
		require.Zero(t, b.identity.Calls(getToken))
	})
}

// before does something before each call.
type before func(*http.Request)

func (b before) RoundTrip(r *http.Request) (*http.Response, error) {
	b(r)
	return loopback.Transport.RoundTrip(r)
}

package oauth_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/oauth"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/secret"
)

func Test_Consent_is_of_the_browser_that_asked(t *testing.T) {
	t.Parallel()

	t.Run("A_callback_in_another_browser_is_refused_and_uses_nothing_up", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		back := b.callback(t, b.consentURL(t, b.binding))
		mine := b.browser
		b.browser = newBrowser(t)
		status, page := b.browse(t, back)
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, page, "another browser")
		// One that has begun a consent of its own, or brings a cookie that it made up.
		other := b.newBinding(t, webApp, "")
		b.consentURL(t, other)
		status, _ = b.browse(t, back)
		require.Equal(t, http.StatusBadRequest, status)
		u, err := url.Parse(back)
		require.NoError(t, err)
		b.browser.Jar.SetCookies(u, []*http.Cookie{{Name: mine.Jar.Cookies(u)[0].Name, Value: strings.Repeat("A", 26), Path: "/"}})
		status, _ = b.browse(t, back)
		require.Equal(t, http.StatusBadRequest, status)
		require.Zero(t, b.identity.Calls(getToken))
		require.Equal(t, "needs_consent", b.status(t))

		b.browser = mine
		status, page = b.browse(t, back)
		require.Equal(t, http.StatusOK, status, page)
		require.Equal(t, "active", b.status(t))
	})

	t.Run("Two_at_once_in_one_browser_both_end", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		first := b.callback(t, b.consentURL(t, b.binding))
		second := b.callback(t, b.consentURL(t, b.newBinding(t, webApp, "")))
		for _, back := range []string{first, second} {
			status, page := b.browse(t, back)
			require.Equal(t, http.StatusOK, status, page)
		}
	})

	t.Run("The_cookie_is_out_of_reach_of_scripts_and_stored_nowhere", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		for base, want := range map[string]struct {
			name   string
			secure bool
		}{b.base: {"towpath-consent-", false}, "https://towpath.example/base": {"__Host-towpath-consent-", true}} {
			link, err := b.keeper.Consent(t.Context(), b.binding, base)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(link, base+"/oauth/start?link="), link)
			w := httptest.NewRecorder()
			oauth.NewPages(b.keeper, base).Start(w, httptest.NewRequest(http.MethodGet, oauth.GoOn(link), nil))
			require.Equal(t, http.StatusSeeOther, w.Code)
			require.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
			c := w.Result().Cookies()[0]
			require.True(t, strings.HasPrefix(c.Name, want.name))
			require.Equal(t, want.secure, c.Secure)
			require.True(t, c.HttpOnly)
			require.Equal(t, http.SameSiteLaxMode, c.SameSite)
			require.Equal(t, 600, c.MaxAge)
			require.Equal(t, base+oauth.CallbackPath, queryOf(t, w.Header().Get("Location")).Get("redirect_uri"))
			require.NotContains(t, b.dump(t), hexOf(c.Value))
			require.NotContains(t, b.dump(t), c.Value)
		}
	})
}

func Test_Link(t *testing.T) {
	t.Parallel()

	t.Run("Shows_what_it_connects_and_stays_until_somebody_goes_on", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		link := b.link(t, b.binding)
		for range 2 { // a program that looks at mail, and a person
			status, page := b.browse(t, link)
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, page, "Connect shop to Xero")
			require.Contains(t, page, strings.TrimPrefix(b.xero.URL, "http://"))
			require.Contains(t, page, "go=on&amp;link=")
		}
		b.browse(t, oauth.GoOn(link))
		require.Equal(t, "active", b.status(t))
	})

	t.Run("Is_the_first_browsers_that_goes_on", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		link := b.link(t, b.binding)
		back := b.callback(t, b.callback(t, oauth.GoOn(link)))
		mine := b.browser
		b.browser = newBrowser(t)
		for _, address := range []string{oauth.GoOn(link), link} {
			status, page := b.browse(t, address)
			require.Equal(t, http.StatusBadRequest, status)
			require.Contains(t, page, "does not work any more")
		}
		b.browser = mine
		status, _ := b.browse(t, back)
		require.Equal(t, http.StatusOK, status)
	})
}

// Whatever strangers send to the pages is refused by its form: no pool has a
// connection to give here, so a query would be answered 503.
func Test_Made_up_tokens_cost_no_query(t *testing.T) {
	t.Parallel()
	b := setup(t, webApp)
	link := b.link(t, b.binding)
	address := b.consentURL(t, b.binding)
	state := queryOf(t, address).Get("state")
	good := queryOf(t, link).Get("link")
	otherKey := boxOf(t, base64.StdEncoding.EncodeToString([]byte(strings.Repeat("o", 32))))
	forged := base64.RawURLEncoding.EncodeToString(otherKey.Seal(make([]byte, 16), "oauth_states.state"))
	another := base64.RawURLEncoding.EncodeToString(b.box.Seal([]byte("token"), secret.Place(secret.BindingToken, b.binding.String())))
	b.pool.Close()
	for name, token := range map[string]string{
		"empty": "", "made up": strings.Repeat("A", 66), "huge": strings.Repeat("A", 9000), "of another key": forged, "another sealed value": another,
		"no base64": strings.Repeat("!", 66), "cut": state[:65], "longer": state + "A", "a link as a state": good,
	} {
		status, page := b.browse(t, b.base+oauth.CallbackPath+"?code=c&state="+token)
		require.Equal(t, http.StatusBadRequest, status, "%s: %s", name, page)
	}
	for name, token := range map[string]string{"empty": "", "made up": strings.Repeat("A", 66), "huge": strings.Repeat("A", 9000), "a state as a link": state} {
		for _, more := range []string{"", "&go=on"} {
			status, page := b.browse(t, b.base+oauth.StartPath+"?link="+token+more)
			require.Equal(t, http.StatusBadRequest, status, "%s: %s", name, page)
		}
	}
	known := b.base + oauth.CallbackPath + "?code=c&state=" + state
	b.browser = newBrowser(t)
	status, _ := b.browse(t, known)
	require.Equal(t, http.StatusBadRequest, status, "a true state without its cookie")
	for line := range strings.Lines(b.logs.String()) {
		require.LessOrEqual(t, len(line), 4096)
	}
}

// A whole consent takes no connection of the workers.
func Test_Consent_uses_the_pages_pool_alone(t *testing.T) {
	t.Parallel()
	b := setup(t, webApp)
	workers := pgtest.New(t)
	workers.Close()
	keeper, err := oauth.New(oauth.Config{Pool: workers, Pages: b.pool, Box: b.box, HTTP: outbound.New(outbound.Config{AllowPrivate: true})})
	require.NoError(t, err)
	b.keeper, b.pages = keeper, oauth.NewPages(keeper, b.base)
	b.consent(t, b.binding)
	require.Equal(t, "active", b.status(t))
}

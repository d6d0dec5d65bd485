package xerosim

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// token gives tokens for a code, a refresh token, or an app's own credentials.
func (i *Identity) token(r *http.Request) answer {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") || r.ParseForm() != nil || r.URL.RawQuery != "" {
		return refuse("invalid_request")
	}
	app, ok := i.authenticate(r)
	if !ok {
		return refuse("invalid_client")
	}
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		return i.byCode(app, r.PostForm)
	case "refresh_token":
		return i.byRefresh(app, r.PostForm.Get("refresh_token"))
	case "client_credentials":
		return i.byCredentials(app, r.PostForm)
	}
	return refuse("unsupported_grant_type")
}

// authenticate wants HTTP Basic of an app with a secret, and of one without its
// id in the body and no secret anywhere.
func (i *Identity) authenticate(r *http.Request) (App, bool) {
	id, password, basic := r.BasicAuth()
	if !basic {
		app := i.app(r.PostForm.Get("client_id"))
		return app, app.ID != "" && app.Secret == "" && r.PostForm.Get("client_secret") == ""
	}
	id, err := url.QueryUnescape(id)
	if err != nil {
		return App{}, false
	}
	password, err = url.QueryUnescape(password)
	app := i.app(id)
	return app, err == nil && app.ID != "" && app.Secret != "" && password == app.Secret
}

func (i *Identity) byCode(app App, form url.Values) answer {
	c := i.codes[form.Get("code")]
	if c == nil || c.used || c.app != app.ID || c.redirect != form.Get("redirect_uri") || i.cfg.Now().Sub(c.made) > i.cfg.CodeLife {
		return refuse("invalid_grant")
	}
	c.used = true // also where the verifier is wrong
	if c.challenge != "" || app.Secret == "" {
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge {
			return refuse("invalid_grant")
		}
	}
	return i.give(app, c.scopes)
}

// byRefresh gives a new pair each time. The token is spent by that, but for the
// grace in which it works as before.
func (i *Identity) byRefresh(app App, token string) answer {
	held := i.refreshes[token]
	now := i.cfg.Now()
	switch {
	case held == nil || held.app != app.ID || held.revoked || !now.Before(held.expires),
		!held.spent.IsZero() && now.Sub(held.spent) >= i.cfg.Grace:
		return refuse("invalid_grant")
	case held.spent.IsZero():
		held.spent = now
	}
	return i.give(app, held.scopes)
}

func (i *Identity) byCredentials(app App, form url.Values) answer {
	scopes := strings.Fields(form.Get("scope"))
	switch {
	case app.Custom == "":
		return refuse("unauthorized_client")
	case !allowed(app, scopes) || slices.Contains(scopes, "offline_access"):
		return refuse("invalid_scope")
	}
	i.connected[app.ID] = []string{app.Custom}
	return i.give(app, scopes)
}

func (i *Identity) give(app App, scopes []string) answer {
	access := i.secret()
	i.accesses[access] = &accessToken{app: app.ID, expires: i.cfg.Now().Add(i.cfg.AccessLife)}
	body := fields{"access_token": access, "token_type": "Bearer", "expires_in": int(i.cfg.AccessLife.Seconds()), "scope": strings.Join(scopes, " ")}
	if slices.Contains(scopes, "offline_access") {
		refresh := i.secret()
		i.refreshes[refresh] = &refreshToken{app: app.ID, scopes: scopes, expires: i.cfg.Now().Add(i.cfg.RefreshLife)}
		body["refresh_token"] = refresh
	}
	return jsonAnswer(http.StatusOK, body)
}

// revoke ends a refresh token and, as Xero does, every connection and token of
// the person who gave it.
func (i *Identity) revoke(r *http.Request) answer {
	if r.ParseForm() != nil {
		return refuse("invalid_request")
	}
	app, ok := i.authenticate(r)
	if !ok {
		return refuse("invalid_client")
	}
	if held := i.refreshes[r.PostForm.Get("token")]; held != nil && held.app == app.ID {
		i.endConsent(app.ID)
	}
	return answer{status: http.StatusOK}
}

func (i *Identity) endConsent(app string) {
	for _, held := range i.refreshes {
		held.revoked = held.revoked || held.app == app
	}
	for token, access := range i.accesses {
		if access.app == app {
			delete(i.accesses, token)
		}
	}
	delete(i.connected, app)
}

func refuse(code string) answer { return jsonAnswer(http.StatusBadRequest, fields{"error": code}) }

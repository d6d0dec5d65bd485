package xerosim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// authorize is the consent page with a person behind it who answers at once:
// the browser is sent back with a code, or with what was wrong. Where even the
// address to send it back to is wrong, it is a page.
func (i *Identity) authorize(r *http.Request) answer {
	query := r.URL.Query()
	app := i.app(query.Get("client_id"))
	redirect := query.Get("redirect_uri")
	switch {
	case app.ID == "" || app.Custom != "":
		return errorPage("unauthorized_client")
	case !slices.Contains(app.Redirects, redirect) || !safeRedirect(redirect):
		return errorPage("invalid redirect_uri")
	}
	if wrong := i.refuseConsent(app, query); wrong != "" {
		return sendBack(redirect, url.Values{"error": {wrong}, "state": {query.Get("state")}})
	}
	for _, org := range i.choice {
		if !slices.Contains(i.connected[app.ID], org) {
			i.connected[app.ID] = append(i.connected[app.ID], org)
		}
	}
	made := i.secret()
	i.codes[made] = &code{app: app.ID, redirect: redirect, challenge: query.Get("code_challenge"),
		scopes: strings.Fields(query.Get("scope")), made: i.cfg.Now()}
	return sendBack(redirect, url.Values{"code": {made}, "state": {query.Get("state")}, "scope": {query.Get("scope")}})
}

func (i *Identity) refuseConsent(app App, query url.Values) string {
	switch {
	case query.Get("response_type") != "code":
		return "unsupported_response_type"
	case !allowed(app, strings.Fields(query.Get("scope"))):
		return "invalid_scope"
	case app.Secret == "" && (len(query.Get("code_challenge")) != 43 || query.Get("code_challenge_method") != "S256"):
		return "invalid_request"
	case i.denies:
		return "access_denied"
	}
	return ""
}

// allowed knows the scopes that there are; the broad ones are refused to apps
// made since March 2026.
func allowed(app App, scopes []string) bool {
	granular := []string{"offline_access", "openid", "profile", "email", "accounting.invoices", "accounting.payments",
		"accounting.contacts", "accounting.settings", "accounting.settings.read", "accounting.banktransactions", "accounting.manualjournals"}
	for _, scope := range scopes {
		if !slices.Contains(granular, scope) && !(app.Broad && scope == "accounting.transactions") {
			return false
		}
	}
	return len(scopes) > 0
}

// safeRedirect knows what Xero sends browsers to.
func safeRedirect(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http" && u.Hostname() == "localhost")
}

func sendBack(redirect string, with url.Values) answer {
	return answer{status: http.StatusFound, header: http.Header{"Location": {redirect + "?" + with.Encode()}}}
}

func errorPage(what string) answer {
	return answer{status: http.StatusBadRequest, header: http.Header{"Content-Type": {"text/html"}},
		body: []byte("<html><body>Sorry, something went wrong: " + what + "</body></html>")}
}

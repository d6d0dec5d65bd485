package oauth

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"towpath/pkg/provider"
)

// callbackTime bounds a callback: two calls and a transaction.
const callbackTime = 45 * time.Second

// Pages are where a person's browser begins a consent and comes back from it.
// They ask for no password, since the person who consents may have none: the
// link, which only they were given, admits them, and from there on the cookie of
// their browser.
//
//	GET StartPath     ?link=…: what will be connected; &go=on: on to the provider
//	GET CallbackPath  the provider sends the browser back here
type Pages struct {
	keeper *Keeper
	page   *template.Template
	base   string // the path of the base URL
	secure bool
}

// NewPages makes the handlers for a service with this base URL.
func NewPages(k *Keeper, baseURL string) *Pages {
	p := &Pages{keeper: k, page: template.Must(template.New("page").Parse(pageText))}
	if u, err := url.Parse(baseURL); err == nil {
		p.base, p.secure = strings.TrimRight(u.Path, "/"), u.Scheme == "https"
	}
	return p
}

// Start answers a page that changes nothing, or uses the link up and sends the
// browser on with its cookie. A repeat of the latter finds the link used.
func (p *Pages) Start(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), callbackTime)
	defer cancel()
	query := r.URL.Query()
	if query.Get("go") == "" {
		link, err := p.keeper.peek(ctx, query.Get("link"))
		if err != nil {
			p.refuse(w, r, err)
			return
		}
		p.show(w, http.StatusOK, page{Title: "Connect " + link.Tenant + " to " + link.Ledger, Link: link, GoOn: "?" + url.Values{
			"link": {query.Get("link")}, "go": {"on"}}.Encode()})
		return
	}
	b, err := p.keeper.begin(ctx, query.Get("link"))
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	// Lax: the browser comes back from the provider's site by a link, and brings it.
	http.SetCookie(w, &http.Cookie{Name: cookieName(b.state, p.secure), Value: b.cookie, Path: "/", MaxAge: int(ConsentLife.Seconds()),
		HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteLaxMode})
	w.Header().Set("Referrer-Policy", "no-referrer") // the address holds the link
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, b.address, http.StatusSeeOther)
}

// Callback answers a page in every case. A repeat, such as a reload, finds its
// state used up and changes nothing. The query holds the code and is never
// logged.
func (p *Pages) Callback(w http.ResponseWriter, r *http.Request) {
	done, err := p.connect(r)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.show(w, http.StatusOK, page{Title: "Connected", Good: true, Connected: done})
}

func (p *Pages) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var no *Refusal
	if errors.As(err, &no) {
		p.keeper.cfg.Logger.InfoContext(r.Context(), "consent not used", "why", no.Text)
		p.show(w, http.StatusBadRequest, page{Title: no.Title, Text: no.Text})
		return
	}
	p.keeper.cfg.Logger.WarnContext(r.Context(), "consent failed", "error", err)
	text := "Something is away that was needed. Nothing was changed: try again with a new consent link in a moment."
	var f *provider.Failure
	if errors.As(err, &f) {
		text = f.Message + ". Nothing was changed: try again with a new consent link in a moment."
	}
	w.Header().Set("Retry-After", "10")
	p.show(w, http.StatusServiceUnavailable, page{Title: "Not connected", Text: text})
}

// connect takes the state first, whatever else came: it is used up.
func (p *Pages) connect(r *http.Request) (Connected, error) {
	query := r.URL.Query()
	state, held := query.Get("state"), ""
	if len(state) <= 128 { // longer is none of ours, and not worth a hash
		// The cookie stays for its ten minutes: a reload is told that the link is used.
		if c, err := r.Cookie(cookieName(state, p.secure)); err == nil {
			held = c.Value
		}
	}
	consent, err := p.keeper.take(r.Context(), state, held)
	if err != nil {
		return Connected{}, err
	}
	if said := query.Get("error"); said != "" {
		return Connected{}, &Refusal{"Not connected", "The consent was not given (" + printable(said, 60) + "). Nothing was changed."}
	}
	code := query.Get("code")
	if code == "" {
		return Connected{}, &Refusal{"Not connected", "The provider sent no code. Nothing was changed; ask for a new link."}
	}
	// Who closes the window now has consented all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), callbackTime)
	defer cancel()
	return p.keeper.connectCode(ctx, consent, code)
}

type page struct {
	Connected
	Title, Text string
	Good        bool
	Link        linked
	GoOn        string // the query of the way on; empty: there is none
	Base        string
}

func (p *Pages) show(w http.ResponseWriter, status int, content page) {
	content.Base = p.base
	var out bytes.Buffer
	if err := p.page.Execute(&out, content); err != nil {
		http.Error(w, content.Title, status)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer") // the address holds the link or the code
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // a reader who went away is their own affair
}

const pageText = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{{.Title}} - Towpath</title>
<style>body{font:17px/1.5 system-ui,sans-serif;max-width:34em;margin:4em auto;padding:0 1em}h1{font-size:1.5em}
.go{display:inline-block;padding:.5em 1.1em;border-radius:6px;background:#1f5fa8;color:#fff;text-decoration:none}</style>
<h1>{{.Title}}</h1>
{{if .GoOn}}<p>Log in at <strong>{{.Link.Host}}</strong>, choose the organisation that the invoices of {{.Link.Tenant}} belong to, and allow access. Your browser comes back here afterwards.</p>
<p><a class="go" href="{{.GoOn}}" rel="noreferrer">Go on to {{.Link.Host}}</a></p>
<p>If nobody you know sent you here, close this window.</p>
{{else if .Good}}<p>Towpath posts into <strong>{{.OrgName}}</strong>.</p>
<p>{{if .Released}}Documents that waited for this go on now: {{.Released}}.{{else}}No document was waiting.{{end}} You can close this window.</p>
{{else}}<p>{{.Text}}</p>
{{end}}{{if not .GoOn}}<p><a href="{{.Base}}/dashboard/connections">Show the connections</a></p>
{{end}}</html>
`

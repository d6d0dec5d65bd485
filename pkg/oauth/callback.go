package oauth

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"net/http"
	"time"

	"towpath/pkg/provider"
)

// callbackTime bounds a callback: two calls and a transaction.
const callbackTime = 45 * time.Second

// Callback is where the provider sends a person's browser after the consent,
// GET CallbackPath. It asks for no password, since the person who consents may
// have none: the state, which only they were given, is what admits them.
type Callback struct {
	keeper *Keeper
	page   *template.Template
}

// NewCallback makes the handler.
func NewCallback(k *Keeper) *Callback {
	return &Callback{keeper: k, page: template.Must(template.New("page").Parse(pageText))}
}

// ServeHTTP answers a page in every case. A repeat, such as a reload, finds its
// state used up and changes nothing. The query holds the code and is never
// logged.
func (c *Callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	done, err := c.connect(r.Context(), r)
	if err == nil {
		c.show(w, http.StatusOK, page{Title: "Connected", Good: true, Connected: done})
		return
	}
	var no *Refusal
	if errors.As(err, &no) {
		c.keeper.cfg.Logger.InfoContext(r.Context(), "consent not used", "why", no.Text)
		c.show(w, http.StatusBadRequest, page{Title: no.Title, Text: no.Text})
		return
	}
	c.keeper.cfg.Logger.WarnContext(r.Context(), "consent failed", "error", err)
	text := "Something is away that was needed. Nothing was changed: try again with a new consent link in a moment."
	var f *provider.Failure
	if errors.As(err, &f) {
		text = f.Message + ". Nothing was changed: try again with a new consent link in a moment."
	}
	w.Header().Set("Retry-After", "10")
	c.show(w, http.StatusServiceUnavailable, page{Title: "Not connected", Text: text})
}

// connect takes the state first, whatever else came: it is used up.
func (c *Callback) connect(ctx context.Context, r *http.Request) (Connected, error) {
	query := r.URL.Query()
	consent, err := c.keeper.take(ctx, query.Get("state"))
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callbackTime)
	defer cancel()
	return c.keeper.connectCode(ctx, consent, code)
}

type page struct {
	Connected
	Title, Text string
	Good        bool
}

func (c *Callback) show(w http.ResponseWriter, status int, p page) {
	var out bytes.Buffer
	if err := c.page.Execute(&out, p); err != nil {
		http.Error(w, p.Title, status)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer") // the address holds the code
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // a reader who went away is their own affair
}

const pageText = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}} - Towpath</title>
<style>body{font:17px/1.5 system-ui,sans-serif;max-width:34em;margin:4em auto;padding:0 1em;color:#1b2733}h1{font-size:1.5em}</style>
<h1>{{.Title}}</h1>
{{if .Good}}<p>Towpath posts into <strong>{{.OrgName}}</strong>.</p>
<p>{{if .Released}}Documents that waited for this go on now: {{.Released}}.{{else}}No document was waiting.{{end}} You can close this window.</p>
{{else}}<p>{{.Text}}</p>
{{end}}<p><a href="/dashboard/connections">Show the connections</a></p>
</html>
`

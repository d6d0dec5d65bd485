package monitoring

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/yuin/goldmark"
)

// page needs nothing from elsewhere: whoever reads it may have nothing else.
var page = template.Must(template.New("runbook").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Title}}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 1.5rem }
pre { overflow-x: auto; padding: .75rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 4px }
code { font: .875rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere } pre code { overflow-wrap: normal }
li { margin: .25rem 0 }
</style>
<main>
{{if .Index}}<p><a href="{{.Index}}">All runbooks</a></p>{{end}}
{{.Body}}
</main>
`))

// Pages serves the runbooks: GET /runbooks and /runbooks/{Alert}. They hold no data of
// the installation's and no secret, so they ask for no sign-in: who is called at night
// reads them first.
type Pages struct {
	Base string // the path in front, as links need it
}

// Index lists the runbooks.
func (p Pages) Index(w http.ResponseWriter, _ *http.Request) {
	p.write(w, http.StatusOK, "Runbooks", "", "# Runbooks\n\nOne for each alert of `towpath monitoring rules`. The commands need `DATABASE_URL`, "+
		"`TOWPATH_SECRET_KEY` and `TOWPATH_BASE_URL` as `serve` has them; where `TOWPATH_METRICS_LISTEN` is set, `TOWPATH_METRICS_URL` is its address "+
		"(`http://127.0.0.1:9090`).\n\n"+p.links())
}

// Show shows the runbook of one alert.
func (p Pages) Show(w http.ResponseWriter, alert string) {
	name, text, found := Runbook(alert)
	if !found {
		p.write(w, http.StatusNotFound, "No such runbook", "", "# No such runbook\n\nThere are:\n\n"+p.links())
		return
	}
	p.write(w, http.StatusOK, name, p.Base+Path, text)
}

func (p Pages) links() string {
	var list strings.Builder
	for _, name := range Names() {
		fmt.Fprintf(&list, "- [%s](%s)\n", name, p.Base+Path+"/"+name)
	}
	return list.String()
}

// write shows Markdown of ours; goldmark leaves raw HTML out.
func (p Pages) write(w http.ResponseWriter, status int, title, index, text string) {
	var body bytes.Buffer
	if err := goldmark.Convert([]byte(text), &body); err != nil {
		http.Error(w, "show runbook: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = page.Execute(w, map[string]any{"Title": title, "Index": index, "Body": template.HTML(body.String())}) // our own text
}

package monitoring

import (
	"html/template"
	"net/http"
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
{{if .Runbook}}<p><a href="{{.Base}}">All runbooks</a></p>
{{.Runbook}}
{{else}}<h1>{{.Title}}</h1>
{{.Intro}}
<ul>
{{range .Names}}<li><a href="{{$.Base}}/{{.}}">{{.}}</a></li>
{{end}}</ul>
{{end}}</main>
`))

// Pages serves the runbooks: GET /runbooks and /runbooks/{Alert}. They hold no data of
// the installation's and no secret, so they ask for no sign-in: who is called at night
// reads them first.
type Pages struct {
	Base string // the path in front, as links need it
}

// shown is what page shows: a runbook, or the list of them.
type shown struct {
	Title, Base    string
	Runbook, Intro template.HTML // our own text
	Names          []string
}

const intro = `<p>One for each alert of <code>towpath monitoring rules</code>. The commands need <code>DATABASE_URL</code>,
<code>TOWPATH_SECRET_KEY</code> and <code>TOWPATH_BASE_URL</code> as <code>serve</code> has them; where <code>TOWPATH_METRICS_LISTEN</code>
is set, <code>TOWPATH_METRICS_URL</code> is its address (<code>http://127.0.0.1:9090</code>).</p>`

// Index lists the runbooks.
func (p Pages) Index(w http.ResponseWriter, _ *http.Request) {
	p.write(w, http.StatusOK, shown{Title: "Runbooks", Intro: intro, Names: Names()})
}

// Show shows the runbook of one alert.
func (p Pages) Show(w http.ResponseWriter, alert string) {
	name, _, found := Runbook(alert)
	if !found {
		p.write(w, http.StatusNotFound, shown{Title: "No such runbook", Intro: "<p>There are:</p>", Names: Names()})
		return
	}
	p.write(w, http.StatusOK, shown{Title: name, Runbook: template.HTML(read("runbooks/" + name + ".html"))})
}

func (p Pages) write(w http.ResponseWriter, status int, what shown) {
	what.Base = p.Base + Path
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = page.Execute(w, what)
}

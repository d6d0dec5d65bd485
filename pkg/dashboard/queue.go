package dashboard

import (
	"bytes"
	"html"
	"net/http"
	"strings"

	"github.com/julienschmidt/httprouter"
)

// QueuePath is where River's own page of the jobs is.
const QueuePath = "/dashboard/queue"

// queuePolicy is what River UI works under: its own files, icons that its style sheet
// holds, and the styles that its script gives to what it draws.
const queuePolicy = "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// queue shows River UI. Its address is put back together as the browser knows it,
// since its links and its script are made for that. A repeat of what it offers
// (retry, cancel, delete, pause) finds the jobs as they are.
func (d *Dashboard) queue(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if d.cfg.Queue == nil {
		d.notFound(w, r)
		return
	}
	inner, to := *r, *r.URL
	to.Path, to.RawPath = d.at(r.URL.Path), ""
	if r.URL.Path == QueuePath {
		to.Path += "/"
	}
	inner.URL = &to
	w.Header().Set("Content-Security-Policy", queuePolicy)
	if strings.HasPrefix(r.URL.Path, QueuePath+"/assets/") { // named by their content
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		inner.Header = r.Header.Clone()
		inner.Header.Del("Accept-Encoding") // the page is added to
		page := &queuePage{ResponseWriter: w, status: http.StatusOK}
		d.cfg.Queue.ServeHTTP(page, &inner)
		page.send(d.at("/dashboard"))
		return
	}
	d.cfg.Queue.ServeHTTP(w, &inner)
}

// queuePage is River UI's page, held back for a way back to be put into it: of its own
// links none leads to Towpath's pages.
type queuePage struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (p *queuePage) WriteHeader(status int) { p.status = status }

func (p *queuePage) Write(b []byte) (int, error) { return p.body.Write(b) }

// send puts the link at the end of the page's body, beside what its script draws.
func (p *queuePage) send(home string) {
	body := p.body.Bytes()
	if strings.HasPrefix(p.Header().Get("Content-Type"), "text/html") {
		link := `<a href="` + html.EscapeString(home) + `" style="position:fixed;right:1rem;bottom:1rem;z-index:99;padding:.4rem .8rem;border-radius:6px;` +
			`background:#1f2937;color:#fff;font:14px system-ui,sans-serif;text-decoration:none">Back to Towpath</a></body>`
		body = bytes.Replace(body, []byte("</body>"), []byte(link), 1)
		p.Header().Del("Content-Length")
	}
	p.ResponseWriter.WriteHeader(p.status)
	_, _ = p.ResponseWriter.Write(body) // the browser has gone
}

package dashboard

import (
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
	d.cfg.Queue.ServeHTTP(w, &inner)
}

package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dashboard"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/secret"
)

// pageConfig is what the demo's page shows and plays with. The shop must be
// paired.
type pageConfig struct {
	Shop         *magentosim.Shop
	Xero         *xerosim.Sim
	Pool         *pgxpool.Pool
	DashboardURL string        // base of /dashboard/sync/{id}
	Token        secret.String // lets a browser in, here and at the dashboard
	Now          func() time.Time
	Turn         time.Duration // how long an invoice waits for those before it; default maxTurn
}

// page is what the browser sees: it looks like the shop's Sales >
// Invoices grid, raises invoices, and shows each one's way with the time of
// every step.
//
//	GET  /           the page
//	POST /raise      kind=…: an invoice at the simulated shop, in its turn; answers its id
//	GET  /state      ?invoice=…: the grid, and the way of one invoice; read-only
//	GET  /xero/{id}  the document in the simulated Xero
//
// Each only to a browser that came by the address with the token.
type page struct {
	cfg     pageConfig
	queries *dbsqlc.Queries
	tmpl    *template.Template
	twice   sync.Map // ids of the invoices whose webhook was made to arrive twice

	raising  sync.Mutex // a fault goes with the invoice that it is meant for
	troubled int64      // the last raised invoice if it has a fault coming, else 0
}

//go:embed page.html page.css page.js
var pageFiles embed.FS

func newPage(cfg pageConfig) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Turn == 0 {
		cfg.Turn = maxTurn
	}
	p := &page{cfg: cfg, queries: dbsqlc.New(), tmpl: template.Must(template.ParseFS(pageFiles, "page.html"))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.home)
	mux.HandleFunc("GET /page.css", p.file("page.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /page.js", p.file("page.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /state", p.state)
	mux.HandleFunc("POST /raise", p.raise)
	mux.HandleFunc("GET /xero/{id}", p.xero)
	return headers(dashboard.NewGate(cfg.Token, "").Handler(http.NewCrossOriginProtection().Handler(mux)))
}

// dashboardLink is a page of the dashboard, with the token that opens it: who
// sees this page may see that one, whatever name of this machine they came by.
func (p *page) dashboardLink(path string) string {
	return p.cfg.DashboardURL + path + "?token=" + url.QueryEscape(p.cfg.Token.Reveal())
}

// headers allows this page's own files and nothing else.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "+
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (p *page) home(w http.ResponseWriter, _ *http.Request) {
	p.show(w, "page", struct {
		Kinds     []scenario
		Dashboard string
	}{scenarios(), p.dashboardLink("/dashboard/sync")})
}

// xero shows a document as the simulated Xero has it: its address at the real
// one leads nowhere.
func (p *page) xero(w http.ResponseWriter, r *http.Request) {
	for _, invoice := range p.cfg.Xero.Invoices() {
		if invoice.ID == r.PathValue("id") {
			p.show(w, "xero", struct {
				xerosim.Invoice
				Contact string
			}{invoice, p.contactName(invoice.ContactID)})
			return
		}
	}
	http.Error(w, "The simulated Xero has no such document.", http.StatusNotFound)
}

func (p *page) contactName(id string) string {
	for _, contact := range p.cfg.Xero.Contacts() {
		if contact.ID == id {
			return contact.Name
		}
	}
	return id
}

func (p *page) show(w http.ResponseWriter, name string, data any) {
	var out bytes.Buffer
	if err := p.tmpl.ExecuteTemplate(&out, name, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(out.Bytes()) // a reader who went away is his own affair
}

func (p *page) file(name, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		content, err := pageFiles.ReadFile(name)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(content)
	}
}

func answerJSON(w http.ResponseWriter, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(raw)
}

func invoiceID(r *http.Request) int64 {
	id, err := strconv.ParseInt(r.FormValue("invoice"), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

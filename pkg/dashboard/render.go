package dashboard

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"time"

	"github.com/google/uuid"

	"towpath/pkg/foreign"
	"towpath/pkg/users"
)

//go:embed templates static
var files embed.FS

// pages are the parsed templates, each with the frame around it.
type pages struct {
	overview, list, run, bulk, held, connections, gaps, consent, message *template.Template
	pair, end, key, audit                                                *template.Template
	shops, shop, settings, review, moved, version                        *template.Template
	signIn, account, embed, users, user                                  *template.Template
}

func loadPages(s static, at func(string) string) pages {
	funcs := template.FuncMap{
		"asset": func(name string) string { return at(s.path(name)) }, "at": at, "stamp": stamp, "stampMS": stampMS, "machineTime": machineTime, "relative": relative,
		"statusName": statusName, "text": text, "link": safeLink, "grouped": grouped,
		"pair": pairOf, "action": actionOf, "actionWords": actionWords,
		"int64": func(n int) int64 { return int64(n) },
	}
	parse := func(names ...string) *template.Template {
		paths := []string{"templates/frame.html"}
		for _, name := range names {
			paths = append(paths, "templates/"+name)
		}
		return template.Must(template.New("frame.html").Funcs(funcs).ParseFS(files, paths...))
	}
	return pages{
		overview: parse("overview.html"), bulk: parse("bulk.html"), held: parse("held.html"),
		list: parse("list.html"), run: parse("run.html"), connections: parse("connections.html"), gaps: parse("gaps.html"), consent: parse("consent.html"),
		message: parse("message.html"),
		shops:   parse("shops.html"), shop: parse("shop.html"), pair: parse("pair.html"), end: parse("end.html"), key: parse("key.html"), audit: parse("audit.html"),
		settings: parse("settings.html"), review: parse("review.html", "changes.html"), moved: parse("moved.html", "changes.html"), version: parse("version.html", "changes.html"),
		signIn: parse("sign-in.html"), account: parse("account.html"), users: parse("users.html", "by.html"), user: parse("user.html", "by.html"),
		embed: template.Must(template.New("embed.html").Funcs(funcs).ParseFS(files, "templates/embed.html")),
	}
}

// frame is what every page has; Dashboard.frame makes one.
type frame struct {
	Title   string
	Now     time.Time
	Refresh time.Duration // 0: the page does not refresh
	Section string        // of the navigation; empty: none
	Visitor Visitor
	Signed  bool // people sign in here: there are users
	least   map[string]users.Role
}

// frame is that of a page for the visitor of ctx.
func (d *Dashboard) frame(ctx context.Context, title, section string) frame {
	return frame{Title: title, Now: d.cfg.Now(), Section: section, Visitor: VisitorOf(ctx), Signed: d.guard.users != nil, least: d.least}
}

// The sections of the navigation.
const (
	sectionOverview    = "overview"
	sectionRuns        = "runs"
	sectionHeld        = "held"
	sectionConnections = "connections"
	sectionGaps        = "gaps"
	sectionShops       = "shops"
	sectionAudit       = "audit"
	sectionUsers       = "users"
)

// Milliseconds of Refresh, for the script.
func (f frame) Milliseconds() int64 { return f.Refresh.Milliseconds() }

// Seconds of Refresh, at least one, for browsers without script.
func (f frame) Seconds() int64 { return max(1, int64(f.Refresh/time.Second)) }

// show renders into memory first: a page is sent whole or not at all.
func (d *Dashboard) show(w http.ResponseWriter, status int, page *template.Template, data any) {
	var out bytes.Buffer
	if err := page.Execute(&out, data); err != nil {
		d.cfg.Logger.Error("render page", "error", err)
		http.Error(w, "This page could not be made; the log has more.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// Rows of older versions hold others' words as they came.
	_, _ = foreign.Writer(w).Write(out.Bytes()) // a reader who went away is his own affair
}

// message is a page that only says something.
type message struct {
	frame
	Heading, Text string
}

// about is a page that only says something.
func (d *Dashboard) about(r *http.Request, title, heading, text string) message {
	return message{frame: d.frame(r.Context(), title, ""), Heading: heading, Text: text}
}

func (d *Dashboard) notFound(w http.ResponseWriter, r *http.Request) {
	d.show(w, http.StatusNotFound, d.pages.message,
		d.about(r, "Not found", "There is no such run", "The address may be cut short, or the run belongs to another database."))
}

func (d *Dashboard) badRequest(w http.ResponseWriter, r *http.Request, text string) {
	d.show(w, http.StatusBadRequest, d.pages.message, d.about(r, "Not understood", "This address was not understood", text))
}

const databaseAway = "Nothing is lost: the shop keeps its events and sends them again, and what was accepted goes on when the database is back. " +
	"This page refreshes by itself."

// away answers for a query that failed: the database cannot be reached, is
// starting, or is too busy. Nothing was changed.
func (d *Dashboard) away(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(r.Context().Err(), context.Canceled) {
		return // nobody is waiting for the answer
	}
	d.cfg.Logger.Error("read for the dashboard", "path", r.URL.Path, "error", err)
	w.Header().Set("Retry-After", "5")
	page := d.about(r, "Database away", "The database does not answer", databaseAway)
	if r.Method == http.MethodGet {
		page.Refresh = 5 * time.Second
	}
	d.show(w, http.StatusServiceUnavailable, d.pages.message, page)
}

func parseID(s string) (uuid.UUID, bool) {
	id, err := uuid.Parse(s)
	return id, err == nil && len(s) == 36
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

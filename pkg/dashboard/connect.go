package dashboard

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/julienschmidt/httprouter"
)

// connectTime bounds Config.Connect: two calls to the provider and a transaction.
const connectTime = 45 * time.Second

// toldConnected comes with the binding's id in the address: "connected.<id>".
const toldConnected = "connected"

// consentPage leads to the provider's page on which a person consents.
//
// A redirect would do without it, but browsers hold the target of a redirect that
// follows a form against form-action, which allows this origin alone. The page is
// no form's target: it sends the browser on by itself, and has a link where that
// is turned off.
type consentPage struct {
	frame
	Address string
}

// connect connects a binding, or leads to the consent that does. Pressed twice it
// does so twice: the second consent replaces the tokens of the first, and of an
// app's own credentials there are as many tokens as are asked for.
func (d *Dashboard) connect(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	id, ok := parseID(params.ByName("binding"))
	if !ok || d.cfg.Connect == nil {
		d.noConnection(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), connectTime)
	defer cancel()
	address, err := d.cfg.Connect(ctx, id)
	var no *Refusal
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		d.noConnection(w, r)
	case errors.As(err, &no):
		d.show(w, http.StatusConflict, d.pages.message, d.ofConnections(r, no.Title, no.Title, no.Text))
	case err != nil:
		d.notConnected(w, r, err)
	case address == "":
		http.Redirect(w, r, d.at("/dashboard/connections")+"?told="+toldConnected+"."+id.String(), http.StatusSeeOther)
	default:
		d.consent(w, r, address)
	}
}

func (d *Dashboard) consent(w http.ResponseWriter, r *http.Request, address string) {
	if safeLink(&address) == "" {
		d.notConnected(w, r, errors.New("the consent's address is not a web address"))
		return
	}
	d.show(w, http.StatusOK, d.pages.consent, consentPage{
		frame: d.frame(r.Context(), "Consent", sectionConnections), Address: address,
	})
}

func (d *Dashboard) ofConnections(r *http.Request, title, heading, text string) message {
	page := d.about(r, title, heading, text)
	page.Section = sectionConnections
	return page
}

func (d *Dashboard) noConnection(w http.ResponseWriter, r *http.Request) {
	d.show(w, http.StatusNotFound, d.pages.message, d.ofConnections(r, "Not found", "There is no such connection",
		"The address may be cut short, or the connection belongs to another database."))
}

// notConnected answers where something was away that was needed: the database,
// the provider, the key that opens the app's secret. Nothing was changed.
func (d *Dashboard) notConnected(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(r.Context().Err(), context.Canceled) {
		return // nobody is waiting for the answer
	}
	d.cfg.Logger.Error("connect for the dashboard", "path", r.URL.Path, "error", err)
	w.Header().Set("Retry-After", "10")
	d.show(w, http.StatusServiceUnavailable, d.pages.message, d.ofConnections(r, "Not connected", "Not connected",
		"Something is away that was needed, such as the database. Nothing was changed: try again in a moment. The log says more."))
}

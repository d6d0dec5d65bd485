package dashboard

import (
	"errors"
	"net/http"

	"github.com/julienschmidt/httprouter"

	"towpath/pkg/account"
	"towpath/pkg/actions"
	"towpath/pkg/provider/specs"
)

// endPage asks before a connection is ended: /dashboard/bindings/{id}/disconnect.
type endPage struct {
	frame
	actions.Waiting
	Ledger string
}

// keyPage asks before a shop gets another key, and shows the key, once:
// /dashboard/shops/{id}/key.
type keyPage struct {
	frame
	ID, Name string
	Key      string // empty: not made yet
	Released int
}

func (d *Dashboard) ending(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	ctx, cancel := d.within(r)
	defer cancel()
	id, ok := parseID(params.ByName("binding"))
	if !ok || d.cfg.Actions == nil {
		d.noConnection(w, r)
		return
	}
	waiting, err := d.cfg.Actions.Waiting(ctx, id)
	switch {
	case errors.Is(err, account.ErrNoBinding):
		d.noConnection(w, r)
	case err != nil:
		d.away(w, r, err)
	case waiting.Binding.Status == isRevoked:
		d.ended(w, r)
	default:
		page := endPage{frame: d.frame(ctx, "Disconnect "+waiting.Shop, sectionShops), Waiting: waiting, Ledger: specs.Title(waiting.Binding.Provider)}
		d.show(w, http.StatusOK, d.pages.end, page)
	}
}

func (d *Dashboard) ended(w http.ResponseWriter, r *http.Request) {
	d.show(w, http.StatusConflict, d.pages.message, d.ofConnections(r, "Ended", "This connection was ended already", "Nothing was changed."))
}

// end revokes a binding; a repeat finds it ended.
func (d *Dashboard) end(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	ctx, cancel := d.within(r)
	defer cancel()
	id, ok := parseID(params.ByName("binding"))
	if !ok || d.cfg.Actions == nil {
		d.noConnection(w, r)
		return
	}
	waiting, err := d.cfg.Actions.Waiting(ctx, id)
	if err == nil {
		err = d.cfg.Actions.Revoke(ctx, VisitorOf(ctx).Name, id)
	}
	switch {
	case errors.Is(err, account.ErrNoBinding):
		d.noConnection(w, r)
	case errors.Is(err, account.ErrBindingRevoked):
		d.ended(w, r)
	case err != nil:
		d.away(w, r, err)
	default:
		http.Redirect(w, r, d.at("/dashboard/shops/")+waiting.Binding.TenantID.String()+"?told=ended", http.StatusSeeOther)
	}
}

func (d *Dashboard) keyForm(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	d.ofShop(w, r, params, func(page keyPage) { d.show(w, http.StatusOK, d.pages.key, page) })
}

// rotateKey makes a key and shows it once. A repeat makes another: the one before is good
// for fifteen minutes, the one before that is not.
func (d *Dashboard) rotateKey(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	d.ofShop(w, r, params, func(page keyPage) {
		ctx, cancel := d.within(r)
		defer cancel()
		id, _ := parseID(page.ID)
		var err error
		if page.Key, page.Released, err = d.cfg.Actions.RotateKey(ctx, page.Visitor.Name, id); err != nil {
			d.away(w, r, err)
			return
		}
		d.show(w, http.StatusOK, d.pages.key, page)
	})
}

func (d *Dashboard) ofShop(w http.ResponseWriter, r *http.Request, params httprouter.Params, do func(keyPage)) {
	ctx, cancel := d.within(r)
	defer cancel()
	id, ok := parseID(params.ByName("tenant"))
	if !ok || d.cfg.Actions == nil {
		d.noShop(w, r)
		return
	}
	shop, found, err := d.readShop(ctx, id)
	switch {
	case err != nil:
		d.away(w, r, err)
	case !found:
		d.noShop(w, r)
	default:
		do(keyPage{frame: d.frame(ctx, "Key of "+shop.Name, sectionShops), ID: id.String(), Name: shop.Name})
	}
}

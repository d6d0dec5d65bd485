package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/account"
	"towpath/pkg/magento"
	"towpath/pkg/provider/specs"
	"towpath/pkg/secret"
)

// pairPage is /dashboard/pair: the form, and what became of it. The code is never sent
// back.
type pairPage struct {
	frame
	MagentoURL, Provider, Name, Tenant string
	Providers                          []providerChoice
	BaseURL                            string

	Refused string // what is wrong
	Do      string // and what to do about it
	Wrong   string // the input that it is about; empty: none
	Maybe   bool   // the shop may have paired all the same

	Done     *account.Paired
	Warnings []string
	Bound    bool // the shop has a live connection
}

type providerChoice struct{ Name, Title string }

func (d *Dashboard) pairPage(ctx context.Context) pairPage {
	page := pairPage{frame: d.frame(ctx, "Pair a shop", sectionShops), BaseURL: d.cfg.Actions.BaseURL, Provider: "xero"}
	for _, s := range specs.All() {
		page.Providers = append(page.Providers, providerChoice{s.Name, s.Title})
	}
	return page
}

// pairForm shows the form, for a new shop or for the one that the address names.
func (d *Dashboard) pairForm(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if d.cfg.Actions == nil {
		d.noShop(w, r)
		return
	}
	ctx, cancel := d.within(r)
	defer cancel()
	page := d.pairPage(ctx)
	if id, ok := parseID(r.URL.Query().Get("tenant")); ok {
		shop, found, err := d.readShop(ctx, id)
		switch {
		case err != nil:
			d.away(w, r, err)
			return
		case !found:
			d.noShop(w, r)
			return
		}
		page.Tenant, page.Name, page.MagentoURL = id.String(), shop.Name, shop.MagentoUrl
		if len(shop.Live) > 0 {
			page.Provider = shop.Live[0].Provider
		}
	}
	d.show(w, http.StatusOK, d.pages.pair, page)
}

// pair hands a shop its key, as "towpath tenant pair" does. If the answer is lost, or the
// process stops, the same form may be sent again: with the same code where that may not
// have been used, else with a new one. Sent twice at once the second is refused.
func (d *Dashboard) pair(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if d.cfg.Actions == nil {
		d.noShop(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		d.badRequest(w, r, "The form could not be read: "+err.Error()+".")
		return
	}
	page := d.pairPage(ctx)
	what, wrong := page.read(r.PostForm)
	if wrong != "" {
		d.show(w, http.StatusUnprocessableEntity, d.pages.pair, page)
		return
	}
	done, warnings, err := d.cfg.Actions.Pair(ctx, page.Visitor.Name, what)
	if err != nil {
		d.notPaired(w, r, page, err)
		return
	}
	page.Done, page.Warnings = &done, warnings
	if shop, found, err := d.readShop(ctx, done.Tenant.ID); err == nil && found {
		page.Bound = slices.ContainsFunc(shop.Live, func(c connection) bool { return c.Provider == what.Provider })
	}
	d.show(w, http.StatusOK, d.pages.pair, page)
}

// read takes the inputs; wrong names the one that is of no use.
func (p *pairPage) read(values url.Values) (what account.Pairing, wrong string) {
	text := func(name string) string { return strings.TrimSpace(values.Get(name)) }
	p.MagentoURL, p.Provider, p.Name, p.Tenant = text("magento_url"), text("provider"), text("name"), text("tenant")
	what = account.Pairing{MagentoURL: p.MagentoURL, Provider: p.Provider, Name: p.Name, Code: secret.NewString(text("code"))}
	switch id, err := uuid.Parse(p.Tenant); {
	case p.Tenant != "" && err != nil:
		p.Wrong, p.Refused = "tenant", "The shop to pair again is named by no id."
	case p.MagentoURL == "":
		p.Wrong, p.Refused = "magento_url", "The shop's address is missing."
	case account.CheckShopName(p.Name) != nil:
		p.Wrong, p.Refused = "name", "The shop's name: "+account.CheckShopName(p.Name).Error()+"."
	case what.Code.IsEmpty():
		p.Wrong, p.Refused = "code", "The pairing code is missing: make one in the shop's admin, on the page of its Byte8 module."
	default:
		_, known := specs.Of(p.Provider)
		if !known {
			p.Wrong, p.Refused = "provider", "Choose whose module made the code."
		}
		what.Tenant = id
	}
	return what, p.Wrong
}

// notPaired shows the form again with why, in the words of the command line but for what
// is typed there.
func (d *Dashboard) notPaired(w http.ResponseWriter, r *http.Request, page pairPage, err error) {
	var field *account.FieldError
	var several *account.SeveralTenantsError
	var failed *magento.PairFailure
	status := http.StatusConflict
	switch {
	case errors.As(err, &failed):
		page.Refused, page.Do, page.Maybe = sentence(failed.What), onPage(failed.Do)+".", failed.Maybe
		if failed.Detail != "" {
			page.Refused += " It says: " + failed.Detail
		}
		if failed.Problem == magento.ProblemCode {
			page.Wrong = "code"
		}
	case errors.As(err, &field):
		status, page.Refused, page.Wrong = http.StatusUnprocessableEntity, sentence(field.Text), "magento_url"
	case errors.As(err, &several):
		page.Refused, page.Do = "Several shops are at this address.", "Open the page of the one that is meant, and pair it from there."
	case errors.Is(err, account.ErrNoTenant):
		d.noShop(w, r)
		return
	case errors.Is(err, account.ErrPairing):
		page.Refused, page.Do = "This shop is being paired at this moment.", "Wait until that has ended, and look at the shop's page."
	default:
		d.away(w, r, err)
		return
	}
	d.show(w, status, d.pages.pair, page)
}

// onPage puts what a refusal says of the command line into words for the form.
func onPage(text string) string {
	return strings.NewReplacer(
		"un the same command again with the same code", "end the form again with the same code",
		"give --provider as the module that made the code", "choose the ledger whose module made the code",
		"in --magento-url", "in the address", "of --magento-url", "of the address", "--magento-url", "the address",
		": towpath tenant change, with the address", ": towpath tenant change",
	).Replace(text)
}

package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/julienschmidt/httprouter"

	"towpath/pkg/account"
	"towpath/pkg/actions"
	"towpath/pkg/form"
	"towpath/pkg/policy"
	"towpath/pkg/provider/specs"
)

// ofBinding is what all pages of a binding's settings have.
type ofBinding struct {
	frame
	actions.Settings
	Ledger  string
	MayEdit bool // the visitor may, and the binding is live
}

// settingsPage is the form: /dashboard/bindings/{id}/settings.
type settingsPage struct {
	ofBinding
	Notice  string
	Groups  []form.Group
	Version int32 // that the form began with
	Faults  []fault
	Read    moment // when what the ledger has was read
	Why     string // why there are no choices; empty: there are
	History []account.SettingsVersion
}

// fault is what is wrong with a setting, and the input where it is put right.
type fault struct{ Field, Label, Text, At string }

const (
	// maxForm is more than any settings take, typed or as JSON.
	maxForm = 2 << 20
	// askTime bounds a request that may ask the ledger.
	askTime = 50 * time.Second
)

// settings shows the form with the settings in force.
func (d *Dashboard) settings(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	ctx, cancel := d.within(r)
	defer cancel()
	of, ok := d.ofBinding(ctx, w, r, params)
	if !ok {
		return
	}
	page := settingsPage{ofBinding: of, Version: of.Binding.PolicyVersion, Notice: settingsNotice(r.URL.Query().Get("told"))}
	d.showForm(ctx, w, r, http.StatusOK, page, form.Values(of.InForce), nil)
}

func settingsNotice(told string) string {
	switch told {
	case "same":
		return "Nothing was saved: no setting differs from those in force."
	case "read":
		return "What the ledger has was read anew."
	}
	if version, err := strconv.ParseInt(told, 10, 32); err == nil {
		return "Version " + strconv.FormatInt(version, 10) + " is saved and in force. Held documents are tried again under it."
	}
	return ""
}

// ofBinding reads the binding that the address names; false where it has answered.
func (d *Dashboard) ofBinding(ctx context.Context, w http.ResponseWriter, r *http.Request, params httprouter.Params) (ofBinding, bool) {
	id, ok := parseID(params.ByName("binding"))
	if !ok || d.cfg.Actions == nil {
		d.noConnection(w, r)
		return ofBinding{}, false
	}
	settings, err := d.cfg.Actions.Settings(ctx, id)
	switch {
	case errors.Is(err, account.ErrNoBinding):
		d.noConnection(w, r)
		return ofBinding{}, false
	case err != nil:
		d.away(w, r, err)
		return ofBinding{}, false
	}
	of := ofBinding{frame: d.frame(ctx, "Settings of "+settings.Shop, sectionShops), Settings: settings, Ledger: specs.Title(settings.Binding.Provider)}
	of.MayEdit = settings.Binding.Status != isRevoked && of.Visitor.Role.May(d.least["POST /dashboard/bindings/:binding/settings"])
	return of, true
}

// showForm shows the form with what was typed, and what is wrong with it.
func (d *Dashboard) showForm(ctx context.Context, w http.ResponseWriter, r *http.Request, status int, page settingsPage, values url.Values, faults []policy.FieldError) {
	page.Groups = form.Of(values, faults, form.Known{
		Reference: page.Reference, Wire: page.Binding.Wire, Methods: page.Seen.Methods, Stores: page.Seen.Stores, Websites: page.Seen.Websites,
	})
	places := form.Places(page.Groups, faults)
	for _, f := range faults {
		page.Faults = append(page.Faults, fault{Field: f.Field, Label: labelOf(f.Field), Text: f.Message, At: places[f.Field]})
	}
	if page.Binding.ReferenceAt != nil {
		page.Read = momentOf(page.Now, "read", page.Binding.ReferenceAt)
	}
	if !page.Known && page.Why == "" {
		page.Why = page.unread()
	}
	var err error
	if page.History, err = account.SettingsHistory(ctx, d.cfg.Pool, page.Binding); err != nil {
		d.away(w, r, err)
		return
	}
	d.show(w, status, d.pages.settings, page)
}

// unread says why nothing is known of the ledger.
func (o ofBinding) unread() string {
	switch o.Binding.Status {
	case isNeedsConsent:
		return o.Ledger + " has not been read, since it is not connected. Connect it first, or write codes and ids by hand."
	case isRevoked:
		return "This connection was ended."
	}
	return "What " + o.Ledger + " has is not read yet; the workers do that within a minute. Until then codes and ids can be written by hand."
}

// labelOf is what people call a setting; an entry of a map has its key behind it.
func labelOf(field string) string {
	for _, f := range policy.Fields() {
		if field == f.Name {
			return f.Label
		}
		if len(field) <= len(f.Name) || field[:len(f.Name)+1] != f.Name+"." {
			continue
		}
		rest := field[len(f.Name)+1:]
		for _, nested := range f.Fields {
			if nested.Name == rest {
				return f.Label + ": " + nested.Label
			}
		}
		return f.Label + ": " + rest
	}
	return field
}

// differs is a setting before and after, as a page shows it.
type settingDiffers struct{ Label, Field, Before, After string }

func differing(changes []policy.Change) []settingDiffers {
	var all []settingDiffers
	for _, c := range changes {
		all = append(all, settingDiffers{Label: labelOf(c.Field), Field: c.Field, Before: side(c.Before), After: side(c.After)})
	}
	return all
}

func side(value []byte) string {
	if value == nil {
		return "not there"
	}
	return string(value)
}

// refresh reads what the ledger has, now. Pressed twice it does so twice.
func (d *Dashboard) refresh(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	of, ok := d.ofBinding(ctx, w, r, params)
	if !ok {
		return
	}
	if err := d.cfg.Actions.Refresh(ctx, of.Binding); err != nil {
		// What is stored serves on: the form is shown with why there is no newer.
		page := settingsPage{ofBinding: of, Version: of.Binding.PolicyVersion, Why: of.notRead(err)}
		d.showForm(ctx, w, r, http.StatusBadGateway, page, form.Values(of.InForce), nil)
		return
	}
	http.Redirect(w, r, d.at(of.settingsPath())+"?told=read", http.StatusSeeOther)
}

func (o ofBinding) settingsPath() string {
	return "/dashboard/bindings/" + o.Binding.ID.String() + "/settings"
}

// Path is where the pages of these settings are.
func (o ofBinding) Path() string { return "/dashboard/bindings/" + o.Binding.ID.String() }

// rowOfControl is an entry of a map with the setting that it is of, for a template.
type rowOfControl struct {
	Control form.Control
	Row     form.Row
}

func pairOf(c form.Control, row form.Row) rowOfControl { return rowOfControl{c, row} }

// action is a button that sends reviewed settings on.
type action struct {
	Address, Label, Settings string
	Version                  int32
	Strong                   bool
}

func actionOf(page reviewPage, to, label string, strong bool) action {
	return action{Address: page.Path() + "/" + to, Label: label, Settings: page.Settings, Version: page.Version, Strong: strong}
}

package dashboard

import (
	"net/http"
	"strconv"

	"github.com/julienschmidt/httprouter"

	"towpath/pkg/account"
	"towpath/pkg/policy"
)

// versionPage is one version of the settings: /dashboard/bindings/{id}/versions/{n}.
type versionPage struct {
	ofBinding
	Version  account.SettingsVersion
	Changed  []settingDiffers // what it changed
	Differs  []settingDiffers // what restoring it would change
	Settings string           // as JSON
}

// version shows a version, and what restoring it would change. To restore it is to review
// its settings as new ones: they are checked against what the ledger has now.
func (d *Dashboard) version(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	ctx, cancel := d.within(r)
	defer cancel()
	of, ok := d.ofBinding(ctx, w, r, params)
	if !ok {
		return
	}
	number, err := strconv.ParseInt(params.ByName("version"), 10, 32)
	if err != nil {
		d.noVersion(w, r, account.ErrNoVersion)
		return
	}
	then, err := account.Settings(ctx, d.cfg.Pool, of.Binding.ID, int32(number))
	if err != nil {
		d.noVersion(w, r, err)
		return
	}
	history, err := account.SettingsHistory(ctx, d.cfg.Pool, of.Binding)
	if err != nil {
		d.away(w, r, err)
		return
	}
	page := versionPage{ofBinding: of, Differs: differing(policy.Changes(of.InForce, then)), Settings: string(policy.Encode(then))}
	for _, v := range history {
		if v.Version == int32(number) {
			page.Version, page.Changed = v, differing(v.Changes)
		}
	}
	page.Title = "Version " + strconv.Itoa(int(number)) + " of the settings of " + of.Shop
	d.show(w, http.StatusOK, d.pages.version, page)
}

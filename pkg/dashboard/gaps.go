package dashboard

import (
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/gaps"
)

// gapsPage is /dashboard/gaps.
type gapsPage struct {
	frame
	Shops   []quietShop
	Looked  bool // Missing is known
	Missing []missing
	Cut     bool // there are more
}

// quietShop is a shop with its last event.
type quietShop struct {
	gaps.Shop
	Last moment
	Due  moment // when it would be, or has been, too quiet
}

// missing is a gap as the page shows it.
type missing struct {
	gaps.Gap
	What    string
	Noticed moment
}

const (
	gapsSince = 30 * 24 * time.Hour
	maxGaps   = 200
)

func (d *Dashboard) gaps(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	ctx, cancel := d.within(r)
	defer cancel()
	if err := d.cfg.Pool.Ping(ctx); err != nil { // what is kept is no sign of life
		d.away(w, r, err)
		return
	}
	page := gapsPage{frame: d.frame(ctx, "Gaps", sectionGaps)}
	page.Refresh = d.cfg.Refresh
	now := page.Now
	for _, s := range d.shops() {
		last, _ := lastEvent(now, []gaps.Shop{s}, s.TenantID)
		shop := quietShop{Shop: s, Last: last}
		if s.SilentAt != nil {
			shop.Due = momentOf(now, "", s.SilentAt)
		}
		page.Shops = append(page.Shops, shop)
	}
	list, known := d.missing.Latest()
	page.Looked, page.Cut = known, len(list) > maxGaps
	for _, g := range list[:min(len(list), maxGaps)] {
		what := "Invoices"
		if g.Event == "creditmemo.created" {
			what = "Credit memos"
		}
		page.Missing = append(page.Missing, missing{Gap: g, What: what, Noticed: momentOf(now, "", &g.NoticedAt)})
	}
	d.show(w, http.StatusOK, d.pages.gaps, page)
}

// shops are the shops' rhythms, as far as they are known; the page refreshes.
func (d *Dashboard) shops() []gaps.Shop {
	shops, _ := d.rhythm.Latest()
	return shops
}

// lastEvent says when a shop's last event came, and whether it is quieter than usual.
func lastEvent(now time.Time, shops []gaps.Shop, tenant uuid.UUID) (moment, bool) {
	for _, s := range shops {
		switch {
		case s.TenantID != tenant:
		case s.LastAt == nil:
			return moment{Text: "None yet"}, false
		default:
			return momentOf(now, "Came", s.LastAt), s.Silent
		}
	}
	return moment{}, false
}

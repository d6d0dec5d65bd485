package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/advice"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

// heldPage is /dashboard/held: what waits for something outside to change.
type heldPage struct {
	frame
	Notice  string
	Known   bool
	Reasons []heldReason
	Button  bool // that releases
}

// heldReason is a reason with its runs.
type heldReason struct {
	dbsqlc.DashboardHeldListRow
	Words, Do string
	Address   string // its runs
	Since     moment // the oldest of them is held
	Shops     string
}

func (d *Dashboard) held(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	ctx, cancel := d.within(r)
	defer cancel()
	if err := d.cfg.Pool.Ping(ctx); err != nil { // what is kept is no sign of life
		d.away(w, r, err)
		return
	}
	page := heldPage{frame: d.frame(ctx, "Held", sectionHeld), Button: d.cfg.Release != nil}
	page.Refresh = d.cfg.Refresh
	page.Reasons, page.Known = d.heldReasons(ctx)
	if r.URL.Query().Get("told") == toldReleased {
		page.Notice = "They wait for their turn again, under today's settings; what still cannot go on is held again."
	}
	d.show(w, http.StatusOK, d.pages.held, page)
}

// heldReasons are the reasons for which runs are held, those of most runs first; false
// where counting took too long.
func (d *Dashboard) heldReasons(ctx context.Context) ([]heldReason, bool) {
	rows, known := counts(ctx, d, &d.heldCounts, "", func(ctx context.Context) ([]dbsqlc.DashboardHeldListRow, error) {
		return d.queries.DashboardHeldList(ctx, d.cfg.Pool)
	})
	now := d.cfg.Now()
	var list []heldReason
	for _, row := range rows {
		h := heldReason{DashboardHeldListRow: row, Words: advice.Held(row.Reason), Do: advice.HeldDo(row.Reason),
			Address: filter{Status: syncrun.Held, Error: row.Reason}.address(), Since: momentOf(now, "", &row.Since), Shops: "1 shop"}
		if row.Tenants > 1 {
			h.Shops = fmt.Sprintf("%d shops", row.Tenants)
		}
		list = append(list, h)
	}
	return list, known
}

const toldReleased = "released"

// release lets the runs that are held for a reason wait for their turn again. A repeat
// releases what is held by then; what still cannot go on is held again, and nothing is
// written for it.
func (d *Dashboard) release(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	reason := r.PostFormValue("reason")
	if d.cfg.Release == nil || reason == "" || len(reason) > maxFilter {
		d.badRequest(w, r, "The reason is missing. Open the page Held and press the button there.")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), releaseTimeout)
	defer cancel()
	if err := d.cfg.Release(ctx, reason); err != nil {
		d.away(w, r, err)
		return
	}
	d.heldCounts.forget()
	http.Redirect(w, r, d.at("/dashboard/held")+"?told="+toldReleased, http.StatusSeeOther)
}

// releaseTimeout is above what a hundred thousand runs take.
const releaseTimeout = 50 * time.Second

// OldestAddress is that of the run that has been held longest.
func (h heldReason) OldestAddress() string {
	if h.OldestID == uuid.Nil {
		return ""
	}
	return "/dashboard/sync/" + h.OldestID.String()
}

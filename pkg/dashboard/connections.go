package dashboard

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/dbsqlc"
)

// connectionsPage is /dashboard/connections.
type connectionsPage struct {
	frame
	Notice  string
	Live    []connection
	Revoked []connection
	Cut     bool // there are more
}

const (
	maxConnections = 500
	// revokedShown is how long a revoked connection stays on the page.
	revokedShown = 30 * 24 * time.Hour
)

func (d *Dashboard) connections(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	ctx, cancel := d.within(r)
	defer cancel()
	page, err := d.readConnections(ctx)
	if err != nil {
		d.away(w, r, err)
		return
	}
	page.Notice = page.notice(r.URL.Query().Get("told"))
	d.show(w, http.StatusOK, d.pages.connections, page)
}

func (d *Dashboard) readConnections(ctx context.Context) (connectionsPage, error) {
	page := connectionsPage{frame: d.frame(ctx, "Connections", sectionConnections)}
	page.Refresh = d.cfg.Refresh
	now := page.Now
	rows, err := d.queries.DashboardConnectionList(ctx, d.cfg.Pool, dbsqlc.DashboardConnectionListParams{
		RevokedSince: now.Add(-revokedShown), MaxRows: maxConnections + 1,
	})
	if err != nil {
		return page, err
	}
	if len(rows) > maxConnections {
		rows, page.Cut = rows[:maxConnections], true
	}
	backlogs, counted := d.backlogs(ctx)
	shops := d.shops()
	ofOrganisation := map[string]int64{}
	for _, row := range rows {
		ofOrganisation[row.BudgetKey] += documents(backlogs[row.ID])
	}
	for _, row := range rows {
		c := connectionOf(now, row)
		c.Counted = counted
		c.Waiting = backlogs[row.ID]
		c.Last, c.Quiet = lastEvent(now, shops, row.TenantID)
		if documents(c.Waiting) > 0 {
			c.Takes = c.takes(ofOrganisation[row.BudgetKey])
		}
		if row.RevokedAt != nil {
			page.Revoked = append(page.Revoked, c)
			continue
		}
		if d.cfg.Connect != nil {
			c.Button = c.buttonLabel()
		}
		page.Live = append(page.Live, c)
	}
	return page, nil
}

// backlogs are what waits in each connection; false where that is not known.
func (d *Dashboard) backlogs(ctx context.Context) (map[uuid.UUID]dbsqlc.DashboardBacklogListRow, bool) {
	return counts(ctx, d, &d.backlog, "", func(ctx context.Context) (map[uuid.UUID]dbsqlc.DashboardBacklogListRow, error) {
		rows, err := d.queries.DashboardBacklogList(ctx, d.cfg.Pool)
		waiting := map[uuid.UUID]dbsqlc.DashboardBacklogListRow{}
		for _, row := range rows {
			waiting[row.BindingID] = row
		}
		return waiting, err
	})
}

// notice says that the connection which the address names was connected; the
// name is out of the database.
func (p connectionsPage) notice(told string) string {
	what, id, _ := strings.Cut(told, ".")
	for _, c := range p.Live {
		if what == toldConnected && c.ID.String() == id {
			return c.Tenant + " is connected to " + c.Ledger + ". Documents that waited for it go on by themselves."
		}
	}
	return ""
}

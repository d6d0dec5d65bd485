package dashboard

import (
	"context"
	"net/http"
	"time"

	"github.com/julienschmidt/httprouter"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

// overviewPage is /dashboard: how the day goes, and what needs somebody.
type overviewPage struct {
	frame
	Counted     bool // the hours are known
	Today       []outcomeCount
	Arrived     int64 // today
	Chart       chart
	Backlog     backlog
	Held        []heldReason
	HeldKnown   bool
	Connections []connection
	More        int // connections that are not shown
	Waits       []waitingFor
	Version     string
	Since       moment
	Workers     []worker
	BackTo      moment // the database went back to then, and nobody has acknowledged it
}

// outcomeCount is how many of today's runs stand so.
type outcomeCount struct {
	Status, Name, Address string
	Runs                  int64
}

// backlog is what waits, over all connections.
type backlog struct {
	Known                bool
	ToRead, ToPost, Held int64
}

// waitingFor is why a connection's runs wait.
type waitingFor struct {
	Shop, Ledger string
	Anchor       string
	Tone, Name   string
	Moment       moment
}

// worker is a worker process.
type worker struct {
	Name  string
	Since moment
}

// overviewShops is how many connections the overview shows; those that need somebody
// come first.
const overviewShops = 12

func (d *Dashboard) overview(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	ctx, cancel := d.within(r)
	defer cancel()
	page, err := d.readOverview(ctx)
	if err != nil {
		d.away(w, r, err)
		return
	}
	d.show(w, http.StatusOK, d.pages.overview, page)
}

func (d *Dashboard) readOverview(ctx context.Context) (overviewPage, error) {
	page := overviewPage{frame: d.frame(ctx, "Overview", sectionOverview), Version: d.cfg.Version}
	page.Refresh = d.cfg.Refresh
	now := page.Now
	connections, err := d.readConnections(ctx)
	if err != nil {
		return page, err
	}
	processes, err := d.queries.DashboardWorkerList(ctx, d.cfg.Pool)
	if err != nil {
		return page, err
	}
	for _, p := range processes {
		page.Workers = append(page.Workers, worker{p.ClientID, momentOf(now, "started", &p.StartedAt)})
	}
	if restores, err := d.queries.RestoreOpen(ctx, d.cfg.Pool); err != nil {
		return page, err
	} else if len(restores) > 0 {
		page.BackTo = momentOf(now, "to", &restores[0].BackTo)
	}
	page.Since = momentOf(now, "started", &d.started)
	page.Held, page.HeldKnown = d.heldReasons(ctx)
	hours, known := d.hours(ctx, now)
	page.Counted, page.Chart = known, chartOf(now, hours)
	page.Today, page.Arrived = today(now, hours)
	page.connected(connections.Live)
	return page, nil
}

// connected adds what the connections say.
func (p *overviewPage) connected(live []connection) {
	p.Backlog.Known = true
	for _, c := range live {
		p.Backlog.Known = p.Backlog.Known && c.Counted
		p.Backlog.ToRead += c.Waiting.ToFetch
		p.Backlog.ToPost += c.Waiting.ToPost
		p.Backlog.Held += c.Waiting.Held
		w := waitingFor{Shop: c.Tenant, Ledger: c.Ledger, Anchor: "/dashboard/connections#c-" + c.ID.String()}
		for _, problem := range c.Problems() {
			w.Tone, w.Name = problem.Tone, problem.Name
			p.Waits = append(p.Waits, w)
		}
		w.Tone, w.Name = "", ""
		for _, m := range []moment{c.Pause, c.Turn} {
			if m.Text != "" {
				w.Moment = m
				p.Waits = append(p.Waits, w)
			}
		}
	}
	p.Waits = p.Waits[:min(len(p.Waits), overviewShops)]
	p.Connections = live[:min(len(live), overviewShops)]
	p.More = len(live) - len(p.Connections)
}

// hours are the runs of the last day by the hour of their arrival. It reads that day's
// runs, so it is kept as the other counts are.
func (d *Dashboard) hours(ctx context.Context, now time.Time) ([]dbsqlc.DashboardHourListRow, bool) {
	return counts(ctx, d, &d.perHour, "", func(ctx context.Context) ([]dbsqlc.DashboardHourListRow, error) {
		return d.queries.DashboardHourList(ctx, d.cfg.Pool, now.UTC().Truncate(time.Hour).Add(-(chartHours-1)*time.Hour))
	})
}

// today counts the runs that arrived since midnight, UTC, by how they stand now.
func today(now time.Time, hours []dbsqlc.DashboardHourListRow) ([]outcomeCount, int64) {
	day := now.UTC().Truncate(24 * time.Hour)
	runs, all := map[string]int64{}, int64(0)
	for _, h := range hours {
		if !h.Hour.Before(day) {
			runs[h.Status] += h.Runs
			all += h.Runs
		}
	}
	var list []outcomeCount
	for _, status := range syncrun.Statuses() {
		f := filter{Status: status, Since: day.Format(time.DateOnly)}
		list = append(list, outcomeCount{status, statusName(status), f.address(), runs[status]})
	}
	return list, all
}

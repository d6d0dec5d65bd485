package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/bulk"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/find"
	"towpath/pkg/syncrun"
)

// bulkPage is /dashboard/bulk/{deed}: what would be done to the runs that a filter finds,
// and after its button was pressed what was done.
type bulkPage struct {
	frame
	Deed     bulk.Deed
	Filter   filter
	AsOf     string // runs that arrived later are left alone
	Path     string
	Back     string // the list under the filter
	Narrowed []string
	Counts   []bulkCount
	Runs     int
	More     bool
	Acted    bool
	Done     int
	Nothing  int // had gone on meanwhile
	Failed   []bulkFailure
	Left     int
}

// bulkCount is a line of the preview.
type bulkCount struct {
	bulk.Count
	Effect string
}

type bulkFailure struct {
	ID    uuid.UUID
	Error string
}

const (
	// maxBulk is how many runs are chosen at once.
	maxBulk = 10_000
	// bulkTime is how long the button works; what is left then is done by pressing it
	// again.
	bulkTime = 25 * time.Second
	// maxFailures is how many failures are named.
	maxFailures = 20
)

// bulkPreview says what would be done. It changes nothing.
func (d *Dashboard) bulkPreview(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	page, ok := d.bulkOf(w, r, params, r.URL.Query())
	if !ok {
		return
	}
	ctx, cancel := d.within(r)
	defer cancel()
	runs, err := d.chosen(ctx, &page)
	if err != nil {
		d.away(w, r, err)
		return
	}
	for _, n := range bulk.CountOf(runs) {
		page.Counts = append(page.Counts, bulkCount{n, effectOf(page.Deed.Name, n.Status)})
	}
	page.Runs = len(runs)
	d.show(w, http.StatusOK, d.pages.bulk, page)
}

// bulkAct does it, a transaction a run. If the answer is lost, or the process dies, what
// was done is done: a repeat chooses what still fits.
func (d *Dashboard) bulkAct(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	if err := r.ParseForm(); err != nil {
		d.badRequest(w, r, "The form could not be read.")
		return
	}
	page, ok := d.bulkOf(w, r, params, r.PostForm)
	if !ok {
		return
	}
	ctx, cancel := d.within(r)
	defer cancel()
	runs, err := d.chosen(ctx, &page)
	if err != nil {
		d.away(w, r, err)
		return
	}
	acting, stop := context.WithTimeout(r.Context(), bulkTime)
	defer stop()
	tried := bulk.Each(acting, runs, d.deedOf(page.Deed), page.became)
	page.Acted, page.Runs, page.Left = true, len(runs), len(runs)-tried
	d.show(w, http.StatusOK, d.pages.bulk, page)
}

func (p *bulkPage) became(run bulk.Run, err error) {
	switch {
	case err == nil:
		p.Done++
	case errors.Is(err, ErrNothingToDo), errors.Is(err, pgx.ErrNoRows):
		p.Nothing++
	case len(p.Failed) < maxFailures:
		p.Failed = append(p.Failed, bulkFailure{run.ID, err.Error()})
	}
}

// deedOf is what is done to one run; nil where it is not offered.
func (d *Dashboard) deedOf(deed bulk.Deed) func(context.Context, uuid.UUID) error {
	if deed.Name == bulk.Cancel().Name {
		return d.cfg.Cancel
	}
	return d.cfg.RetryMany
}

// bulkOf reads what is to be done to which runs; it has answered where that is not known.
func (d *Dashboard) bulkOf(w http.ResponseWriter, r *http.Request, params httprouter.Params, query url.Values) (bulkPage, bool) {
	page := bulkPage{Path: "/dashboard/bulk/" + params.ByName("deed")}
	for _, deed := range []bulk.Deed{bulk.Retry(), bulk.Cancel()} {
		if deed.Name == params.ByName("deed") {
			page.Deed = deed
		}
	}
	if page.Deed.Name == "" || d.deedOf(page.Deed) == nil {
		d.notFound(w, r)
		return page, false
	}
	f, wrong := readFilter(query)
	if wrong == "" && !f.Narrow() {
		wrong = "Narrow the list of runs first: nothing is done to all runs at once."
	}
	asOf := d.cfg.Now()
	if text := query.Get("as_of"); text != "" && wrong == "" {
		var err error
		if asOf, err = time.Parse(time.RFC3339Nano, text); err != nil {
			wrong = "as_of= is no time. Go back to the list and begin again."
		}
	}
	if wrong != "" {
		d.badRequest(w, r, wrong)
		return page, false
	}
	f.Before = ""
	title := map[string]string{"retry": "Retry runs", "cancel": "Cancel runs"}[page.Deed.Name]
	page.frame = d.frame(r.Context(), title, sectionRuns)
	page.Filter, page.Back, page.AsOf, page.Narrowed = f, f.address(), machineTime(asOf), f.words()
	return page, true
}

// chosen are the page's runs.
func (d *Dashboard) chosen(ctx context.Context, page *bulkPage) (runs []bulk.Run, err error) {
	params, err := d.listParams(ctx, page.Filter)
	if err != nil {
		return nil, err
	}
	asOf, err := time.Parse(time.RFC3339Nano, page.AsOf)
	if err != nil {
		return nil, err
	}
	if params.Until == nil || params.Until.After(asOf) {
		params.Until = &asOf
	}
	runs, page.More, err = bulk.Choose(ctx, d.cfg.Pool, params, page.Deed, maxBulk)
	return runs, err
}

// listParams are the filter as the command line's query takes it.
func (d *Dashboard) listParams(ctx context.Context, f filter) (dbsqlc.SyncRunListParams, error) {
	shown := f.params(newest(), 0)
	params := dbsqlc.SyncRunListParams{Since: shown.Since, Until: shown.Until}
	for value, list := range map[*string]*[]string{&f.Status: &params.Statuses, &f.Event: &params.Events, &f.Error: &params.Reasons} {
		if *value != "" {
			*list = []string{*value}
		}
	}
	if shown.TenantID != nil {
		params.Tenants = []uuid.UUID{*shown.TenantID}
	} else if shown.TenantName != nil {
		ids, err := d.queries.DashboardTenantNamed(ctx, d.cfg.Pool, *shown.TenantName)
		if err != nil {
			return params, err
		}
		params.Tenants = ids
	}
	if f.Query == "" {
		return params, nil
	}
	var err error
	params.Found, err = find.Runs(ctx, d.cfg.Pool, find.Request{Text: f.Query, Since: params.Since, Until: params.Until})
	return params, err
}

// effectOf says what a deed does to a run in a status.
func effectOf(deed, status string) string {
	if deed == "cancel" {
		if status == syncrun.Running {
			return "ends when its worker lets go; what that has written by then stays"
		}
		return "ends; the shop is told that it failed; nothing that was written is undone"
	}
	switch status {
	case syncrun.Failed, syncrun.Cancelled:
		return "starts over under today's settings; a document that it wrote before is found and not written twice"
	case syncrun.Skipped:
		return "is decided again under today's settings"
	}
	return "goes on now, under today's settings"
}

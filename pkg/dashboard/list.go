package dashboard

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/find"
	"towpath/pkg/syncrun"
)

// listPage is /dashboard/sync.
type listPage struct {
	frame
	Filter  filter
	Tabs    []tab
	Tenants []dbsqlc.DashboardTenantListRow
	Events  []string
	Errors  []string
	Rows    []listRow
	Older   string // address; empty: nothing older
	Newest  string // address; empty: this is the newest page
	Clear   string // the same without filters
	Bulk    bool   // many can be acted on
}

// tab is one status with its count.
type tab struct {
	Status, Name, Address string
	Count                 int64
	Counted, Current      bool
}

// listRow is one run as the list shows it.
type listRow struct {
	ID               uuid.UUID
	Title, Happened  string
	Tenant           string
	Buyer, Amount    string
	Status           string
	Sentence         string
	Message          string // the other side's words
	Differs          *differs
	ErrorCode        string // or the reason why it is held
	ErrorAddress     string
	NextAttemptAt    *time.Time
	Attempt          int32
	Reference        string
	Link             string
	ReceivedAt       time.Time
	Took, TookDetail string
}

func (d *Dashboard) list(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	f, wrong := readFilter(r.URL.Query())
	if wrong != "" {
		d.badRequest(w, r, wrong)
		return
	}
	before, ok := parseCursor(f.Before)
	if !ok {
		d.badRequest(w, r, "before= is no page of this list. Begin at the newest run.")
		return
	}
	ctx, cancel := d.within(r)
	defer cancel()
	page, err := d.readList(ctx, f, before)
	if err != nil {
		d.away(w, r, err)
		return
	}
	d.show(w, http.StatusOK, d.pages.list, page)
}

func (d *Dashboard) readList(ctx context.Context, f filter, before cursor) (listPage, error) {
	page := listPage{
		frame: d.frame(ctx, "Sync runs", sectionRuns), Filter: f, Events: syncrun.Events(), Errors: errorCodes(),
		Clear: filter{}.address(), Bulk: d.cfg.RetryMany != nil && d.cfg.Cancel != nil,
	}
	page.Refresh = d.cfg.Refresh
	params := f.params(before, int32(d.cfg.PageSize+1))
	if f.Query != "" {
		found, err := find.Runs(ctx, d.cfg.Pool, find.Request{Text: f.Query, Since: params.Since, Until: params.Until})
		if err != nil {
			return listPage{}, err
		}
		params.Found = found
	}
	runs, err := d.queries.DashboardRunList(ctx, d.cfg.Pool, params)
	if err != nil {
		return listPage{}, err
	}
	if len(runs) > d.cfg.PageSize {
		runs = runs[:d.cfg.PageSize]
		last := runs[len(runs)-1]
		page.Older = f.older(cursor{at: last.ReceivedAt, id: last.ID})
	}
	if f.Before != "" {
		page.Newest = f.newest()
	}
	for _, run := range runs {
		page.Rows = append(page.Rows, rowOf(page.Now, f, run))
	}
	if page.Tenants, err = d.queries.DashboardTenantList(ctx, d.cfg.Pool); err != nil {
		return listPage{}, err
	}
	page.Tabs = d.tabs(ctx, f, params)
	return page, nil
}

// params are the query's. A tenant is named by its id or by its name.
func (f filter) params(before cursor, rows int32) dbsqlc.DashboardRunListParams {
	params := dbsqlc.DashboardRunListParams{
		Status: optional(f.Status), Event: optional(f.Event), ErrorCode: optional(f.Error),
		BeforeAt: before.at, BeforeID: before.id, MaxRows: rows,
	}
	params.Since, _ = dayOf(f.Since, 0)
	params.Until, _ = dayOf(f.Until, 1)
	// The index is read from the cursor on: from the end of all runs, if that of the day were
	// not said as one.
	if params.Until != nil && params.BeforeAt.After(*params.Until) {
		params.BeforeAt, params.BeforeID = *params.Until, uuid.Nil
	}
	if id, ok := parseID(f.Tenant); ok {
		params.TenantID = &id
	} else {
		params.TenantName = optional(f.Tenant)
	}
	return params
}

func (d *Dashboard) tabs(ctx context.Context, f filter, params dbsqlc.DashboardRunListParams) []tab {
	counts, counted := d.count(ctx, dbsqlc.DashboardRunCountParams{
		Event: params.Event, TenantID: params.TenantID, TenantName: params.TenantName, ErrorCode: params.ErrorCode,
		Since: params.Since, Until: params.Until, Found: params.Found,
	}, f.withStatus(""))
	all := int64(0)
	for _, n := range counts {
		all += n
	}
	tabs := []tab{{Name: "All", Address: f.withStatus(""), Count: all, Counted: counted, Current: f.Status == ""}}
	for _, status := range syncrun.Statuses() {
		tabs = append(tabs, tab{
			Status: status, Name: statusName(status), Address: f.withStatus(status),
			Count: counts[status], Counted: counted, Current: f.Status == status,
		})
	}
	return tabs
}

func rowOf(now time.Time, f filter, run dbsqlc.DashboardRunListRow) listRow {
	words := facts{
		Now: now, EntityType: run.EntityType, Provider: run.Provider, Status: run.Status, Stage: run.Stage,
		NextAttemptAt: run.NextAttemptAt, PausedUntil: run.PausedUntil, HoldReason: run.HoldReason, SkipReason: run.SkipReason,
		ErrorCode: run.ErrorCode, ErrorMessage: run.ErrorMessage, ShopTold: run.ShopTold, // the reference has a column of its own
		Differs: differsOf(run.Variance),
	}
	row := listRow{
		ID: run.ID, Title: title(run.EntityType, run.MagentoEntityID, []byte(run.Body)), Happened: happened(run.Event),
		Tenant: run.Tenant, Buyer: run.Customer, Amount: strings.TrimSpace(amount(run.Amount).String() + " " + run.Currency),
		Status: run.Status, Sentence: words.sentence(), Differs: words.Differs,
		Message:   listMessage(run.Status, text(run.ErrorMessage), run.ErrorDetail),
		ErrorCode: chip(run.Status, run.HoldReason, run.ErrorCode), NextAttemptAt: run.NextAttemptAt, Attempt: run.Attempt,
		Reference: text(run.ProviderReference), Link: safeLink(run.ProviderUrl), ReceivedAt: run.ReceivedAt,
	}
	if row.ErrorCode != "" {
		row.ErrorAddress = f.withError(row.ErrorCode)
	}
	switch {
	case run.ToldAt != nil:
		row.Took, row.TookDetail = took(run.ToldAt.Sub(run.ReceivedAt)), "from arrival until the shop knew"
	case run.FinishedAt != nil:
		row.Took, row.TookDetail = took(run.FinishedAt.Sub(run.ReceivedAt)), "from arrival to its end; the shop does not know yet"
	}
	return row
}

// chip is the word by which runs like this one are found: a held one's reason, else the
// error_code.
func chip(status string, holdReason, errorCode *string) string {
	if status == syncrun.Held && holdReason != nil {
		return *holdReason
	}
	return text(errorCode)
}

// errorCodes are those that the shop may be told, with those that end a run
// here.
func errorCodes() []string {
	codes := []string{"http", "provider", "rate_limited", "auth", "validation", "not_found", "internal", "cancelled"}
	slices.Sort(codes)
	return codes
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

package dashboard

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/advice"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider/specs"
	"towpath/pkg/syncrun"
)

// runPage is /dashboard/sync/{id}.
type runPage struct {
	frame
	dbsqlc.DashboardRunGetRow
	Heading, Happened string
	Sentence          string
	Ledger            string
	Link              string
	ShopAddress       string
	Took              string
	Notice            string
	Retry             string // the button's label; empty: none
	Mend              string // what comes before a retry of a run that failed
	Chip              string // the reason of a held run, else its error_code
	Do                string // what lets a held run go on
	Ahead             []aheadRow
	Cancel            bool
	Intents           []intentRow
	Calls             []callRow
	History           []step
	Cut               bool // older steps are left out
	Rules             []rule
	Document          document
	ShopTotal         *shopTotal
	JSON              []jsonPart
	Differs           *differs
	Paused            *time.Time // until when; nil once that is over
}

// aheadRow is a run of the same document that comes first.
type aheadRow struct {
	ID     uuid.UUID
	Event  string
	Status string
}

// jsonPart is a stored document, folded until it is asked for.
type jsonPart struct{ Key, Name, Text string }

// maxSteps is how many steps of a history a page shows, the newest.
const maxSteps = 300

func (d *Dashboard) run(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	id, ok := parseID(params.ByName("id"))
	if !ok {
		d.notFound(w, r)
		return
	}
	ctx, cancel := d.within(r)
	defer cancel()
	page, err := d.readRun(ctx, id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		d.notFound(w, r)
	case err != nil:
		d.away(w, r, err)
	default:
		page.Notice = notice(r.URL.Query().Get("told"))
		d.show(w, http.StatusOK, d.pages.run, page)
	}
}

func (d *Dashboard) readRun(ctx context.Context, id uuid.UUID) (runPage, error) {
	row, err := d.queries.DashboardRunGet(ctx, d.cfg.Pool, id)
	if err != nil {
		return runPage{}, err
	}
	events, err := d.queries.DashboardEventList(ctx, d.cfg.Pool, dbsqlc.DashboardEventListParams{RunID: id, MaxRows: maxSteps + 1})
	if err != nil {
		return runPage{}, err
	}
	intents, err := d.queries.DashboardIntentList(ctx, d.cfg.Pool, id)
	if err != nil {
		return runPage{}, err
	}
	calls, err := d.queries.RunCallsList(ctx, d.cfg.Pool, id)
	if err != nil {
		return runPage{}, err
	}
	var ahead []dbsqlc.DashboardRunsAheadRow
	if row.SyncRun.FinishedAt == nil {
		if ahead, err = d.queries.DashboardRunsAhead(ctx, d.cfg.Pool, id); err != nil {
			return runPage{}, err
		}
	}
	page := d.runPage(ctx, row, events, ahead)
	page.Calls = callRows(row.SyncRun.ReceivedAt, calls)
	for _, i := range intents {
		page.Intents = append(page.Intents, intentOf(row.SyncRun.ReceivedAt, row.SyncRun.Status, i, page.Calls))
	}
	return page, nil
}

func (d *Dashboard) runPage(ctx context.Context, row dbsqlc.DashboardRunGetRow, events []dbsqlc.SyncRunEvent, ahead []dbsqlc.DashboardRunsAheadRow) runPage {
	run := row.SyncRun
	page := runPage{
		DashboardRunGetRow: row, Heading: title(run.EntityType, run.MagentoEntityID, run.Body), Happened: happened(run.Event),
		Ledger: specs.Title(row.Provider), Link: safeLink(run.ProviderUrl), ShopAddress: safeLink(&row.MagentoUrl),
		Rules: rulesOf(run.Decision), Document: documentOf(run.Document),
		ShopTotal: shopTotalOf(run.Canonical), JSON: jsonParts(run), Differs: differsOf(run.Variance),
	}
	page.frame = d.frame(ctx, page.Heading, sectionRuns)
	page.Refresh = d.cfg.Refresh
	words := factsOf(page.Now, row)
	page.Sentence, page.Paused = words.sentence(), words.pause()
	if d.cfg.Retry != nil {
		page.Retry = words.retryLabel()
	}
	page.Chip = chip(run.Status, run.HoldReason, run.ErrorCode)
	switch run.Status {
	case syncrun.Failed:
		page.Mend = advice.FailedDo(text(run.ErrorCode), text(run.ErrorMessage), page.Ledger)
	case syncrun.Held:
		page.Do = advice.HeldDo(text(run.HoldReason))
	}
	page.Cancel = d.cfg.Cancel != nil && run.FinishedAt == nil
	if run.ToldAt != nil {
		page.Took = took(run.ToldAt.Sub(run.ReceivedAt))
	}
	page.History, page.Cut = history(run.ReceivedAt, events)
	for _, a := range ahead {
		page.Ahead = append(page.Ahead, aheadRow{a.ID, a.Event, a.Status})
	}
	return page
}

func factsOf(now time.Time, row dbsqlc.DashboardRunGetRow) facts {
	run := row.SyncRun
	return facts{
		Now: now, EntityType: run.EntityType, Provider: row.Provider, Status: run.Status, Stage: run.Stage,
		NextAttemptAt: run.NextAttemptAt, PausedUntil: row.PausedUntil, HoldReason: run.HoldReason, SkipReason: run.SkipReason,
		ErrorCode: run.ErrorCode, ErrorMessage: run.ErrorMessage, ShopTold: run.ShopTold, Reference: run.ProviderReference,
		Differs: differsOf(run.Variance),
	}
}

func jsonParts(run dbsqlc.SyncRun) []jsonPart {
	parts := []jsonPart{}
	for _, p := range []jsonPart{
		{"canonical", "Canonical document, as the shop tells it", pretty(run.Canonical)},
		{"document", "Document, as it was computed", pretty(run.Document)},
		{"decision", "Decision of the policy", pretty(run.Decision)},
		{"body", "Webhook, as it arrived", pretty(run.Body)},
	} {
		if p.Text != "" {
			parts = append(parts, p)
		}
	}
	return parts
}

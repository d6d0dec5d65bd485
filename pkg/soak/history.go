package soak

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/xero/xerosim"
)

// History is what all three say of what happened.
type History struct {
	Shops    []ShopHistory
	Runs     []RunHistory
	Invoices []xerosim.Invoice
	Credits  []xerosim.Invoice
	Payments []xerosim.Payment
	Against  []xerosim.Allocation // credit notes against invoices
}

// ShopHistory is a shop's own.
type ShopHistory struct {
	Tenant, Prefix string
	Outbox         []magentosim.Row
	Invoices       []magentosim.Invoice
	Told           map[Entity][]magentosim.Told
}

// Entity is a document, customer or product of a shop.
type Entity struct {
	Kind string
	ID   int64
}

// RunHistory is one run of Towpath's.
type RunHistory struct {
	ID, Tenant, Event, Entity string
	EntityID                  int64
	Status, Stage, Lane       string
	ProviderID                *string
	ShopTold                  *string
	ReceivedAt                time.Time
	FinishedAt, ToldAt        *time.Time
}

// history reads all three once everything has ended.
func (w *world) history(ctx context.Context) (History, error) {
	h := History{Invoices: w.xero.Invoices(), Credits: w.xero.CreditNotes(), Payments: w.xero.Payments(), Against: w.xero.Allocations()}
	rows, _ := w.pool.Query(ctx, `
		SELECT id::text, tenant_id::text AS tenant, event, entity_type AS entity, magento_entity_id AS entity_id, status, stage, lane,
			provider_entity_id AS provider_id, shop_told, received_at, finished_at, told_at
		FROM sync_runs
		ORDER BY received_at, id`) // the collector returns the error
	var err error
	if h.Runs, err = pgx.CollectRows(rows, pgx.RowToStructByName[RunHistory]); err != nil {
		return h, fmt.Errorf("read the runs: %w", err)
	}
	for _, s := range w.shops {
		of := ShopHistory{Tenant: s.tenant.String(), Prefix: s.prefix, Outbox: s.Outbox(), Invoices: s.Invoices(), Told: map[Entity][]magentosim.Told{}}
		for _, r := range h.Runs {
			if e := (Entity{r.Entity, r.EntityID}); r.Tenant == of.Tenant && of.Told[e] == nil {
				of.Told[e] = s.Told(e.Kind, e.ID)
			}
		}
		h.Shops = append(h.Shops, of)
	}
	return h, nil
}

// count fills in the figures.
func (w *world) count(r *Report, h History) {
	r.Events, r.Runs = map[string]int{}, map[string]int{}
	for _, run := range h.Runs {
		r.Events[run.Event]++
		r.Runs[run.Status]++
		if run.ToldAt != nil {
			r.SlowestDocument = max(r.SlowestDocument, run.ToldAt.Sub(run.ReceivedAt).Seconds())
		}
	}
	r.Kills, r.Crashes, r.Terminations, r.Faults = int(w.kills.Load()), int(w.crashes.Load()), int(w.terminations.Load()), int(w.faults.Load())
	w.seen.mu.Lock()
	defer w.seen.mu.Unlock()
	r.Snapshots, r.Probes, r.LongestStall = w.seen.snapshots, w.seen.probes, w.seen.stall.Seconds()
}

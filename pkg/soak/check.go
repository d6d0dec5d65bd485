package soak

import (
	"fmt"
	"maps"
	"slices"

	"github.com/shopspring/decimal"

	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/xero/xerosim"
)

// Finding is what became of one rule.
type Finding struct {
	Name    string   `json:"name"`
	Text    string   `json:"text"`
	Checked int      `json:"checked"` // how many it was held against
	Broken  int      `json:"broken"`
	Samples []string `json:"samples"` // ten at most
}

func (f *Finding) broken(format string, args ...any) {
	f.Broken++
	if len(f.Samples) < 10 {
		f.Samples = append(f.Samples, fmt.Sprintf(format, args...))
	}
}

// Check holds the three histories against each other. It is a function of them alone.
func (h History) Check() []Finding {
	return []Finding{
		h.accepted(), h.ended(), h.oneDocument(), h.everyDocument(), h.totals(),
		h.onePayment(), h.oneAllocation(), h.sums(), h.order(), h.told(),
	}
}

func (h History) runs() map[string]RunHistory {
	byID := make(map[string]RunHistory, len(h.Runs))
	for _, r := range h.Runs {
		byID[r.ID] = r
	}
	return byID
}

// accepted: what the shop was told is accepted is there, as the run that it was told.
func (h History) accepted() Finding {
	f := Finding{Name: "accepted_is_there", Text: "every event that was answered 202 is the run of that answer, and none was refused"}
	byID := h.runs()
	for _, s := range h.Shops {
		for _, row := range s.Outbox {
			f.Checked++
			run, there := byID[row.SyncRunID]
			switch {
			case row.Status == magentosim.RowDead:
				f.broken("%s of %s was refused: %s", row.Key, s.Prefix, row.LastError)
			case row.Status != magentosim.RowSucceeded:
				f.broken("%s of %s was never accepted: %s", row.Key, s.Prefix, row.LastError)
			case !there:
				f.broken("%s of %s was accepted as run %s, which is nowhere", row.Key, s.Prefix, row.SyncRunID)
			case run.Tenant != s.Tenant || run.Event != row.Event || run.EntityID != row.EntityID:
				f.broken("%s of %s was accepted as run %s, which is another event's", row.Key, s.Prefix, row.SyncRunID)
			}
		}
	}
	return f
}

// ended: each run has one end, which the shop was told, or is held.
func (h History) ended() Finding {
	f := Finding{Name: "one_end", Text: "every run has ended and the shop was told, or is held"}
	for _, r := range h.Runs {
		f.Checked++
		if r.Status != "held" && (r.Stage != "done" || r.FinishedAt == nil || r.ShopTold == nil || *r.ShopTold != "told") {
			f.broken("run %s (%s %d) is %s at stage %s", r.ID, r.Event, r.EntityID, r.Status, r.Stage)
		}
	}
	return f
}

// documents are the runs that wrote an invoice or a credit note, by its id.
func (h History) documents() map[string][]RunHistory {
	of := map[string][]RunHistory{}
	for _, r := range h.Runs {
		if r.Status == "succeeded" && r.ProviderID != nil && (r.Event == "invoice.created" || r.Event == "creditmemo.created") {
			of[*r.ProviderID] = append(of[*r.ProviderID], r)
		}
	}
	return of
}

func (h History) oneDocument() Finding {
	f := Finding{Name: "one_document", Text: "at most one document for each event, and one event for each document"}
	of := h.documents()
	numbers := map[string]int{}
	for _, doc := range slices.Concat(h.Invoices, h.Credits) {
		f.Checked++
		if numbers[doc.Type+doc.Number]++; numbers[doc.Type+doc.Number] > 1 {
			f.broken("%s %s stands %d times", doc.Type, doc.Number, numbers[doc.Type+doc.Number])
		}
		switch runs := of[doc.ID]; {
		case len(runs) == 0:
			f.broken("%s %s (%s) is no succeeded run's", doc.Type, doc.Number, doc.ID)
		case len(runs) > 1:
			f.broken("%s %s is of %d runs", doc.Type, doc.Number, len(runs))
		}
	}
	return f
}

func (h History) everyDocument() Finding {
	f := Finding{Name: "document_is_there", Text: "every run that succeeded has its document in the ledger"}
	known := map[string]bool{}
	for _, doc := range slices.Concat(h.Invoices, h.Credits) {
		known[doc.ID] = true
	}
	for id, runs := range h.documents() {
		f.Checked++
		if !known[id] {
			f.broken("run %s (%s %d) succeeded as document %s, which is nowhere", runs[0].ID, runs[0].Event, runs[0].EntityID, id)
		}
	}
	return f
}

// posted are the ledger's invoices by what they are of.
func (h History) posted() map[string]map[int64]xerosim.Invoice {
	byID := map[string]xerosim.Invoice{}
	for _, doc := range h.Invoices {
		byID[doc.ID] = doc
	}
	of := map[string]map[int64]xerosim.Invoice{}
	for id, runs := range h.documents() {
		doc, found := byID[id]
		for _, r := range runs {
			if found && r.Event == "invoice.created" {
				if of[r.Tenant] == nil {
					of[r.Tenant] = map[int64]xerosim.Invoice{}
				}
				of[r.Tenant][r.EntityID] = doc
			}
		}
	}
	return of
}

func (h History) totals() Finding {
	f := Finding{Name: "exact", Text: "every document has its invoice's number, total and currency"}
	posted := h.posted()
	for _, s := range h.Shops {
		for _, inv := range s.Invoices {
			doc, found := posted[s.Tenant][inv.ID]
			if !found {
				continue
			}
			f.Checked++
			if doc.Number != s.Prefix+inv.IncrementID || doc.Total != inv.GrandTotal || doc.Currency != inv.Currency {
				f.broken("invoice %s%s of %s %s stands as %s of %s %s", s.Prefix, inv.IncrementID, inv.GrandTotal, inv.Currency, doc.Number, doc.Total, doc.Currency)
			}
		}
	}
	return f
}

// onePayment: an invoice has one payment, and a credit note one refund, at most; one
// whose payment succeeded has it, of the whole total or what a credit left of it.
func (h History) onePayment() Finding {
	f := Finding{Name: "one_payment", Text: "one payment for each payment event, and one refund for each credit note, at most"}
	of := map[string]int{}
	for _, p := range h.Payments {
		f.Checked++
		if of[p.Document]++; of[p.Document] > 1 {
			f.broken("%s has %d payments", p.Document, of[p.Document])
		}
	}
	posted := h.posted()
	for _, r := range h.Runs {
		if r.Event != "invoice.paid" || r.Status != "succeeded" {
			continue
		}
		f.Checked++
		if doc, found := posted[r.Tenant][r.EntityID]; !found || of[doc.Number] == 0 {
			f.broken("run %s (invoice.paid %d) succeeded without a payment", r.ID, r.EntityID)
		}
	}
	return f
}

func (h History) oneAllocation() Finding {
	f := Finding{Name: "one_allocation", Text: "a credit note is set against an invoice once at most"}
	of := map[string]int{}
	for _, a := range h.Against {
		f.Checked++
		if of[a.CreditNote+" against "+a.Invoice]++; of[a.CreditNote+" against "+a.Invoice] > 1 {
			f.broken("%s against %s stands twice", a.CreditNote, a.Invoice)
		}
	}
	return f
}

// sums: of each day and currency, what the shop has in all is what is in the ledger, or
// held, left out or failed.
func (h History) sums() Finding {
	f := Finding{Name: "sums", Text: "of each day and currency: accepted = posted + held + skipped + failed"}
	type key struct{ day, currency string }
	accepted, accounted := map[key]decimal.Decimal{}, map[key]decimal.Decimal{}
	ended := map[string]map[int64]RunHistory{}
	for _, r := range h.Runs {
		if r.Event == "invoice.created" {
			if ended[r.Tenant] == nil {
				ended[r.Tenant] = map[int64]RunHistory{}
			}
			ended[r.Tenant][r.EntityID] = r
		}
	}
	posted := h.posted()
	for _, s := range h.Shops {
		for _, inv := range s.Invoices {
			k := key{inv.CreatedAt.UTC().Format("2006-01-02"), inv.Currency}
			total := decimal.RequireFromString(inv.GrandTotal)
			accepted[k] = accepted[k].Add(total)
			switch ended[s.Tenant][inv.ID].Status {
			case "succeeded":
				if doc, found := posted[s.Tenant][inv.ID]; found {
					accounted[k] = accounted[k].Add(decimal.RequireFromString(doc.Total))
				}
			case "held", "skipped_by_policy", "failed", "cancelled":
				accounted[k] = accounted[k].Add(total)
			}
		}
	}
	for k := range maps.Keys(accepted) {
		f.Checked++
		if !accepted[k].Equal(accounted[k]) {
			f.broken("%s %s: %s accepted, %s accounted for", k.day, k.currency, accepted[k].StringFixed(2), accounted[k].StringFixed(2))
		}
	}
	return f
}

// order: what follows an invoice did not end before it.
func (h History) order() Finding {
	f := Finding{Name: "order", Text: "within a lane: nothing that follows an invoice succeeded before it had"}
	first := map[string]RunHistory{}
	for _, r := range h.Runs {
		if r.Event == "invoice.created" {
			first[fmt.Sprint(r.Tenant, r.EntityID)] = r
			first[r.Tenant+r.Lane] = r
		}
	}
	for _, r := range h.Runs {
		invoice, found := first[r.Tenant+r.Lane]
		if r.Event == "invoice.paid" {
			invoice, found = first[fmt.Sprint(r.Tenant, r.EntityID)]
		}
		if !found || r.ID == invoice.ID || r.Status != "succeeded" {
			continue
		}
		f.Checked++
		if invoice.Status != "succeeded" || invoice.FinishedAt == nil || r.FinishedAt.Before(*invoice.FinishedAt) {
			f.broken("run %s (%s %d) succeeded before its invoice's run %s, which is %s", r.ID, r.Event, r.EntityID, invoice.ID, invoice.Status)
		}
	}
	return f
}

// told: what a shop was told last of a document is how it stands in the ledger.
func (h History) told() Finding {
	f := Finding{Name: "told", Text: "what the shop was told last is what happened"}
	posted := h.posted()
	for _, s := range h.Shops {
		for _, inv := range s.Invoices {
			told := s.Told[Entity{"invoice", inv.ID}]
			doc, there := posted[s.Tenant][inv.ID]
			if len(told) == 0 {
				if there {
					f.broken("invoice %s%s stands, and the shop was never told", s.Prefix, inv.IncrementID)
				}
				continue
			}
			f.Checked++
			last := told[len(told)-1]
			if there && last.ProviderEntityID != doc.ID || !there && last.Status == "synced" {
				f.broken("of invoice %s%s the shop was told %s %s, and it is document %q", s.Prefix, inv.IncrementID, last.Status, last.ProviderEntityID, doc.ID)
			}
		}
	}
	return f
}

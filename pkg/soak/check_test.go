package soak

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/xero/xerosim"
)

// whole is a history in which all is right: an invoice that was paid, and one that is
// held.
func whole() History {
	at := func(second int) *time.Time {
		t := time.Date(2026, 4, 29, 10, 0, second, 0, time.UTC)
		return &t
	}
	told, document := "told", "doc-1"
	return History{
		Shops: []ShopHistory{{
			Tenant: "t", Prefix: "A-",
			Outbox: []magentosim.Row{
				{Key: "invoice.created:1", Event: "invoice.created", EntityID: 1, Status: magentosim.RowSucceeded, SyncRunID: "r1"},
				{Key: "invoice.paid:1", Event: "invoice.paid", EntityID: 1, Status: magentosim.RowSucceeded, SyncRunID: "r2"},
				{Key: "invoice.created:2", Event: "invoice.created", EntityID: 2, Status: magentosim.RowSucceeded, SyncRunID: "r3"},
			},
			Invoices: []magentosim.Invoice{
				{ID: 1, IncrementID: "100", Currency: "GBP", GrandTotal: "12.00", CreatedAt: *at(0)},
				{ID: 2, IncrementID: "101", Currency: "GBP", GrandTotal: "5.00", CreatedAt: *at(0)},
			},
			Told: map[Entity][]magentosim.Told{{"invoice", 1}: {{Chip: magentosim.Chip{Status: "synced", ProviderEntityID: "doc-1"}}}},
		}},
		Runs: []RunHistory{
			{ID: "r1", Tenant: "t", Event: "invoice.created", Entity: "invoice", EntityID: 1, Status: "succeeded", Stage: "done", Lane: "invoice:1", ProviderID: &document, ShopTold: &told, FinishedAt: at(1)},
			{ID: "r2", Tenant: "t", Event: "invoice.paid", Entity: "invoice", EntityID: 1, Status: "succeeded", Stage: "done", Lane: "invoice:1", ShopTold: &told, FinishedAt: at(2)},
			{ID: "r3", Tenant: "t", Event: "invoice.created", Entity: "invoice", EntityID: 2, Status: "held", Stage: "post", Lane: "invoice:2"},
		},
		Invoices: []xerosim.Invoice{{ID: "doc-1", Number: "A-100", Type: "ACCREC", Currency: "GBP", Total: "12.00"}},
		Payments: []xerosim.Payment{{ID: "p", Document: "A-100", Amount: "12.00"}},
		Against:  []xerosim.Allocation{{CreditNote: "A-300", Invoice: "A-100", Amount: "1.00"}},
	}
}

func names(findings []Finding) (broken []string) {
	broken = []string{}
	for _, f := range findings {
		if f.Broken > 0 {
			broken = append(broken, f.Name)
		}
	}
	return broken
}

func Test_Nothing_is_found_where_all_is_right(t *testing.T) {
	t.Parallel()
	findings := whole().Check()
	require.Empty(t, names(findings))
	for _, f := range findings {
		require.Positive(t, f.Checked, "%s was held against nothing", f.Name)
	}
}

func Test_Each_rule_finds_what_breaks_it(t *testing.T) {
	t.Parallel()
	other := "doc-2"
	for name, c := range map[string]struct {
		change func(h *History)
		want   []string
	}{
		"An accepted event without a run":      {func(h *History) { h.Shops[0].Outbox[0].SyncRunID = "r9" }, []string{"accepted_is_there"}},
		"An event answered with another's run": {func(h *History) { h.Shops[0].Outbox[0].SyncRunID = "r3" }, []string{"accepted_is_there"}},
		"An event that was refused":            {func(h *History) { h.Shops[0].Outbox[2].Status = magentosim.RowDead }, []string{"accepted_is_there"}},
		"An event that was never accepted":     {func(h *History) { h.Shops[0].Outbox[2].Status = magentosim.RowPending }, []string{"accepted_is_there"}},
		"A run without an end":                 {func(h *History) { h.Runs[2].Status = "running" }, []string{"one_end", "sums"}},
		"A shop that was not told":             {func(h *History) { h.Runs[1].ShopTold = nil }, []string{"one_end"}},
		"A document twice": {func(h *History) {
			h.Invoices = append(h.Invoices, xerosim.Invoice{ID: "doc-2", Number: "A-100", Type: "ACCREC", Currency: "GBP", Total: "12.00"})
		}, []string{"one_document"}},
		"A document of nobody": {func(h *History) {
			h.Invoices = append(h.Invoices, xerosim.Invoice{ID: "doc-2", Number: "A-101", Type: "ACCREC", Currency: "GBP", Total: "5.00"})
		}, []string{"one_document"}},
		"A document of two invoices": {func(h *History) {
			r := h.Runs[0]
			r.ID, r.EntityID, r.Lane = "r4", 3, "invoice:3"
			h.Runs = append(h.Runs, r)
		}, []string{"one_document"}},
		"A document that is gone": {func(h *History) { h.Runs[0].ProviderID = &other }, []string{"one_document", "document_is_there", "one_payment", "sums", "told"}},
		"A penny too much":        {func(h *History) { h.Invoices[0].Total = "12.01" }, []string{"exact", "sums"}},
		"Two payments":            {func(h *History) { h.Payments = append(h.Payments, h.Payments[0]) }, []string{"one_payment"}},
		"No payment":              {func(h *History) { h.Payments = nil }, []string{"one_payment"}},
		"An allocation twice":     {func(h *History) { h.Against = append(h.Against, h.Against[0]) }, []string{"one_allocation"}},
		"A run that is lost":      {func(h *History) { h.Runs = h.Runs[:2] }, []string{"accepted_is_there", "sums"}},
		"A payment before its invoice": {func(h *History) {
			h.Runs[0].FinishedAt, h.Runs[1].FinishedAt = h.Runs[1].FinishedAt, h.Runs[0].FinishedAt
		}, []string{"order"}},
		"Told of another document": {func(h *History) { h.Shops[0].Told[Entity{"invoice", 1}][0].ProviderEntityID = "doc-2" }, []string{"told"}},
		"Told of none":             {func(h *History) { h.Shops[0].Told = nil }, []string{"told"}},
		"Told that a held one is synced": {func(h *History) {
			h.Shops[0].Told[Entity{"invoice", 2}] = h.Shops[0].Told[Entity{"invoice", 1}]
		}, []string{"told"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := whole()
			c.change(&h)
			require.Equal(t, c.want, names(h.Check()))
		})
	}
}

package demo

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
)

// gridRows is how many invoices the grid shows, the newest.
const gridRows = 20

// stateView is what the page asks for again and again.
type stateView struct {
	Total    int       `json:"total"` // invoices in the shop
	Invoices []rowView `json:"invoices"`
	Selected *journey  `json:"selected"`
}

// rowView is a line of the grid.
type rowView struct {
	ID     int64    `json:"id"`
	Number string   `json:"number"`
	Order  string   `json:"order"`
	Date   string   `json:"date"`
	BillTo string   `json:"bill_to"`
	State  string   `json:"state"`
	Total  string   `json:"total"`
	Chip   chipView `json:"chip"`
}

// chipView is the Xero Status column: what the shop knows, and beside a pending
// one what Towpath knows of its run.
type chipView struct {
	Status    string `json:"status"` // pending, synced, skipped, failed
	Reference string `json:"reference"`
	Link      string `json:"link"`
	Reason    string `json:"reason"`
}

// state answers the grid and the way of one invoice.
func (p *page) state(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	state, err := p.read(ctx, invoiceID(r))
	if err != nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "The demo's database does not answer.", http.StatusServiceUnavailable)
		return
	}
	answerJSON(w, state)
}

func (p *page) read(ctx context.Context, selected int64) (stateView, error) {
	invoices := p.cfg.Shop.Invoices()
	state := stateView{Total: len(invoices), Invoices: []rowView{}}
	invoices = invoices[:min(len(invoices), gridRows)]
	ids := []int64{selected}
	for _, invoice := range invoices {
		ids = append(ids, invoice.ID)
	}
	runs, err := p.runs(ctx, ids)
	if err != nil {
		return state, err
	}
	for _, invoice := range invoices {
		state.Invoices = append(state.Invoices, rowOf(invoice, runs[invoice.ID]))
	}
	if invoice, found := p.cfg.Shop.Invoice(selected); found {
		state.Selected, err = p.journeyOf(ctx, invoice, runs[selected])
	}
	return state, err
}

// runs finds the newest run of each invoice; one without is not in the map.
func (p *page) runs(ctx context.Context, ids []int64) (map[int64]*dbsqlc.DashboardRunsOfInvoicesRow, error) {
	tenant, err := uuid.Parse(p.cfg.Shop.TenantID())
	if err != nil {
		return nil, err
	}
	rows, err := p.queries.DashboardRunsOfInvoices(ctx, p.cfg.Pool, dbsqlc.DashboardRunsOfInvoicesParams{TenantID: tenant, InvoiceIds: ids})
	if err != nil {
		return nil, err
	}
	runs := map[int64]*dbsqlc.DashboardRunsOfInvoicesRow{}
	for i := range rows {
		runs[rows[i].MagentoEntityID] = &rows[i]
	}
	return runs, nil
}

func rowOf(invoice magentosim.Invoice, run *dbsqlc.DashboardRunsOfInvoicesRow) rowView {
	return rowView{
		ID: invoice.ID, Number: invoice.IncrementID, Order: invoice.OrderIncrementID, BillTo: invoice.Customer,
		Date: invoice.CreatedAt.Format("Jan\u00a02,\u00a02006 3:04:05\u00a0PM"), State: invoiceState(invoice.State),
		Total: money(invoice.Currency, invoice.GrandTotal), Chip: chipOf(invoice, run),
	}
}

func chipOf(invoice magentosim.Invoice, run *dbsqlc.DashboardRunsOfInvoicesRow) chipView {
	chip := chipView{Status: invoice.Chip.Status, Reference: invoice.Chip.ProviderReference}
	switch chip.Status {
	case "synced":
		chip.Link = "/xero/" + invoice.Chip.ProviderEntityID
	case "skipped":
		chip.Reason = strings.ReplaceAll(invoice.Chip.SkipReason, "_", " ")
	case "failed":
		chip.Reason = invoice.Chip.ErrorCode
		if run != nil && text(run.ErrorDetail) != "" {
			chip.Reason = text(run.ErrorDetail)
		}
	default:
		chip.Reason = waitsFor(invoice, run)
	}
	return chip
}

// waitsFor says why a chip is still pending, where there is more to say than
// that it has just begun.
func waitsFor(invoice magentosim.Invoice, run *dbsqlc.DashboardRunsOfInvoicesRow) string {
	if run != nil {
		return text(run.ErrorMessage)
	}
	if len(invoice.Outbox) > 0 && invoice.Outbox[0].LastError != "" {
		return "not accepted: " + invoice.Outbox[0].LastError
	}
	return ""
}

// invoiceState is Magento's word for the state of an invoice.
func invoiceState(state string) string {
	switch state {
	case "paid":
		return "Paid"
	case "cancelled":
		return "Canceled"
	}
	return "Pending"
}

func money(currency, amount string) string {
	switch currency {
	case "GBP":
		return "£" + amount
	case "EUR":
		return "€" + amount
	case "USD":
		return "$" + amount
	}
	return currency + " " + amount
}

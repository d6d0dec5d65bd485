package demo

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
)

// A fault strikes the simulated Xero's next write, and the shop's next webhook,
// whoever's it is. So an invoice that has one coming is raised when no other is
// on its way, and the next one when its own is through.

// maxTurn is how long an invoice waits for its turn, checkEvery how often it
// looks, checkTime how long a look may take.
const (
	maxTurn    = 5 * time.Second
	checkEvery = 25 * time.Millisecond
	checkTime  = 5 * time.Second
)

// recent is how many invoices are looked at for one on its way, the newest.
const recent = 100

// raise is the grid's button. A repeat raises another invoice, as it does in
// the shop. One whose turn does not come is raised all the same if it is an
// ordinary one, and refused if it has a fault, which would strike another.
func (p *page) raise(w http.ResponseWriter, r *http.Request) {
	kind, known := scenarioNamed(r.FormValue("kind"))
	if !known {
		http.Error(w, "There is no such kind of invoice.", http.StatusBadRequest)
		return
	}
	p.raising.Lock()
	defer p.raising.Unlock()
	blocking, err := p.waitTurn(r.Context(), kind)
	switch {
	case err != nil:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "The demo's database does not answer.", http.StatusServiceUnavailable)
		return
	case blocking != "" && kind.troubled():
		http.Error(w, fmt.Sprintf("Invoice %s is still on its way, and would get the trouble meant for this one. Try again when it is through.", blocking),
			http.StatusConflict)
		return
	}
	answerJSON(w, map[string]int64{"id": p.raiseNow(kind)})
}

// raiseNow needs the lock held.
func (p *page) raiseNow(kind scenario) int64 {
	if kind.faults != nil {
		p.cfg.Xero.Inject(kind.faults()...)
	}
	if kind.sending != 0 {
		p.cfg.Shop.InjectSend(kind.sending)
	}
	id := p.cfg.Shop.RaiseInvoice(kind.cart(len(p.cfg.Shop.Invoices()))).ID
	p.troubled = 0
	if kind.troubled() {
		p.troubled = id
	}
	if kind.sending == magentosim.SendTwice {
		p.twice.Store(id, true)
	}
	return id
}

// waitTurn waits until the invoice's turn has come, and names the one that it
// still waits for when the time is over or nobody waits for the answer.
func (p *page) waitTurn(ctx context.Context, kind scenario) (blocking string, err error) {
	over := time.NewTimer(p.cfg.Turn)
	defer over.Stop()
	again := time.NewTicker(checkEvery)
	defer again.Stop()
	for {
		// The turn's end cuts off no look: one that was not finished says nothing.
		blocking, err := p.blocking(ctx, kind)
		if err != nil || blocking == "" {
			return "", err
		}
		select {
		case <-again.C:
		case <-over.C:
			return blocking, nil
		case <-ctx.Done():
			return blocking, nil
		}
	}
}

// blocking names the newest invoice that this kind must wait for; empty for none.
func (p *page) blocking(ctx context.Context, kind scenario) (string, error) {
	if !kind.troubled() && p.troubled == 0 {
		return "", nil
	}
	invoices := p.cfg.Shop.Invoices()
	invoices = invoices[:min(len(invoices), recent)]
	ids := []int64{}
	for _, invoice := range invoices {
		ids = append(ids, invoice.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	runs, err := p.runs(ctx, ids)
	if err != nil {
		return "", err
	}
	for _, invoice := range invoices {
		if (kind.troubled() || invoice.ID == p.troubled) && onItsWay(invoice, runs[invoice.ID]) {
			return invoice.IncrementID, nil
		}
	}
	return "", nil
}

// onItsWay reports whether the invoice's webhook is still to be sent, or its
// document still to be written. One that is held waits for somebody.
func onItsWay(invoice magentosim.Invoice, run *dbsqlc.DashboardRunsOfInvoicesRow) bool {
	if run != nil && (run.Status == "queued" || run.Status == "running") {
		return true
	}
	return len(invoice.Outbox) > 0 && invoice.Outbox[0].Status == magentosim.RowPending
}

// secondDelivery is what the shop got for the second of two equal webhooks: its
// outbox row keeps the last answer only, and the demo knows which row it sent
// twice. False where the row's last attempt was another one.
func (p *page) secondDelivery(invoice magentosim.Invoice, run uuid.UUID) (stepView, bool) {
	if _, twice := p.twice.Load(invoice.ID); !twice || len(invoice.Outbox) == 0 {
		return stepView{}, false
	}
	row := invoice.Outbox[0]
	if row.Status != magentosim.RowSucceeded || row.Attempts > 0 || row.SyncRunID != run.String() {
		return stepView{}, false
	}
	return stepView{
		at: row.DoneAt, Where: "towpath", What: "Second delivery: a repeat",
		More: "the shop sent the very same request again, and was answered with the run that the first had made: " + row.SyncRunID,
	}, true
}

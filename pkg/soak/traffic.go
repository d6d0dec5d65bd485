package soak

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
)

// customers is how many buy in each shop.
const customers = 40

// traffic raises invoices until ctx ends, and does with them what merchants do: most
// are paid, some refunded in part, customers and products are saved.
func (w *world) traffic(ctx context.Context) {
	random := w.random(2)
	tick := time.NewTicker(time.Duration(float64(time.Second) / w.cfg.Rate))
	defer tick.Stop()
	for n := 0; ; n++ {
		s := w.shops[0]
		for draw, i := random.Float64(), 0; draw >= 0 && i < len(w.shops); i++ {
			s = w.shops[i]
			draw -= s.share
		}
		inv := s.RaiseInvoice(cart(random.IntN(customers), n))
		// Each draw is made whether or not it counts, so that a seed stays a seed.
		paid, refund, edit, product := random.Float64(), random.Float64(), random.Float64(), random.IntN(50)
		if paid < 0.7 {
			_ = s.MarkPaid(inv.ID) // of a free one that is refused
		}
		if refund < 0.2 {
			s.refund(inv.ID)
		}
		if edit < 0.1 {
			price := decimal.New(int64(100+n%900), -2)
			_, _ = s.SaveProduct(magentosim.Product{ID: int64(1 + product), SKU: fmt.Sprintf("SKU-%s%d", s.prefix, product), Name: "Lock key", Price: &price})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// refund gives one piece of the first line back.
func (s *shop) refund(invoice int64) {
	lines, found := s.Left(invoice)
	if !found || len(lines) == 0 {
		return
	}
	quantities := make([]decimal.Decimal, len(lines))
	quantities[0] = decimal.NewFromInt(1)
	none := decimal.Zero
	_, _ = s.RefundInvoice(invoice, magentosim.Refund{Quantities: quantities, Shipping: &none}) // of a free one that is refused
}

// cart is the nth one; some come to nothing, some are in francs, which the ledger does
// not have.
func cart(customer, n int) magentosim.Cart {
	c := demo.Cart()
	company := fmt.Sprintf("Lock %d Chandlers Ltd", customer)
	c.Customer.MagentoID, c.Customer.Company = canon.Int(2000+customer), &company
	c.Customer.Email = fmt.Sprintf("lock%d@example.com", customer)
	c.Items[0].Qty = decimal.NewFromInt(int64(1 + n%5))
	switch n % 25 {
	case 11:
		c.Currency = "CHF"
		rate := decimal.RequireFromString("1.1")
		c.BaseToOrderRate = &rate
	case 17:
		for i := range c.Items {
			c.Items[i].Price = decimal.Zero
		}
		c.Shipping = decimal.Zero
	}
	return c
}

// send lets every shop's cron send what is due until the answer is called. A shop's
// waits between two tries are made short; what is dead for another reason than an
// answer of 4xx is sent anew, as its operator would.
func (w *world) send(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{}, len(w.shops))
	for _, s := range w.shops {
		go func() {
			defer func() { done <- struct{}{} }()
			cron, again := time.NewTicker(100*time.Millisecond), time.NewTicker(time.Second)
			defer cron.Stop()
			defer again.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-again.C:
					s.MakeDue()
					s.requeue()
				case <-cron.C:
					_, _ = s.Drain(ctx) // its only error is that of ctx
				}
			}
		}()
	}
	return func() {
		cancel()
		for range w.shops {
			<-done
		}
	}
}

func (s *shop) requeue() {
	for _, row := range s.Outbox() {
		if row.Status == magentosim.RowDead && !refused(row) {
			_ = s.Requeue(row.ID)
		}
	}
}

// refused reports whether a row died of an answer that says: never send it again.
func refused(row magentosim.Row) bool { return strings.HasPrefix(row.LastError, "HTTP 4") }

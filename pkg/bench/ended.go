package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
)

// largeDatabase is the one with many ended runs.
const largeDatabase = "large"

// onlyInvoices are the events of the shops of every other database.
var onlyInvoices = []string{"invoice.created"}

// What each shop raises once, by the pipeline itself, before that is multiplied.
const (
	modelInvoices  = 40
	modelCustomers = 10
	modelProducts  = 4
	modelLines     = 6 // of the longest invoice
)

// models lets every shop raise what ended runs are then copied from: invoices of one to
// six lines, most of them paid, some refunded in part, some left out, customers and
// products saved, and an event whose document the shop does not have.
func (s *site) models(ctx context.Context) error {
	for _, p := range s.shops {
		for n := range modelInvoices {
			if err := p.trade(n); err != nil {
				return err
			}
		}
		p.shop.Enqueue("invoice.created", modelInvoices+1, map[string]any{"increment_id": fmt.Sprintf("%09d", modelInvoices+1)})
	}
	// Twice: what follows an invoice is told of too.
	if err := s.drainOutboxes(ctx); err != nil {
		return err
	}
	return s.allEnded(ctx)
}

// trade is an invoice and what becomes of it.
func (p parties) trade(n int) error {
	inv := p.shop.RaiseInvoice(modelCart(n))
	if n%10 != 7 && n%4 != 3 {
		if err := p.shop.MarkPaid(inv.ID); err != nil {
			return fmt.Errorf("pay invoice %d: %w", inv.ID, err)
		}
	}
	if n%5 == 0 {
		lines, _ := p.shop.Left(inv.ID)
		quantities, none := make([]decimal.Decimal, len(lines)), decimal.Zero
		quantities[0] = decimal.NewFromInt(1)
		if _, err := p.shop.RefundInvoice(inv.ID, magentosim.Refund{Quantities: quantities, Shipping: &none}); err != nil {
			return err
		}
	}
	if n < modelProducts {
		price := decimal.New(int64(1895+n), -2)
		if _, err := p.shop.SaveProduct(magentosim.Product{ID: int64(1 + n), SKU: fmt.Sprintf("ROPE-%d", n), Name: "Mooring rope", Price: &price}); err != nil {
			return err
		}
	}
	if n < modelCustomers/2 {
		if _, err := p.shop.EditCustomer(modelCustomer(n), map[string]any{"first_name": "Grace"}); err != nil {
			return err
		}
	}
	return nil
}

// modelCustomer is the shop's id of the customer who buys the nth cart.
func modelCustomer(n int) int64 { return int64(2001 + n%modelCustomers) }

// modelCart is the nth one; every tenth comes to nothing.
func modelCart(n int) magentosim.Cart {
	c := demo.Cart()
	id := modelCustomer(n)
	company := fmt.Sprintf("Buyer%d Chandlers Ltd", id)
	c.Customer.MagentoID, c.Customer.Company, c.Customer.Email = canon.Int(id), &company, fmt.Sprintf("buyer%d@example.com", id)
	for len(c.Items) < 1+n%modelLines {
		c.Items = append(c.Items, c.Items[len(c.Items)-3])
	}
	c.Items = c.Items[:1+n%modelLines]
	if n%10 == 7 {
		for i := range c.Items {
			c.Items[i].Price = decimal.Zero
		}
		c.Shipping = decimal.Zero
	}
	return c
}

// allEnded waits until no run is under way and every shop knows.
func (s *site) allEnded(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var open int
		if err := s.pool.QueryRow(ctx, "SELECT count(*) FROM sync_runs WHERE stage <> 'done' AND status <> 'held'").Scan(&open); err != nil {
			return fmt.Errorf("count open runs: %w", err)
		}
		if open == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %d runs: %w", open, ctx.Err())
		case <-tick.C:
		}
	}
}

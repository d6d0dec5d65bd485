package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
)

// Ended is one invoice that was carried through.
type Ended struct {
	Invoice magentosim.Invoice // with what its shop saw
	Run     uuid.UUID
}

// Raise raises an ordinary invoice at the shop.
func (d *Demo) Raise() magentosim.Invoice { return d.shop.RaiseInvoice(Cart()) }

// Ended waits until the shop shows how an invoice ended, and that is on record here
// too, a moment later.
func (d *Demo) Ended(ctx context.Context, invoice magentosim.Invoice) (Ended, error) {
	if _, err := d.shop.WaitChip(ctx, invoice.ID); err != nil {
		return Ended{}, fmt.Errorf("wait for the shop to show how invoice %s ended: %w", invoice.IncrementID, err)
	}
	invoice, _ = d.shop.Invoice(invoice.ID)
	id, err := uuid.Parse(invoice.Outbox[0].SyncRunID)
	if err != nil {
		return Ended{}, fmt.Errorf("find the run of invoice %s: %w", invoice.IncrementID, err)
	}
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		run, err := dbsqlc.New().SyncRunGet(ctx, d.Pool, id)
		if err != nil {
			return Ended{}, fmt.Errorf("read run %s: %w", id, err)
		}
		if run.ToldAt != nil {
			return Ended{Invoice: invoice, Run: id}, nil
		}
		select {
		case <-ctx.Done():
			return Ended{}, fmt.Errorf("wait for run %s: %w", id, ctx.Err())
		case <-again.C:
		}
	}
}

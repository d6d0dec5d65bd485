package riverjobs

import (
	"context"
	"encoding/json"
	"fmt"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// draft decides what is to be written for a run. It has ended where nothing is: it is
// known already, or the settings leave it out.
func (b *batch[D]) draft(ctx context.Context, h hand) (*draft[D], error) {
	d := &draft[D]{hand: h}
	var err error
	if d.pol, err = h.policy(); err != nil {
		return nil, err
	}
	if d.doc, err = b.plan.decode(h.SyncRun.Canonical); err != nil {
		return nil, err
	}
	if d.sale, err = h.followed(); err != nil {
		return nil, err
	}
	if d.key, err = b.mayExistAs(ctx, h.work, b.plan.operation); err != nil {
		return nil, err
	}
	if d.key != "" && b.plan.keep != nil {
		d.pol = b.plan.keep(d.doc, d.pol, d.key)
	}
	decision, err := b.plan.decide(ctx, b.pipeline, h.work, d.doc, d.pol)
	if err != nil {
		return nil, err
	}
	if decision.Action != policy.Post { // the settings have changed since it was fetched
		if d.key == "" || !b.plan.seeks {
			return d, b.leaveOut(ctx, d, decision)
		}
		d.instead = func(ctx context.Context) error { return b.leaveOut(ctx, d, decision) }
	}
	if b.plan.entity == "" {
		return d, nil
	}
	known, err := b.known(ctx, h.work, b.plan.entity)
	if err != nil || known == nil {
		return d, err
	}
	return d, b.finish(ctx, d, result{entity: b.plan.entity, posted: *known, document: provider.Document{Number: known.Number}})
}

// followed is the invoice that was read with a run's document.
func (w work) followed() (*canon.Invoice, error) {
	var said decided
	if len(w.SyncRun.Decision) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(w.SyncRun.Decision, &said); err != nil {
		return nil, fmt.Errorf("read decision of run %s: %w", w.SyncRun.ID, err)
	}
	if len(said.Invoice) == 0 {
		return nil, nil
	}
	inv, err := canon.DecodeInvoice(said.Invoice)
	return &inv, err
}

// leaveOut ends a run that the policy leaves out, or holds it.
func (b *batch[D]) leaveOut(ctx context.Context, d *draft[D], decision policy.Decision) error {
	if decision.Action == policy.Hold {
		return heldBy(decision)
	}
	err := b.skip(ctx, d.hand, decision)
	d.ended = err == nil
	return err
}

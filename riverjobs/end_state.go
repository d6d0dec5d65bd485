package riverjobs

import (
	"context"

	"towpath/pkg/magento"
	"towpath/pkg/syncrun"
)

// endState is what the shop is told. The chip of an invoice is also that of its
// payment, and the shop keeps what it is told last: so with the end of a payment goes
// where the invoice stands. A cancelled run changed nothing, so of an invoice that
// stands in the ledger the shop is told that it does: cancelling the run of a payment
// must not make a posted invoice look failed.
func (p *pipeline) endState(ctx context.Context, run work) (magento.SyncState, error) {
	state := endOf(run)
	if run.SyncRun.EntityType != "invoice" || run.SyncRun.Status != syncrun.Cancelled && run.SyncRun.Event == "invoice.created" {
		return state, nil
	}
	known, err := p.known(ctx, run, "invoice")
	if err != nil || known == nil {
		return state, err
	}
	if run.SyncRun.Status == syncrun.Cancelled {
		state.Status, state.ErrorCode = magento.Synced, ""
	}
	state.ProviderEntityID, state.ProviderReference = known.ID, known.Number
	return state, nil
}

// endOf is the end of the run itself. Its time is the run's end, so that every
// attempt says the same.
func endOf(run work) magento.SyncState {
	r := run.SyncRun
	state := magento.SyncState{
		EntityType:        magento.EntityType(r.EntityType),
		EntityID:          r.MagentoEntityID,
		Provider:          run.Binding.Provider,
		Status:            magento.Failed,
		ProviderEntityID:  text(r.ProviderEntityID),
		ProviderReference: text(r.ProviderReference),
		ErrorCode:         text(r.ErrorCode),
	}
	switch r.Status {
	case syncrun.Succeeded:
		state.Status = magento.Synced
	case syncrun.Skipped:
		state.Status, state.SkipReason = magento.Skipped, text(r.SkipReason)
	}
	if r.FinishedAt != nil {
		state.LastSyncAt = *r.FinishedAt
	}
	return state
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

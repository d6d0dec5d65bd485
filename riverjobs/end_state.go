package riverjobs

import (
	"context"
	"fmt"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento"
	"towpath/pkg/syncrun"
)

// lastWord is the run whose end the shop is shown: mostly the very run. The chip of an
// invoice is also that of its payment, and the shop keeps what it is told last; so
// whichever job tells it says how the document stands now (towpath_last_word), and T5
// looks whether that has changed meanwhile.
func (p *pipeline) lastWord(ctx context.Context, run work) (dbsqlc.SyncRunLastWordRow, error) {
	r := run.SyncRun
	if !run.others {
		return dbsqlc.SyncRunLastWordRow{
			ID: r.ID, Event: r.Event, Status: r.Status, SkipReason: r.SkipReason, ErrorCode: r.ErrorCode,
			ProviderEntityID: r.ProviderEntityID, ProviderReference: r.ProviderReference, FinishedAt: r.FinishedAt,
		}, nil
	}
	word, err := p.queries.SyncRunLastWord(ctx, p.Pool, r.ID)
	if err != nil {
		return word, fmt.Errorf("read what the shop is to be told of run %s: %w", r.ID, err)
	}
	return word, nil
}

// endState is what the shop is told. With the end of a payment goes where the invoice
// stands, and one that was left out leaves it synced, with the reason beside. A
// cancelled run changed nothing, so of an invoice that stands in the ledger the shop is
// told that it does: cancelling the run of a payment must not make a posted invoice look
// failed.
func (p *pipeline) endState(ctx context.Context, run work, word dbsqlc.SyncRunLastWordRow) (magento.SyncState, error) {
	state := endOf(run, word)
	if run.SyncRun.EntityType != "invoice" || word.Status != syncrun.Cancelled && word.Event == "invoice.created" {
		return state, nil
	}
	known, err := p.known(ctx, run, "invoice")
	if err != nil || known == nil {
		return state, err
	}
	if word.Status == syncrun.Cancelled || word.Status == syncrun.Skipped {
		state.Status, state.ErrorCode = magento.Synced, ""
	}
	state.ProviderEntityID, state.ProviderReference = known.ID, known.Number
	return state, nil
}

// endOf is the end of a run itself. Its time is the run's end, so that every attempt
// says the same.
func endOf(run work, word dbsqlc.SyncRunLastWordRow) magento.SyncState {
	state := magento.SyncState{
		EntityType:        magento.EntityType(run.SyncRun.EntityType),
		EntityID:          run.SyncRun.MagentoEntityID,
		Provider:          run.Binding.Provider,
		Status:            magento.Failed,
		ProviderEntityID:  text(word.ProviderEntityID),
		ProviderReference: text(word.ProviderReference),
		ErrorCode:         text(word.ErrorCode),
	}
	switch word.Status {
	case syncrun.Succeeded:
		state.Status = magento.Synced
	case syncrun.Skipped:
		state.Status, state.SkipReason = magento.Skipped, text(word.SkipReason)
	}
	if word.FinishedAt != nil {
		state.LastSyncAt = *word.FinishedAt
	}
	return state
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

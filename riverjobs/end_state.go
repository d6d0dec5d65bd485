package riverjobs

import (
	"towpath/pkg/magento"
	"towpath/pkg/syncrun"
)

// endState is what the shop is told of an ended run. Its time is the run's end,
// so that every attempt says the same.
func endState(run work) magento.SyncState {
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

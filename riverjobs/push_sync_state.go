package riverjobs

import (
	"context"

	"towpath/pkg/syncrun"
)

// tell tells the shop how a run ended; T5 follows. If the process stops after the
// call and before T5, the shop is told the same once more, which is harmless.
func (p *pipeline) tell(ctx context.Context, run hand) (change, after, error) {
	shop, err := p.Shops(run.Tenant)
	if err != nil {
		return change{}, nil, err
	}
	state, err := p.endState(ctx, run.work)
	if err != nil {
		return change{}, nil, err
	}
	if err := shop.PushSyncState(ctx, state); err != nil {
		return change{}, nil, err
	}
	if err := p.recovered(ctx, run.work); err != nil {
		return change{}, nil, err
	}
	counted := func(context.Context) {
		if run.SyncRun.Status == syncrun.Cancelled {
			p.ended(run.work, syncrun.Cancelled) // ended by an operator's hand, where nobody counts
		}
	}
	return change{told: &syncrun.Told{Step: syncrun.Step{RunID: run.SyncRun.ID}}}, counted, nil
}

package riverjobs

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

// tell tells the shop how a run ended; T5 follows. If the process stops after the
// call and before T5, the shop is told once more, which is harmless. So it is where the
// answer was lost, and where T5 finds that the document stands otherwise by now.
func (p *pipeline) tell(ctx context.Context, run hand) (change, after, error) {
	shop, err := p.Shops(run.Tenant)
	if err != nil {
		return change{}, nil, err
	}
	word, err := p.lastWord(ctx, run.work)
	if err != nil {
		return change{}, nil, err
	}
	state, err := p.endState(ctx, run.work, word)
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
	return change{told: &syncrun.Told{Step: syncrun.Step{RunID: run.SyncRun.ID}, Word: word.ID, WordAt: state.LastSyncAt}}, counted, nil
}

// toldLate lets the shop be told once more where the call was that of a job which its run
// did not wait for any more: its run was started over meanwhile, or this process was held
// for dead. Then it may have come after the word of the job that has taken over. If the
// process stops right before, what came late stays.
func (p *pipeline) toldLate(ctx context.Context, run hand, told *syncrun.Told, cause error) {
	if told == nil || !errors.Is(cause, errTakenOver) && !errors.Is(cause, syncrun.ErrNotMine) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	err := pgx.BeginFunc(ctx, p.Pool, func(tx pgx.Tx) error { // a job that no run takes up is rolled back
		_, err := p.queries.SyncRunToldLate(ctx, tx, dbsqlc.SyncRunToldLateParams{RunID: run.SyncRun.ID, Word: told.Word, WordAt: told.WordAt, Who: p.who})
		return err
	})
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		p.Logger.WarnContext(ctx, "a late word to the shop is not corrected", "run_id", run.SyncRun.ID, "error", err)
	}
}

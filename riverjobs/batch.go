package riverjobs

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
	"towpath/pkg/quota"
)

// batch writes documents of one binding with as few calls as its wire allows: the
// first is its own job's, the others are taken from those that wait for their
// turn. Each is judged by itself; only calls and commits are shared. If the process
// dies, all their jobs are given back, and each document is looked up before it
// would be written again.
type batch[D any] struct {
	*pipeline
	plan   *plan[D]
	ledger Ledger
	calls  *quota.Calls
}

// run answers what became of the first document; the others are settled here.
func (b *batch[D]) run(ctx context.Context, first *draft[D]) error {
	size := b.ledger.BatchSize()
	waiting, err := b.waiting(ctx, first, size-1)
	if err != nil {
		return err
	}
	if err := b.calls.Reserve(ctx, load(waiting, size), calls(waiting)); err != nil {
		return err
	}
	defer b.calls.Return(ctx)
	drafts, err := b.takeAlong(ctx, first, waiting)
	started := b.Now()
	if err == nil {
		err = recovering(func() error {
			b.write(ctx, drafts)
			return nil
		})
	}
	b.heard(ctx, drafts)
	var all sync.WaitGroup
	for _, d := range drafts[1:] {
		if err != nil && d.err == nil && !d.ended {
			d.err = err // what broke the batch broke it for all
		}
		all.Go(func() { _ = b.concluded(ctx, d.hand, started, called(d.err, d.calls)) }) // on record and logged
	}
	all.Wait()
	return called(errors.Join(err, first.err), first.calls)
}

// write takes all drafts through the plan.
func (b *batch[D]) write(ctx context.Context, drafts []*draft[D]) {
	for _, do := range b.plan.steps {
		if left := alive(drafts); len(left) > 0 {
			do(ctx, b, left)
		}
	}
	b.Metrics.CallsPerDocument(drafts[0].Binding.Provider, b.calls.Made(), ended(drafts))
}

func alive[D any](drafts []*draft[D]) []*draft[D] {
	var left []*draft[D]
	for _, d := range drafts {
		if d.err == nil && !d.ended {
			left = append(left, d)
		}
	}
	return left
}

func ended[D any](drafts []*draft[D]) int {
	n := 0
	for _, d := range drafts {
		if d.ended {
			n++
		}
	}
	return n
}

// failing is something that keeps its own failure.
type failing interface{ fail(err error) }

func (d *draft[D]) fail(err error) { d.err = err }

// tracing runs do, which reads what the ledger says of itself. Its calls are the
// document's where that does not get on because of them.
func (d *draft[D]) tracing(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, trace := provider.Traced(ctx)
	err := do(ctx)
	if err != nil {
		d.calls = append(d.calls, trace.Calls()...)
	}
	return err
}

// each does something for every one by itself: what fails or panics there is that
// one's. All at once, so that what they commit is shared.
func each[E failing](all []E, do func(E) error) {
	var done sync.WaitGroup
	for _, e := range all {
		done.Go(func() {
			if err := recovering(func() error { return do(e) }); err != nil {
				e.fail(err)
			}
		})
	}
	done.Wait()
}

// calls is how many a batch may need: one for the documents; with company one for
// new contacts and two to look up what may exist besides. A lone document that
// needs more asks for more: what it has done by then is remembered.
func calls(waiting int) int {
	if waiting == 0 {
		return 1
	}
	return 4
}

// load is how much the call carries, as far as is known before it is asked for.
func load(waiting, size int) quota.Load {
	switch {
	case waiting+1 >= size:
		return quota.Full
	case waiting > 0:
		return quota.Partial
	}
	return quota.Lone
}

// heard notes what the calls say of the connection: that the ledger did not answer in
// time, or that it did, and not with a refusal of the connection.
func (b *batch[D]) heard(ctx context.Context, drafts []*draft[D]) {
	for _, d := range drafts {
		if f := failureOf(d.err); d.err != nil && f.NoAnswer != "" {
			b.noAnswer(ctx, d.work, f) // one, however many documents it carried
			return
		}
	}
	if b.calls.Made() == 0 {
		return
	}
	works := false
	for _, d := range drafts {
		switch f := provider.AsFailure(d.err); {
		case d.err == nil, f.Kind == provider.Refused, f.Kind == provider.Held:
			works = true
		case f.Kind == provider.Auth:
			return
		}
	}
	if !works {
		return
	}
	if err := b.recovered(ctx, drafts[0].work); err != nil {
		b.Logger.WarnContext(ctx, "connection state not noted", "run_id", drafts[0].SyncRun.ID, "error", err)
	}
}

// waiting counts the jobs that could come along; none do where the job finds out
// whether the binding works again, or whether a smaller call is answered in time.
func (b *batch[D]) waiting(ctx context.Context, first *draft[D], most int) (int, error) {
	if most == 0 || first.Binding.Status != "active" || first.Unanswered {
		return 0, nil
	}
	n, err := b.queries.QueueWaiting(ctx, b.Pool, dbsqlc.QueueWaitingParams{Kind: b.plan.kind, Share: first.Binding.ID.String(), Most: int32(most)})
	if err != nil {
		return 0, fmt.Errorf("count waiting jobs: %w", err)
	}
	return int(n), nil
}

// takeAlong takes jobs that wait for their turn into the batch. On an error it
// answers those that it has, so that they are put back.
func (b *batch[D]) takeAlong(ctx context.Context, first *draft[D], most int) ([]*draft[D], error) {
	drafts := []*draft[D]{first}
	if most == 0 {
		return drafts, nil
	}
	taken, err := b.queries.QueueTake(ctx, b.Pool, dbsqlc.QueueTakeParams{
		ClientID: b.who, Kind: b.plan.kind, Share: first.Binding.ID.String(), Most: int32(most), Priority: 4, AlsoAdmitted: true,
	})
	if err != nil {
		return drafts, fmt.Errorf("take waiting jobs: %w", err)
	}
	// If the process stops from here on, they are a dead process's jobs.
	hands, err := b.handsOf(ctx, taken)
	others := make([]*draft[D], len(hands))
	var all sync.WaitGroup
	for i, h := range hands {
		all.Go(func() { others[i] = b.drafted(ctx, h, err) })
	}
	all.Wait()
	for _, d := range others {
		if d != nil {
			drafts = append(drafts, d)
		}
	}
	return drafts, err
}

// drafted is the draft of a job that was taken along; nil where it goes no further.
func (b *batch[D]) drafted(ctx context.Context, h hand, err error) *draft[D] {
	var d *draft[D]
	if err == nil {
		err = recovering(func() (err error) {
			d, err = b.draft(ctx, h)
			return err
		})
	}
	if err != nil || d.ended {
		_ = b.concluded(ctx, h, b.Now(), err) // on record and logged
		return nil
	}
	return d
}

// handsOf reads the runs of taken jobs. A job whose run does not wait for it is
// completed: there is nothing to do for it.
func (b *batch[D]) handsOf(ctx context.Context, taken []dbsqlc.QueueTakeRow) ([]hand, error) {
	ids := make([]uuid.UUID, len(taken))
	for i, t := range taken {
		ids[i] = t.RunID
	}
	works, err := b.worksOf(ctx, stagePost, ids)
	var hands []hand
	for _, t := range taken {
		h := hand{work: works[t.RunID], job: takenJob{t, b.pipeline}}
		if err != nil || h.waitsForIt() {
			hands = append(hands, h)
			continue
		}
		nothing := b.end(ctx, h, change{})
		b.Logger.InfoContext(ctx, "job is of no run", "job_id", t.ID, "run_id", t.RunID, "error", nothing)
	}
	return hands, err
}

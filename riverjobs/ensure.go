package riverjobs

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"towpath/pkg/mistake"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// write is one thing that a plan makes sure of at the ledger. T is what is to be
// there, with the key that it is looked up by.
type write[D any, T written] struct {
	operation string
	// value makes it of a draft; ok is false where there is nothing to write (any more).
	value func(ctx context.Context, b *batch[D], d *draft[D]) (v T, try provider.Try, ok bool, err error)
	// call makes sure of a set, and answers each by itself.
	call func(ctx context.Context, l Ledger, set []provider.Item[T]) []provider.Outcome[provider.Posted]
	// record puts what is there on record.
	record func(ctx context.Context, b *batch[D], o *one[D, T]) error
	// share gives the others of a key what the first of them found; nil: they come again.
	share func(from, to *draft[D])
	// refused sees a failure first, and may answer another.
	refused func(ctx context.Context, b *batch[D], d *draft[D], cause error) error
}

// written is what an intent must know of a value.
type written interface {
	Key() string  // of the object, in its organisation
	Hash() string // of the body
}

// one is a value on its way through a write.
type one[D any, T written] struct {
	*draft[D]
	value   T
	try     provider.Try
	taken   syncrun.Taken
	outcome provider.Outcome[provider.Posted]
	same    []*draft[D] // others of the batch that have the same key
}

// ensure is the step of a write: values, intents (T3), one call, records.
func ensure[D any, T written](w write[D, T]) step[D] {
	return func(ctx context.Context, b *batch[D], drafts []*draft[D]) {
		set := w.values(ctx, b, drafts)
		each(set, func(o *one[D, T]) error { return w.intend(ctx, b, o) })
		w.make(ctx, b, set)
		for _, o := range set {
			for _, d := range o.same {
				if d.err = syncrun.ErrBusy; o.err == nil && w.share != nil {
					d.err = nil
					w.share(o.draft, d)
				}
			}
		}
	}
}

// values makes the values, one for each key.
func (w write[D, T]) values(ctx context.Context, b *batch[D], drafts []*draft[D]) []*one[D, T] {
	all := make([]*one[D, T], len(drafts))
	for i, d := range drafts {
		all[i] = &one[D, T]{draft: d}
	}
	needed := make([]bool, len(all))
	each(all, func(o *one[D, T]) (err error) {
		var ok bool
		if o.value, o.try, ok, err = w.value(ctx, b, o.draft); ok && err == nil {
			needed[slices.Index(all, o)] = true
		}
		return err
	})
	var set []*one[D, T]
	first := map[string]*one[D, T]{}
	for i, o := range all {
		if !needed[i] {
			continue
		}
		if f := first[o.value.Key()]; f != nil {
			f.same = append(f.same, o.draft)
			continue
		}
		first[o.value.Key()] = o
		set = append(set, o)
	}
	return set
}

// intend is T3, and the last look before the call: a process that has been out of
// touch (cut off, suspended) may have been given up for dead, and leaves the write to
// whoever has the job now.
func (w write[D, T]) intend(ctx context.Context, b *batch[D], o *one[D, T]) (err error) {
	o.taken, err = b.intents.Record(ctx, syncrun.Intent{
		JobID: o.job.id(), Attempt: o.job.attempt(), RunID: o.SyncRun.ID, BindingID: o.Binding.ID,
		Operation: w.operation, ObjectKey: o.value.Key(), BodyHash: o.value.Hash(), Who: b.who,
	})
	if err == nil && b.Alive != nil && !b.Alive() {
		return &provider.Failure{Kind: provider.Temporary, Code: provider.CodeInternal,
			Message: "this process was out of touch with the database; the write is left to the next attempt"}
	}
	return err
}

// make makes the call for those that may, and records each outcome.
func (w write[D, T]) make(ctx context.Context, b *batch[D], set []*one[D, T]) {
	var items []provider.Item[T]
	var sent []*one[D, T]
	for _, o := range set {
		if o.err != nil {
			continue
		}
		o.try.Key, o.try.Uncertain, o.try.Shared = o.taken.Key(), o.taken.Uncertain || o.try.Uncertain, o.taken.Shared
		if mistake.Made(mistake.NoLookup) {
			o.try.Key, o.try.Uncertain, o.try.Shared = uuid.NewString(), false, false
		}
		items, sent = append(items, provider.Item[T]{Value: o.value, Try: o.try}), append(sent, o)
	}
	if len(items) == 0 {
		return
	}
	// If the process stops here, the intents say that the objects may exist.
	outcomes := w.call(ctx, b.ledger, items)
	// And here: they do exist, and the next attempts will find them.
	for i, o := range sent {
		o.outcome, o.calls = outcomes[i], append(o.calls, outcomes[i].Calls...)
	}
	each(sent, func(o *one[D, T]) error { return w.conclude(ctx, b, o) })
}

// conclude records one outcome.
func (w write[D, T]) conclude(ctx context.Context, b *batch[D], o *one[D, T]) error {
	cause := o.outcome.Err
	if cause == nil && o.outcome.Value.Absent {
		// As before: the call whose answer was lost may still be under way.
		if err := b.failed(ctx, o.taken, &provider.Failure{Wrote: provider.WroteAsBefore}); err != nil {
			return err
		}
		return o.instead(ctx)
	}
	if cause == nil {
		cause = w.record(ctx, b, o)
		if others := (*syncrun.OthersDocument)(nil); !errors.As(cause, &others) {
			return cause
		} // else what bears the key is not ours: the intent must not keep it
	}
	noted := b.failed(ctx, o.taken, provider.AsFailure(cause))
	if w.refused == nil {
		return errors.Join(cause, noted)
	}
	return errors.Join(w.refused(ctx, b, o.draft, cause), cause, noted)
}

// failed puts on record what a failed try has left of its write. It is the rule of which
// "never two documents" hangs, and the only place that asks a failure what became of
// the write; if the process stops before it, the write may have taken effect.
//
//	wrote      others may go on   the document may take another number
//	no         yes                yes
//	as before  yes                unless an earlier try may have written it
//	maybe      no                 no
//	yes        yes                no
func (p *pipeline) failed(ctx context.Context, taken syncrun.Taken, f *provider.Failure) error {
	return taken.Failed(context.WithoutCancel(ctx), p.Pool, syncrun.Left{
		Settled:  f.Wrote != provider.WroteMaybe,
		Certain:  f.Wrote == provider.WroteNo || f.Wrote == provider.WroteAsBefore && !taken.Maybe,
		KeySpent: f.KeySpent,
	})
}

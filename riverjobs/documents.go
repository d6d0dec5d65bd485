package riverjobs

import (
	"context"

	"towpath/pkg/provider"
)

// documentOf makes a draft's document, without effect.
type documentOf[D any] func(b *batch[D], d *draft[D]) (provider.Document, error)

// allowed lets go on what may be posted under the reference data. If a document may
// not, as far as is known, what it would be held for is read anew first: the lock date
// may have been moved, the currency enabled, the account restored. One that may have been
// written before goes on to be looked for.
func allowed[D any](document documentOf[D]) step[D] {
	return func(ctx context.Context, b *batch[D], drafts []*draft[D]) {
		for _, d := range drafts { // one after the other: the first reads for all
			d.err = recovering(func() error {
				return d.tracing(ctx, func(ctx context.Context) error { return b.allowed(ctx, d, document) })
			})
		}
	}
}

// referenced lets each go on under the reference data, whatever that says.
func referenced[D any](ctx context.Context, b *batch[D], drafts []*draft[D]) {
	for _, d := range drafts { // one after the other: the first reads for all
		d.err = recovering(func() error {
			return d.tracing(ctx, func(ctx context.Context) (err error) {
				d.ref, err = b.reference(ctx, d.work, b.ledger)
				return err
			})
		})
	}
}

func (b *batch[D]) allowed(ctx context.Context, d *draft[D], document documentOf[D]) (err error) {
	if d.ref, err = b.reference(ctx, d.work, b.ledger); err != nil {
		return err
	}
	_, held := document(b, d)
	if held == nil {
		return nil
	}
	f := provider.AsFailure(held)
	if f.Kind != provider.Held {
		return held
	}
	if d.ref, err = b.rechecked(ctx, d.work, b.ledger, d.ref, f.Reason); err != nil {
		return err
	}
	if _, held = document(b, d); held == nil || d.key == "" {
		return held
	}
	if _, unbuilt := b.formerly(ctx, d, document); unbuilt != nil {
		return held
	}
	if d.instead == nil {
		d.instead = func(context.Context) error { return held }
	}
	return nil
}

// document is the write of a document that bears a number, and the last of its plan.
func document[D billed](operation string, built documentOf[D],
	call func(Ledger, context.Context, []provider.Item[provider.Document]) []provider.Outcome[provider.Posted]) write[D, provider.Document] {
	return write[D, provider.Document]{
		operation: operation,
		value: func(ctx context.Context, b *batch[D], d *draft[D]) (provider.Document, provider.Try, bool, error) {
			doc, err := built(b, d)
			if d.instead != nil && held(err) {
				doc, err = b.formerly(ctx, d, built)
			}
			return doc, provider.Try{Look: d.instead != nil}, true, err
		},
		call: func(ctx context.Context, l Ledger, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted] {
			return call(l, ctx, set)
		},
		record: func(ctx context.Context, b *batch[D], o *one[D, provider.Document]) error {
			posted := o.outcome.Value
			if err := b.gone(ctx, o.work, posted); err != nil {
				return err
			}
			return b.finish(ctx, o.draft, result{entity: b.plan.entity, posted: posted, document: o.value, variance: variance(o.value, posted)})
		},
		refused: forgotten[D],
	}
}

package freeagent

import (
	"context"

	"towpath/pkg/provider"
)

// BatchSize is how many items of a set are worth handing over at once. The wire has
// no joint call, so as a rule one; but where each new buyer is looked for in a list
// of everybody, a set reads that list once. It stays small: its items are written
// one after another, and the last is on record only then.
func (c *Client) BatchSize() int {
	if c.cfg.MatchContacts {
		return matchedBatch
	}
	return 1
}

const matchedBatch = 10

// inTurn ensures the items of a set one after another. Each is judged by
// itself, but for failures that the next call would meet too: then the rest is
// not called any more. If the process stops here, the caller's intents say of
// each item that it may exist, of the uncalled ones as well.
func inTurn[T, V any](ctx context.Context, set []provider.Item[T], ensure func(context.Context, T, provider.Try) provider.Outcome[V]) []provider.Outcome[V] {
	all := make([]provider.Outcome[V], len(set))
	for i, item := range set {
		traced, trace := provider.Traced(ctx)
		all[i] = ensure(traced, item.Value, item.Try)
		all[i].Calls = trace.Calls()
		if err := all[i].Err; provider.Halts(err) {
			copy(all[i+1:], provider.Failed[V](len(set)-i-1, provider.Unsent(err)))
			break
		}
	}
	return all
}

func outcome[V any](value V, err error) provider.Outcome[V] {
	return provider.Outcome[V]{Value: value, Err: err}
}

package xero

import (
	"context"
	"encoding/json"
	"net/http"

	"towpath/pkg/provider"
)

// createOne sends p alone, by the same call as the others.
func (b *batch[T]) createOne(ctx context.Context, p part) {
	if !b.mayCall(p) {
		return
	}
	r := b.create
	r.body, r.key = together(b.list, []part{p}), p.key
	value, err := writeOne(about(ctx, p), b.client, r, b.list, p.number, b.read)
	b.endCall(p, value, err)
}

// writeOne makes the call that writes one thing: what its answer shows under number.
func writeOne[T any](ctx context.Context, c *Client, r request, list, number string, read func(json.RawMessage) (element[T], error)) (none T, err error) {
	answer, err := c.send(ctx, r)
	if err != nil {
		return none, err
	}
	if answer.status != http.StatusOK {
		return none, classify(answer)
	}
	all, err := listIn[json.RawMessage](r, []byte(answer.body), list)
	if err != nil {
		return none, err
	}
	for _, raw := range all {
		e, err := read(raw)
		if err != nil {
			return none, unreadable(r, raw, err)
		}
		switch {
		case e.saved && e.number == number:
			return e.value, nil
		case !e.saved:
			return none, elementRefusal(raw)
		}
	}
	return none, unsaid("Xero's answer does not show what was written; it will be looked up")
}

// elementRefusal judges one element of a 200: summarizeErrors=false answers so
// even where nothing was created.
func elementRefusal(raw []byte) *provider.Failure {
	if said := complaints(raw); len(said) > 0 {
		return refusal(said)
	}
	f := unsaid("Xero did not save the document and gave no reason")
	f.Detail = clip(string(raw), 1000)
	return f
}

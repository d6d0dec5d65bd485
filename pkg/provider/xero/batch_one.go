package xero

import (
	"context"
	"encoding/json"
	"net/http"
)

// createOne sends p alone, by the same call as the others. After a stored error of
// an earlier attempt there is a second try with a new key, for what again still
// answers: it looks once more whether the earlier one took effect, and has ended p if
// it did.
func (b *batch[T]) createOne(ctx context.Context, p part, unsure bool, again func(context.Context) []part) {
	if !b.mayCall(p) {
		return
	}
	ctx = about(ctx, p)
	value, answered, err := b.putOne(ctx, p, p.key)
	if unsure && answered && replayed(err) {
		open := again(ctx)
		if len(open) == 0 {
			return
		}
		p = open[0]
		value, _, err = b.putOne(ctx, p, b.client.freshKey(p.key))
	}
	b.endCall(p, value, err)
}

// putOne makes one attempt; answered says that Xero spoke at all.
func (b *batch[T]) putOne(ctx context.Context, p part, key string) (value T, answered bool, err error) {
	r := b.create
	r.body, r.key = together(b.list, []part{p}), key
	answer, err := b.client.send(ctx, r)
	if err != nil {
		return value, false, err
	}
	if answer.status != http.StatusOK {
		return value, true, classify(answer)
	}
	all, err := listIn[json.RawMessage](r, []byte(answer.body), b.list)
	if err != nil {
		return value, true, err
	}
	for _, raw := range all {
		e, err := b.read(raw)
		if err != nil {
			return value, true, unreadable(r, raw, err)
		}
		switch {
		case e.saved && e.number == p.number:
			return e.value, true, nil
		case !e.saved:
			return value, true, elementRefusal(r, raw)
		}
	}
	return value, true, uncertain(true, "Xero's answer does not show what was written; it will be looked up")
}

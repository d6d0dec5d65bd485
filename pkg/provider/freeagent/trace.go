package freeagent

import (
	"context"
	"net/http"
	"slices"

	"towpath/pkg/foreign"
	"towpath/pkg/provider"
)

// maxCalls bounds what is kept of one item's calls.
const maxCalls = 20

type traceKey struct{}

// trace collects the ids that the ledger gives to the calls made with traced.
func trace(ctx context.Context) (traced context.Context, calls func() []string) {
	var ids []string
	return context.WithValue(ctx, traceKey{}, &ids), func() []string { return ids }
}

// noteCall notes the id of the call that was answered with h. FreeAgent does not
// document it, but sends it.
func noteCall(ctx context.Context, h http.Header) {
	ids, ok := ctx.Value(traceKey{}).(*[]string)
	if id := foreign.Text(h.Get("X-Request-Id"), 64); ok && id != "" && len(*ids) < maxCalls {
		*ids = append(*ids, id)
	}
}

// withCalls puts the calls that a set shared before those of each item.
func withCalls[T any](outcomes []provider.Outcome[T], shared []string) []provider.Outcome[T] {
	for i := range outcomes {
		outcomes[i].Calls = append(slices.Clone(shared), outcomes[i].Calls...)
	}
	return outcomes
}

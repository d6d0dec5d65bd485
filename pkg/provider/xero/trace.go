package xero

import (
	"context"
	"net/http"

	"towpath/pkg/foreign"
	"towpath/pkg/provider"
)

// maxCalls bounds how many ids of calls are kept for a set: more say nothing.
const maxCalls = 20

type traceKey struct{}

// traced runs the calls for a set, which follow one another, and gives each of its
// outcomes the ids that Xero gave to these calls.
func traced[T any](ctx context.Context, run func(context.Context) []provider.Outcome[T]) []provider.Outcome[T] {
	var calls []string
	outcomes := run(context.WithValue(ctx, traceKey{}, &calls))
	for i := range outcomes {
		outcomes[i].Calls = calls
	}
	return outcomes
}

// noteCall notes the id of the call that was answered with h.
func noteCall(ctx context.Context, h http.Header) {
	calls, ok := ctx.Value(traceKey{}).(*[]string)
	if id := foreign.Text(h.Get("Xero-Correlation-Id"), 64); ok && id != "" && len(*calls) < maxCalls {
		*calls = append(*calls, id)
	}
}

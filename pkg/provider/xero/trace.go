package xero

import (
	"context"
	"time"

	"towpath/pkg/provider"
)

// correlationID is the header with Xero's own id of a call.
const correlationID = "Xero-Correlation-Id"

// traced runs the calls for a set, which follow one another, and gives each of its
// outcomes those that were about it.
func traced[T any](ctx context.Context, run func(context.Context) []provider.Outcome[T]) []provider.Outcome[T] {
	ctx, trace := provider.Traced(ctx)
	outcomes := run(ctx)
	for i := range outcomes {
		outcomes[i].Calls = trace.CallsOf(i, len(outcomes))
	}
	return outcomes
}

// about says that the calls made with the context are about these parts of a set.
func about(ctx context.Context, parts ...part) context.Context {
	places := make([]int, len(parts))
	for i, p := range parts {
		places[i] = p.at
	}
	return provider.About(ctx, places...)
}

// noted is a call as it is kept. The token stands in none of it: headers are left out,
// and the answer has been scrubbed.
func noted(r request, answer reply, began time.Time, err error) provider.Call {
	call := provider.Call{Operation: r.operation, Method: r.method, Path: r.target(), At: began,
		Took: float64(time.Since(began).Microseconds()) / 1000, Status: answer.status, ID: answer.header.Get(correlationID),
		Sent: provider.Body(r.body), Answer: provider.Body(answer.body)}
	if err != nil {
		call.Error = provider.AsFailure(err).Message
	}
	return call
}

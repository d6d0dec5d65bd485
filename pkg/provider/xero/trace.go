package xero

import (
	"context"

	"towpath/pkg/provider"
)

// correlationID is the header with Xero's own id of a call.
const correlationID = "Xero-Correlation-Id"

// traced runs the calls for a set, which follow one another, and gives each of its
// outcomes the ids that Xero gave to these calls.
func traced[T any](ctx context.Context, run func(context.Context) []provider.Outcome[T]) []provider.Outcome[T] {
	ctx, calls := provider.Traced(ctx)
	outcomes := run(ctx)
	for i := range outcomes {
		outcomes[i].Calls = calls()
	}
	return outcomes
}

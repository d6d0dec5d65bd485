package freeagent

import (
	"time"

	"towpath/pkg/provider"
)

// requestID is the header with the ledger's own id of a call. FreeAgent does not document
// it, but sends it.
const requestID = "X-Request-Id"

// withCalls puts the calls that a set shared before those of each item.
func withCalls[T any](outcomes []provider.Outcome[T], shared *provider.Trace) []provider.Outcome[T] {
	for i := range outcomes {
		outcomes[i].Calls = append(shared.CallsOf(i, len(outcomes)), outcomes[i].Calls...)
	}
	return outcomes
}

// noted is a call as it is kept. The token stands in none of it: headers are left out,
// and the answer has been scrubbed.
func noted(k call, a answer, began time.Time, took time.Duration, err error) provider.Call {
	kept := provider.Call{Operation: k.operation, Method: k.method, Path: k.target(), At: began,
		Took: float64(took.Microseconds()) / 1000, Status: a.status, ID: a.header.Get(requestID),
		Sent: provider.Body(k.body), Answer: provider.Body(a.body)}
	if err != nil {
		kept.Error = provider.AsFailure(err).Message
	}
	return kept
}

package freeagent

import (
	"slices"

	"towpath/pkg/provider"
)

// requestID is the header with the ledger's own id of a call. FreeAgent does not document
// it, but sends it.
const requestID = "X-Request-Id"

// withCalls puts the calls that a set shared before those of each item.
func withCalls[T any](outcomes []provider.Outcome[T], shared []string) []provider.Outcome[T] {
	for i := range outcomes {
		outcomes[i].Calls = append(slices.Clone(shared), outcomes[i].Calls...)
	}
	return outcomes
}

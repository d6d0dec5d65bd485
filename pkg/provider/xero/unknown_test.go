package xero

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
)

// A 404 speaks of what the call names.
func Test_Unknown_is_what_the_call_names(t *testing.T) {
	t.Parallel()
	for operation, c := range map[string]struct {
		kind   provider.Kind
		reason string
	}{
		opInvoiceCreate: {provider.Held, reasonContactGone}, opCreditCreate: {provider.Held, reasonContactGone}, opContactUpdate: {provider.Held, reasonContactGone},
		opPaymentCreate: {provider.Held, provider.HeldDocumentVoid}, opAllocate: {provider.Held, provider.HeldDocumentVoid},
		opItemUpsert: {provider.Bug, ""}, opContactCreate: {provider.Bug, ""},
	} {
		f := classify(reply{write: true, operation: operation, status: http.StatusNotFound})
		require.Equal(t, c.kind, f.Kind, operation)
		require.Equal(t, c.reason, f.Reason, operation)
		require.Equal(t, provider.WroteAsBefore, f.Wrote, operation)
	}
}

package provider_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
)

func Test_Calls_of_a_set_keep_of_each_item_its_own_part_alone(t *testing.T) {
	t.Parallel()
	ctx, trace := provider.Traced(t.Context())
	provider.NoteCall(provider.About(ctx, 0, 1), provider.Call{Method: "GET", Path: "/Contacts?where=ada@example.com", Status: 200, Answer: "everybody"})
	joint := provider.NoteCall(provider.About(ctx, 0, 1), provider.Call{Method: "PUT", Path: "/Invoices?unitdp=4", Status: 200, Sent: "both", Answer: "both"})
	joint.Part(0, provider.CallPart{Sent: "ada's", Answer: "ada's answer"})
	joint.Part(1, provider.CallPart{Sent: "bob's", Answer: "bob's answer"})
	provider.NoteCall(provider.About(ctx, 1), provider.Call{Method: "PUT", Path: "/Invoices", Status: 400, Sent: "bob's again", Answer: "refused"})
	provider.NoteCall(ctx, provider.Call{Method: "PUT", Path: "/Unattributed", Status: 200, Sent: "everybody", Answer: "everybody"})

	require.Equal(t, []provider.Call{
		{Method: "GET", Path: "/Contacts", Status: 200, Together: 2},
		{Method: "PUT", Path: "/Invoices?unitdp=4", Status: 200, Together: 2, Sent: "ada's", Answer: "ada's answer"},
		{Method: "PUT", Path: "/Unattributed", Status: 200, Together: 2},
	}, trace.CallsOf(0, 2))
	require.Equal(t, provider.Call{Method: "PUT", Path: "/Invoices", Status: 400, Sent: "bob's again", Answer: "refused"}, trace.CallsOf(1, 2)[2])
}

func Test_Stored_calls_are_bounded_and_read_back_as_they_were(t *testing.T) {
	t.Parallel()
	calls := []provider.Call{
		{Operation: "invoice_create", Method: "PUT", Path: "/Invoices", Status: 200, Sent: `{"a":"<b> & ü"}`, Answer: `<html>no JSON`},
		{Operation: "invoice_create", Method: "PUT", Path: "/Invoices", Error: "no answer", Sent: provider.Body(strings.Repeat("ü", 100_000))},
	}
	stored, err := provider.EncodeCalls(calls)
	require.NoError(t, err)
	require.Contains(t, string(stored), `"sent":{"a":"<b> & ü"}`, "JSON is kept as JSON")
	back, err := provider.DecodeCalls(stored)
	require.NoError(t, err)
	require.Equal(t, calls[0], back[0])
	require.Less(t, len(back[1].Sent), 70_000)
	require.Contains(t, back[1].Sent, "200000 bytes in all")

	var many []provider.Call
	for range 20 {
		many = append(many, calls[1])
	}
	stored, err = provider.EncodeCalls(many)
	require.NoError(t, err)
	require.Less(t, len(stored), 300_000)
	stored, err = provider.EncodeCalls(nil)
	require.NoError(t, err)
	require.Nil(t, stored)
}

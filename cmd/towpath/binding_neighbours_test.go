package main

import (
	"encoding/json"
	"regexp"
	"testing"

	"towpath/pkg/demo"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// neighbour is a second shop that binds to the organisation of d; it answers the
// binding and what create said besides.
func (d *desk) neighbour(t *testing.T, name string, flags ...string) (id string, s said) {
	t.Helper()
	tenant := uuid.NewString()
	d.must(t, "tenant", "create", "--name", name, "--magento-url", d.shopURL, "--id", tenant)
	s = d.run(t, append([]string{"binding", "create", "--tenant", tenant, "--provider", "xero", "--api-url", d.xeroURL, "--token", "a-token", "--json"}, flags...)...)
	require.Zero(t, s.code, s.err)
	var made bindingView
	require.NoError(t, json.Unmarshal([]byte(s.out), &made))
	return made.ID.String(), s
}

// suggestion is the setting that an advice names.
func suggestion(t *testing.T, advice string) string {
	t.Helper()
	found := regexp.MustCompile(`\{"invoice_number_prefix":"[^"]*"\}`).FindString(advice)
	require.NotEmpty(t, found, advice)
	return found
}

// A second binding on an organisation is told so, at once and later, and what it is
// told to do can be done and ends the advice.
func Test_A_second_binding_of_an_organisation_is_told_to_take_a_prefix(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	require.NotContains(t, d.run(t, "binding", "status").err, "also written to")
	// The same organisation in another spelling.
	second, s := d.neighbour(t, "Garden Store", "--org-id", "{"+demo.OrgID+"}")
	require.Contains(t, s.err, "also written to by Shop (binding "+d.binding+")")
	advice := suggestion(t, s.err)
	require.JSONEq(t, `{"invoice_number_prefix":"GARD2-"}`, advice)

	var list []statusView
	d.mustJSON(t, &list, "binding", "status")
	require.Len(t, list, 2)
	for i, other := range []string{second, d.binding} {
		require.Len(t, list[i].Neighbours, 1)
		require.Equal(t, other, list[i].Neighbours[0].BindingID.String())
		require.True(t, list[i].Neighbours[0].SameNumbers)
		suggestion(t, list[i].Advice)
	}

	// As it was told.
	d.must(t, "binding", "policy", "set", second, "--file", file(t, "prefix.json",
		`{"default_xero_revenue_account_code":"200","invoice_number_prefix":"GARD2-"}`))
	text := d.run(t, "binding", "status").err
	require.Contains(t, text, "also written to by Garden Store")
	require.NotContains(t, text, "number_taken")
	d.must(t, "binding", "revoke", "--yes", second)
	require.NotContains(t, d.run(t, "binding", "status").err, "also written to")
}

func Test_A_binding_of_another_organisation_is_told_nothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	_, s := d.neighbour(t, "Elsewhere", "--org-id", uuid.NewString())
	require.NotContains(t, s.err, "also written to")
	// Nor is one whose organisation nobody knows yet.
	_, s = d.neighbour(t, "Unknown", "--api-url", "http://127.0.0.1:1")
	require.NotContains(t, s.err, "also written to")
	_, s = d.neighbour(t, "Unknown too", "--api-url", "http://127.0.0.1:1")
	require.NotContains(t, s.err, "also written to")
}

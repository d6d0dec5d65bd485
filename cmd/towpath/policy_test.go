package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/policy"
)

func Test_A_policy_is_replaced_as_a_whole(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	first := d.must(t, "binding", "policy", "get", d.binding)
	got, faults, err := policy.Parse([]byte(first))
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Equal(t, "200", got.RevenueAccountCode)
	require.False(t, got.SyncZeroValueInvoices)
	require.JSONEq(t, first, d.must(t, "binding", "policy", "get", d.binding, "--json"))

	var saved struct {
		ID       string `json:"id"`
		Version  int    `json:"policy_version"`
		Released *int   `json:"held_runs_released"`
	}
	d.mustJSON(t, &saved, "binding", "policy", "set", d.binding, "--file", file(t, "p.json", `{"invoice_number_prefix":"M-"}`))
	require.Equal(t, d.binding, saved.ID)
	require.Equal(t, 3, saved.Version)
	require.NotNil(t, saved.Released)
	second, _, err := policy.Parse([]byte(d.must(t, "binding", "policy", "get", d.binding)))
	require.NoError(t, err)
	require.Empty(t, second.RevenueAccountCode, "an absent field has its default")
	require.Equal(t, "M-", *second.InvoiceNumberPrefix)

	// What get printed can be set.
	require.Contains(t, d.must(t, "binding", "policy", "set", d.binding, "--file", file(t, "p.json", first)), "policy version 4 saved")
	require.JSONEq(t, first, d.must(t, "binding", "policy", "get", d.binding))
}

func Test_Faults_of_a_policy_are_named_by_field_and_nothing_is_saved(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	before := d.must(t, "binding", "policy", "get", d.binding)
	bad := file(t, "bad.json", `{"sync_everything":true,"tax_rate_map":{"20":"OUTPUT2"},"default_xero_payment_terms_days":366,
		"default_xero_revenue_account_code":"9999"}`)
	want := map[string]string{
		"sync_everything": policy.UnknownField, "tax_rate_map.20": policy.InvalidFormat,
		"default_xero_payment_terms_days": policy.OutOfRange, "default_xero_revenue_account_code": policy.NotInReference,
	}

	s := d.run(t, "binding", "policy", "set", d.binding, "--file", bad)
	require.Equal(t, exitFailed, s.code)
	for field, code := range want {
		require.Contains(t, s.err, field+": "+code+": ")
	}
	require.Contains(t, s.err, "nothing was saved; policy version 2 stays in force")

	asJSON := d.run(t, "binding", "policy", "set", d.binding, "--file", bad, "--json")
	require.Equal(t, exitFailed, asJSON.code)
	requireSnakeCase(t, []byte(asJSON.out))
	var answer struct {
		Version int `json:"policy_version"`
		Errors  []policy.FieldError
	}
	decode(t, []byte(asJSON.out), &answer)
	got := map[string]string{}
	for _, fault := range answer.Errors {
		require.NotEmpty(t, fault.Message)
		got[fault.Field] = fault.Code
	}
	require.Equal(t, want, got)
	require.Equal(t, 2, answer.Version)

	require.Equal(t, before, d.must(t, "binding", "policy", "get", d.binding))
	var versions int
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT count(*) FROM policies").Scan(&versions))
	require.Equal(t, 2, versions)
}

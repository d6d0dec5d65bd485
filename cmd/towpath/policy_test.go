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

func Test_What_settings_do_to_what_is_there_is_said_before_they_are_saved(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.serve(t)
	d.shop.RaiseInvoice(unmappedCart())
	run := d.send(t)
	until(t, "held", func() bool { return d.status(t, run) == "held" })
	settings := file(t, "p.json", `{"invoice_number_prefix":"M-"}`)
	s := d.run(t, "binding", "policy", "set", d.binding, "--file", settings, "--dry-run")
	require.Zero(t, s.code, s.err)
	require.Contains(t, s.out, "nothing was saved; policy version 2 stays in force")
	require.Contains(t, s.err, "1 held run will be tried again under these settings")
	require.Contains(t, s.err, "back to the default: default_xero_revenue_account_code, sync_zero_value_invoices, tax_rate_map")
	require.Contains(t, s.err, "default_xero_revenue_account_code is not set")
	require.Contains(t, d.must(t, "binding", "policy", "get", d.binding), `"200"`)
}

func Test_What_is_no_JSON_is_named_by_its_place(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	for name, c := range map[string]struct {
		content string
		code    int
		want    string
	}{
		"a missing comma": {"{\n  \"sync_products\": true\n  \"sync_customers\": true}", exitUsage, "line 3, column 3"},
		"a comment":       {"{\n  // all\n}", exitUsage, "line 2, column 3: JSON has no comments"},
		"UK":              {`{"default_xero_revenue_account_code":"200","tax_rate_map":{"UK:20.00":"OUTPUT2"}}`, exitFailed, "the United Kingdom is GB"},
		"XX":              {`{"default_xero_revenue_account_code":"200","tax_rate_map":{"XX:20.00":"OUTPUT2"}}`, exitFailed, "XX is no country code"},
	} {
		s := d.run(t, "binding", "policy", "set", d.binding, "--file", file(t, "p.json", c.content))
		require.Equal(t, c.code, s.code, name)
		require.Contains(t, s.err, c.want, name)
	}
	d.must(t, "binding", "policy", "set", d.binding, "--file", file(t, "p.json", "\ufeff"+goodPolicy))
}

package form_test

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/form"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

const full = `{
	"sync_unpaid_invoices": false, "sync_zero_value_invoices": false, "sync_since": "2026-04-01T10:00:00Z",
	"website_filter": [1, 2], "store_filter": [3], "sync_products": true, "sync_customers": true,
	"default_xero_revenue_account_code": "200", "shipping_account_code": "425", "default_xero_tax_type": "OUTPUT2",
	"tax_rate_map": {"20.00": "OUTPUT2", "0.00": "ZERORATEDOUTPUT", "AT:20.00": "TAX_AT"}, "xero_invoice_status_default": "DRAFT",
	"default_xero_payment_terms_days": 0, "payment_terms_by_customer_group": {"0": 0, "2": 30},
	"invoice_number_prefix": "M-", "customer_name_priority": "person", "rounding_tolerance": "0.10",
	"branding_theme_id": "a94a78db-5cc6-4e26-a52b-045237e56e6e", "tracking": [{"name": "Region: all", "option": "North"}, {"name": "Shop", "option": "\"Web\""}],
	"b2c_consolidation": {"enabled": true, "fallback_contact_name": "Shop", "fallback_contact_email": "shop@example.com",
		"min_total_for_individual": "250.00", "always_individual_for_b2b": true},
	"payment_method_map": {"checkmo": null, "stripe": "13918178-849a-4823-9a31-57b7eac713d7"},
	"default_bank_account_id": "13918178-849a-4823-9a31-57b7eac713d7",
	"default_income_category_url": "https://api.example.com/v2/categories/001", "default_payment_terms_days": 7,
	"invoice_status_default": "Sent", "paid_otherwise_account_code": "850", "charges_account_code": "051",
	"shop_base_currency": {"1": "GBP", "2": "EUR"}, "invoice_number_prefix_by_store": {"1": "", "2": "B-"}, "item_type_map": {"virtual": "Services"}}`

func parse(t *testing.T, raw []byte) policy.Policy {
	t.Helper()
	p, faults, err := policy.Parse(raw)
	require.NoError(t, err, string(raw))
	require.Empty(t, faults)
	return p
}

func Test_A_form_that_is_sent_as_it_came_changes_nothing(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{full, `{}`, `{"shop_base_currency":"GBP"}`} {
		p := parse(t, []byte(raw))
		require.Empty(t, policy.Changes(p, parse(t, form.Read(form.Values(p), policy.Default()))), raw)
	}
}

func Test_What_a_form_does_not_have_stays_as_it_is_in_force(t *testing.T) {
	t.Parallel()
	p := parse(t, []byte(full))
	got := parse(t, form.Read(url.Values{"invoice_number_prefix": {"X-"}, "b2c_consolidation.enabled": {"false"}}, p))
	changes := policy.Changes(p, got)
	require.Len(t, changes, 2)
	require.Equal(t, "b2c_consolidation.enabled", changes[0].Field)
	require.Equal(t, "invoice_number_prefix", changes[1].Field)
}

func Test_A_key_that_is_given_twice_is_a_fault_at_its_row(t *testing.T) {
	t.Parallel()
	values := form.Values(policy.Default())
	for i, key := range []string{"20.00", "20", "20.00"} {
		row := "tax_rate_map." + string(rune('0'+i))
		values.Set(row+".key", key)
		values.Set(row+".value", "OUTPUT2")
	}
	_, faults, err := policy.Parse(form.Read(values, policy.Default()))
	require.NoError(t, err)
	require.Len(t, faults, 2)
	groups := form.Of(values, faults, form.Known{Wire: provider.WireAccounting})
	places := form.Places(groups, faults)
	require.Equal(t, map[string]string{"tax_rate_map.20": "tax_rate_map.1.value", "tax_rate_map.20.00": "tax_rate_map.2.value"}, places)
}

// The form, the parser and the documentation go by one list.
func Test_Every_setting_is_in_the_form_and_in_the_documentation(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/reference.md")
	require.NoError(t, err)
	sent := form.Values(policy.Default())
	count := 0
	for _, f := range policy.Fields() {
		require.Contains(t, string(docs), "`"+f.Name+"`", "docs/reference.md")
		require.NotEmpty(t, f.Label, f.Name)
		require.True(t, strings.HasSuffix(f.Meaning, "."), f.Name)
		require.NotNil(t, policy.Value(policy.Default(), f.Name), f.Name)
		for name := range sent {
			if name == f.Name || strings.HasPrefix(name, f.Name+".") {
				count++
			}
		}
	}
	require.Equal(t, len(sent), count)
	for _, wire := range policy.Wires() {
		shown := 0
		for _, g := range form.Of(sent, nil, form.Known{Wire: wire}) {
			shown += len(g.Controls)
		}
		require.Equal(t, len(policy.Fields()), shown, wire)
	}
}

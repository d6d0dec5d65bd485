package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func parsed(t *testing.T, raw string) Policy {
	t.Helper()
	p, faults, err := Parse([]byte(raw))
	require.NoError(t, err)
	require.Empty(t, faults)
	return p
}

func TestChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"none":            {`{"sync_products":true}`, `{"sync_products":true}`, nil},
		"default_spelled": {`{}`, `{"sync_products":false,"tax_rate_map":{}}`, nil},
		"a_switch":        {`{}`, `{"sync_products":true}`, []string{"sync_products: false -> true"}},
		"a_text":          {`{"default_xero_tax_type":"A"}`, `{}`, []string{`default_xero_tax_type: "A" -> ""`}},
		"an_entry_of_a_map": {`{"tax_rate_map":{"20.00":"A","5.00":"B"}}`, `{"tax_rate_map":{"20.00":"A","0.00":"C"}}`,
			[]string{`tax_rate_map.0.00: none -> "C"`, `tax_rate_map.5.00: "B" -> none`}},
		"an_entry_that_is_null": {`{}`, `{"payment_method_map":{"checkmo":null}}`, []string{"payment_method_map.checkmo: none -> null"}},
		"a_list":                {`{"store_filter":[1]}`, `{"store_filter":[1,2]}`, []string{"store_filter: [1] -> [1,2]"}},
		"a_nested_setting":      {`{}`, `{"b2c_consolidation":{"enabled":true}}`, []string{"b2c_consolidation.enabled: false -> true"}},
		"a_text_or_an_object": {`{"shop_base_currency":"GBP"}`, `{"shop_base_currency":{"1":"EUR"}}`,
			[]string{`shop_base_currency: "GBP" -> none`, `shop_base_currency.1: none -> "EUR"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, change := range Changes(parsed(t, c.before), parsed(t, c.after)) {
				got = append(got, change.String())
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestDropped(t *testing.T) {
	t.Parallel()
	const inForce = `{"default_xero_revenue_account_code":"200","sync_products":true,"tax_rate_map":{"20.00":"A","5.00":"B"},
		"b2c_consolidation":{"enabled":true,"fallback_contact_name":"Web"}}`
	for name, c := range map[string]struct {
		raw  string
		want []string
	}{
		"all":                       {`{}`, []string{"b2c_consolidation", "default_xero_revenue_account_code", "sync_products", "tax_rate_map"}},
		"none":                      {inForce, []string{}},
		"a_default_that_is_written": {`{"default_xero_revenue_account_code":"","sync_products":null,"tax_rate_map":{},"b2c_consolidation":null}`, []string{}},
		"an_entry_of_a_map":         {"\ufeff" + `{"default_xero_revenue_account_code":"200","sync_products":true,"tax_rate_map":{"20.00":"A"},"b2c_consolidation":{"enabled":true,"fallback_contact_name":"Web"}}`, []string{}},
		"a_part_of_an_object": {`{"default_xero_revenue_account_code":"200","sync_products":true,"tax_rate_map":{"20.00":"A"},"b2c_consolidation":{"enabled":true}}`,
			[]string{"b2c_consolidation.fallback_contact_name"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, Dropped([]byte(c.raw), parsed(t, inForce)))
		})
	}
}

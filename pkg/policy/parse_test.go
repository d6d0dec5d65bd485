package policy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/policy"
)

func Test_Absent_fields_and_null_have_their_defaults(t *testing.T) {
	t.Parallel()
	nulls := map[string]any{}
	require.NoError(t, json.Unmarshal(policy.Encode(policy.Default()), &nulls))
	for name := range nulls {
		nulls[name] = nil
	}
	all, err := json.Marshal(nulls)
	require.NoError(t, err)
	for _, raw := range []string{`{}`, string(all)} {
		p, faults, err := policy.Parse([]byte(raw))
		require.NoError(t, err)
		require.Empty(t, faults)
		require.Equal(t, policy.Default(), p)
	}
}

func Test_Everything_that_can_be_set_is_read(t *testing.T) {
	t.Parallel()
	p, faults, err := policy.Parse([]byte(`{
		"sync_unpaid_invoices": false, "sync_zero_value_invoices": false, "sync_since": "2026-04-01",
		"website_filter": [1, 2], "store_filter": [3], "sync_products": true,
		"default_xero_revenue_account_code": "200", "shipping_account_code": "425", "default_xero_tax_type": "OUTPUT2",
		"tax_rate_map": {"20.00": "OUTPUT2", "0.00": "ZERORATEDOUTPUT", "8.875": "NYC", "AT:20.00": "TAX_AT"}, "xero_invoice_status_default": "DRAFT",
		"default_xero_payment_terms_days": 0, "payment_terms_by_customer_group": {"0": 0, "2": 30},
		"invoice_number_prefix": "M-", "customer_name_priority": "person", "rounding_tolerance": 0.1,
		"branding_theme_id": "a94a78db-5cc6-4e26-a52b-045237e56e6e", "tracking": [{"name": "Region", "option": "North"}],
		"b2c_consolidation": {"enabled": true, "fallback_contact_name": "Shop", "fallback_contact_email": "shop@example.com",
			"min_total_for_individual": "250.00", "always_individual_for_b2b": true},
		"payment_method_map": {"checkmo": null, "stripe": "13918178-849a-4823-9a31-57b7eac713d7"},
		"default_bank_account_id": "13918178-849a-4823-9a31-57b7eac713d7",
		"default_income_category_url": "https://api.example.com/v2/categories/001", "default_payment_terms_days": 7,
		"invoice_status_default": "Sent", "sync_customers": true,
		"paid_otherwise_account_code": "850", "charges_account_code": "https://api.example.com/v2/categories/051",
		"shop_base_currency": {"1": "GBP", "2": "EUR"}, "invoice_number_prefix_by_store": {"1": "", "2": "B-"}, "item_type_map": {"virtual": "Services"}}`))
	require.NoError(t, err)
	require.Empty(t, faults)
	require.False(t, p.SyncUnpaidInvoices)
	require.False(t, p.SyncZeroValueInvoices)
	require.True(t, p.SyncProducts)
	require.Equal(t, time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), *p.SyncSince)
	require.Equal(t, []int64{1, 2}, p.WebsiteFilter)
	require.Equal(t, []int64{3}, p.StoreFilter)
	require.Equal(t, map[string]string{"20.00": "OUTPUT2", "0.00": "ZERORATEDOUTPUT", "8.875": "NYC", "AT:20.00": "TAX_AT"}, p.TaxRateMap)
	require.Equal(t, map[string]int{"0": 0, "2": 30}, p.PaymentTermsByGroup)
	require.Equal(t, "DRAFT", p.InvoiceStatus)
	require.Equal(t, "0.1", p.RoundingTolerance.String())
	require.Equal(t, []policy.TrackingOption{{Name: "Region", Option: "North"}}, p.Tracking)
	require.True(t, p.B2CConsolidation.Enabled && p.B2CConsolidation.AlwaysIndividualForB2B)
	require.Equal(t, "250", p.B2CConsolidation.MinTotalForIndividual.String())
	require.Contains(t, p.PaymentMethodMap, "checkmo")
	require.Nil(t, p.PaymentMethodMap["checkmo"])
	require.NotNil(t, p.PaymentMethodMap["stripe"])
	require.Equal(t, "Sent", p.V2InvoiceStatus)
	require.Equal(t, 7, p.V2PaymentTermsDays)
	require.Equal(t, "M-", *p.InvoiceNumberPrefix)
	require.True(t, p.SyncCustomers)
	require.Equal(t, "850", p.PaidOtherwiseAccount)
	require.Equal(t, "https://api.example.com/v2/categories/051", p.ChargesAccount)
	require.Equal(t, map[string]string{"1": "GBP", "2": "EUR"}, p.ShopBaseCurrency.ByWebsite)
	require.Equal(t, map[string]string{"1": "", "2": "B-"}, p.NumberPrefixByStore)
}

func Test_Faults_are_named(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	for settings, want := range map[string]string{
		`"sync_everything":true`:                                           "sync_everything unknown_field",
		`"Sync_products":true`:                                             "Sync_products unknown_field",
		`"` + long + `":1`:                                                 strings.Repeat("x", 60) + "… unknown_field",
		`"sync_products":"yes"`:                                            "sync_products invalid_format",
		`"sync_products":1`:                                                "sync_products invalid_format",
		`"sync_products":true,"sync_products":true`:                        "sync_products invalid_format",
		`"sync_since":"1 April"`:                                           "sync_since invalid_format",
		`"sync_since":20260401`:                                            "sync_since invalid_format",
		`"sync_since":"0001-01-01"`:                                        "sync_since invalid_format",
		`"website_filter":1`:                                               "website_filter invalid_format",
		`"website_filter":[1,"2",null]`:                                    "website_filter.1 invalid_format,website_filter.2 invalid_format",
		`"store_filter":[-1]`:                                              "store_filter.0 invalid_format",
		`"default_xero_revenue_account_code":200`:                          "default_xero_revenue_account_code invalid_format",
		`"default_xero_revenue_account_code":" 200"`:                       "default_xero_revenue_account_code invalid_format",
		`"shipping_account_code":"12345678901"`:                            "shipping_account_code out_of_range",
		`"default_xero_tax_type":"A\u0000B"`:                               "default_xero_tax_type invalid_format",
		`"tax_rate_map":{"20":"OUTPUT2"}`:                                  "tax_rate_map.20 invalid_format",
		`"tax_rate_map":{"020.00":"OUTPUT2"}`:                              "tax_rate_map.020.00 invalid_format",
		`"tax_rate_map":{"1e1":"OUTPUT2"}`:                                 "tax_rate_map.1e1 invalid_format",
		`"tax_rate_map":{"100.01":"OUTPUT2"}`:                              "tax_rate_map.100.01 invalid_format",
		`"tax_rate_map":{"-5.00":"OUTPUT2"}`:                               "tax_rate_map.-5.00 invalid_format",
		`"tax_rate_map":{"20.00":""}`:                                      "tax_rate_map.20.00 invalid_format",
		`"tax_rate_map":{"20.00":null}`:                                    "tax_rate_map.20.00 invalid_format",
		`"tax_rate_map":{"20.00":20}`:                                      "tax_rate_map.20.00 invalid_format",
		`"tax_rate_map":{"20.00":"A","20.00":"B"}`:                         "tax_rate_map.20.00 invalid_format",
		`"tax_rate_map":{"8.87500":"NYC"}`:                                 "tax_rate_map.8.87500 invalid_format",
		`"tax_rate_map":{"8.5":"NYC"}`:                                     "tax_rate_map.8.5 invalid_format",
		`"tax_rate_map":{"at:20.00":"A"}`:                                  "tax_rate_map.at:20.00 invalid_format",
		`"tax_rate_map":{"AUT:20.00":"A"}`:                                 "tax_rate_map.AUT:20.00 invalid_format",
		`"tax_rate_map":{"AT:100.01":"A"}`:                                 "tax_rate_map.AT:100.01 invalid_format",
		`"shop_base_currency":"gbp"`:                                       "shop_base_currency invalid_format",
		`"shop_base_currency":"XXX"`:                                       "shop_base_currency invalid_format",
		`"shop_base_currency":"R O"`:                                       "shop_base_currency invalid_format",
		`"shop_base_currency":{"1":"DEM"}`:                                 "shop_base_currency.1 invalid_format",
		`"shop_base_currency":["GBP"]`:                                     "shop_base_currency invalid_format",
		`"shop_base_currency":{"1":"Euro"}`:                                "shop_base_currency.1 invalid_format",
		`"shop_base_currency":{"1":5}`:                                     "shop_base_currency.1 invalid_format",
		`"shop_base_currency":{"main":"EUR"}`:                              "shop_base_currency.main invalid_format",
		`"invoice_number_prefix_by_store":{"de":"D-"}`:                     "invoice_number_prefix_by_store.de invalid_format",
		`"invoice_number_prefix_by_store":{"01":"D-"}`:                     "invoice_number_prefix_by_store.01 invalid_format",
		`"invoice_number_prefix_by_store":{"1":"№"}`:                       "invoice_number_prefix_by_store.1 invalid_format",
		`"invoice_number_prefix_by_store":{"1":2}`:                         "invoice_number_prefix_by_store.1 invalid_format",
		`"paid_otherwise_account_code":850`:                                "paid_otherwise_account_code invalid_format",
		`"tax_rate_map":[]`:                                                "tax_rate_map invalid_format",
		`"xero_invoice_status_default":"PAID"`:                             "xero_invoice_status_default out_of_range",
		`"xero_invoice_status_default":"draft"`:                            "xero_invoice_status_default out_of_range",
		`"default_xero_payment_terms_days":366`:                            "default_xero_payment_terms_days out_of_range",
		`"default_xero_payment_terms_days":-1`:                             "default_xero_payment_terms_days out_of_range",
		`"default_xero_payment_terms_days":99999999999999999999`:           "default_xero_payment_terms_days out_of_range",
		`"default_xero_payment_terms_days":1.5`:                            "default_xero_payment_terms_days invalid_format",
		`"default_xero_payment_terms_days":"14"`:                           "default_xero_payment_terms_days invalid_format",
		`"payment_terms_by_customer_group":{"retail":14}`:                  "payment_terms_by_customer_group.retail invalid_format",
		`"payment_terms_by_customer_group":{"01":14}`:                      "payment_terms_by_customer_group.01 invalid_format",
		`"payment_terms_by_customer_group":{"1":null}`:                     "payment_terms_by_customer_group.1 invalid_format",
		`"payment_terms_by_customer_group":{"1":400}`:                      "payment_terms_by_customer_group.1 out_of_range",
		`"invoice_number_prefix":"№"`:                                      "invoice_number_prefix invalid_format",
		`"invoice_number_prefix":"` + long[:33] + `"`:                      "invoice_number_prefix out_of_range",
		`"customer_name_priority":"email"`:                                 "customer_name_priority out_of_range",
		`"rounding_tolerance":"1.01"`:                                      "rounding_tolerance out_of_range",
		`"rounding_tolerance":-0.01`:                                       "rounding_tolerance out_of_range",
		`"rounding_tolerance":"0.005"`:                                     "rounding_tolerance out_of_range",
		`"rounding_tolerance":"little"`:                                    "rounding_tolerance invalid_format",
		`"rounding_tolerance":1e999999`:                                    "rounding_tolerance invalid_format",
		`"branding_theme_id":"special"`:                                    "branding_theme_id invalid_format",
		`"tracking":{"name":"Region"}`:                                     "tracking invalid_format",
		`"tracking":["Region"]`:                                            "tracking.0 invalid_format",
		`"tracking":[{"name":"Region"}]`:                                   "tracking.0.option invalid_format",
		`"tracking":[{"name":"A","option":"B","id":1}]`:                    "tracking.0.id unknown_field",
		`"tracking":[{"name":"A","option":"B"},{"name":"a","option":"C"}]`: "tracking.1.name invalid_format",
		`"tracking":[{},{},{}]`:                                            "tracking out_of_range",
		`"b2c_consolidation":true`:                                         "b2c_consolidation invalid_format",
		`"b2c_consolidation":{"enabled":1}`:                                "b2c_consolidation.enabled invalid_format",
		`"b2c_consolidation":{"on":true}`:                                  "b2c_consolidation.on unknown_field",
		`"b2c_consolidation":{"fallback_contact_name":"a <b>"}`:            "b2c_consolidation.fallback_contact_name invalid_format",
		`"b2c_consolidation":{"fallback_contact_email":"nobody"}`:          "b2c_consolidation.fallback_contact_email invalid_format",
		`"b2c_consolidation":{"min_total_for_individual":-1}`:              "b2c_consolidation.min_total_for_individual out_of_range",
		`"payment_method_map":{"checkmo":""}`:                              "payment_method_map.checkmo invalid_format",
		`"payment_method_map":{"checkmo":5}`:                               "payment_method_map.checkmo invalid_format",
		`"payment_method_map":{" ":"x"}`:                                   "payment_method_map.(empty) invalid_format",
		`"default_income_category_url":"001"`:                              "default_income_category_url invalid_format",
		`"default_income_category_url":"https://user:pw@example.com/1"`:    "default_income_category_url invalid_format",
		`"invoice_status_default":"sent"`:                                  "invoice_status_default out_of_range",
		`"item_type_map":{"simple":"Gadgets"}`:                             "item_type_map.simple out_of_range",
		`"item_type_map":{"simple":null}`:                                  "item_type_map.simple invalid_format",
		`"sync_products":1,"nope":1,"rounding_tolerance":5,"tracking":3`:   "nope unknown_field,rounding_tolerance out_of_range,sync_products invalid_format,tracking invalid_format",
	} {
		_, faults, err := policy.Parse([]byte("{" + settings + "}"))
		require.NoError(t, err, settings)
		var got []string
		for _, f := range faults {
			require.NotEmpty(t, f.Message)
			got = append(got, f.Field+" "+f.Code)
		}
		require.Equal(t, want, strings.Join(got, ","), settings)
	}
}

func Test_What_is_no_object_is_an_error(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{``, `null`, `[]`, `3`, `{`, `{}{}`, `{"a":1,}`, `{} x`, strings.Repeat(" ", 300<<10) + `{}`} {
		_, faults, err := policy.Parse([]byte(raw))
		require.Error(t, err)
		require.Empty(t, faults)
	}
}

func Test_Parse_gives_back_what_Encode_wrote(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		raw := policy.Encode(p)
		again, faults, err := policy.Parse(raw)
		require.NoError(t, err)
		require.Empty(t, faults)
		require.Equal(t, string(raw), string(policy.Encode(again)))
		require.True(t, p.RoundingTolerance.Equal(again.RoundingTolerance))
		p.RoundingTolerance, again.RoundingTolerance = decimal.Zero, decimal.Zero
		min, minAgain := p.B2CConsolidation.MinTotalForIndividual, again.B2CConsolidation.MinTotalForIndividual
		require.Equal(t, min == nil, minAgain == nil)
		require.True(t, min == nil || min.Equal(*minAgain))
		p.B2CConsolidation.MinTotalForIndividual, again.B2CConsolidation.MinTotalForIndividual = nil, nil
		require.Equal(t, p, again)
	})
}

func Test_Encode_names_every_setting_of_the_zero_policy_too(t *testing.T) {
	t.Parallel()
	var zero, all map[string]any
	require.NoError(t, json.Unmarshal(policy.Encode(policy.Policy{}), &zero))
	require.NoError(t, json.Unmarshal(policy.Encode(policy.Default()), &all))
	require.Len(t, zero, len(all))
	require.NotNil(t, zero["tax_rate_map"])
	require.NotNil(t, zero["website_filter"])
}

func FuzzParse(f *testing.F) {
	f.Add(policy.Encode(policy.Default()))
	f.Add([]byte(`{"tax_rate_map":{"20.00":"OUTPUT2"},"tracking":[{"name":"a","option":"b"}],"rounding_tolerance":1e-2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, faults, err := policy.Parse(raw)
		if err != nil || len(faults) > 0 {
			return
		}
		again, faults, err := policy.Parse(policy.Encode(p))
		require.NoError(t, err)
		require.Empty(t, faults)
		require.Equal(t, string(policy.Encode(p)), string(policy.Encode(again)))
	})
}

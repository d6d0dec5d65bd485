package policy_test

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

const (
	bankID  = "13918178-849a-4823-9a31-57b7eac713d7"
	cardsID = "562555f2-8cde-4ce9-8203-0363922537a4"
	oldID   = "7e1d3a5c-0f5e-4c1b-9c7d-2b1f6a9e8d10"
	themeID = "a94a78db-5cc6-4e26-a52b-045237e56e6e"
)

func ledger() provider.Reference {
	rate := func(taxType, percent, status string, revenue bool) provider.TaxRate {
		return provider.TaxRate{TaxType: taxType, EffectiveRate: decimal.RequireFromString(percent), Status: status, CanApplyToRevenue: revenue}
	}
	return provider.Reference{
		Accounts: []provider.Account{
			{Code: "200", Name: "Sales", Type: "REVENUE", Status: "ACTIVE"},
			{Code: "201", Name: "Old sales", Type: "REVENUE", Status: "ARCHIVED"},
			{Code: "425", Name: "Freight", Type: "EXPENSE", Status: "ACTIVE"},
			{Code: "860", Name: "Rounding", Type: "EXPENSE", Status: "ACTIVE", SystemAccount: "ROUNDING"},
			{Code: "850", Name: "Gift cards", Type: "CURRLIAB", Status: "ACTIVE"},
			{ID: bankID, Code: "090", Name: "Bank", Type: "BANK", Status: "ACTIVE"},
			{ID: oldID, Name: "Old bank", Type: "BANK", Status: "ARCHIVED"},
			{ID: cardsID, Code: "880", Name: "Cards", Type: "CURRENT", Status: "ACTIVE", EnablePayments: true},
			{ID: themeID, Code: "620", Name: "Prepayments", Type: "CURRENT", Status: "ACTIVE"},
		},
		TaxRates: []provider.TaxRate{
			rate("OUTPUT2", "20.0", "ACTIVE", true), rate("INPUT2", "20", "ACTIVE", false), rate("TAX001", "19", "ARCHIVED", true),
			rate("NYC", "8.875", "ACTIVE", true),
		},
		Themes:     []provider.BrandingTheme{{ID: themeID, Name: "Standard"}},
		Tracking:   []provider.TrackingCategory{{Name: "Region", Options: []string{"North"}}},
		Categories: []provider.IncomeCategory{{URL: "https://api.example.com/v2/categories/001", NominalCode: "001", Description: "Sales"}},
	}
}

func Test_Check_names_what_the_ledger_does_not_have(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings string
		wire     string
		want     string // field and a part of the message; empty: no fault
		says     string
	}{
		"nothing_set":                 {`{}`, "accounting", "", ""},
		"revenue_account":             {`{"default_xero_revenue_account_code":"200"}`, "accounting", "", ""},
		"unknown_account":             {`{"default_xero_revenue_account_code":"999"}`, "accounting", "default_xero_revenue_account_code", "choose 200"},
		"archived_account":            {`{"default_xero_revenue_account_code":"201"}`, "accounting", "default_xero_revenue_account_code", "archived"},
		"account_of_costs":            {`{"default_xero_revenue_account_code":"425"}`, "accounting", "default_xero_revenue_account_code", "cannot carry this"},
		"shipping_on_costs":           {`{"shipping_account_code":"425"}`, "accounting", "", ""},
		"shipping_on_a_systems":       {`{"shipping_account_code":"860"}`, "accounting", "shipping_account_code", "cannot carry this"},
		"gift_cards_on_a_liability":   {`{"paid_otherwise_account_code":"850"}`, "accounting", "", ""},
		"gift_cards_on_a_bank":        {`{"paid_otherwise_account_code":"090"}`, "accounting", "paid_otherwise_account_code", "cannot carry this"},
		"charges_on_income":           {`{"charges_account_code":"200"}`, "accounting", "", ""},
		"charges_on_a_systems":        {`{"charges_account_code":"860"}`, "accounting", "charges_account_code", "cannot carry this"},
		"charges_on_nothing":          {`{"charges_account_code":"999"}`, "accounting", "charges_account_code", "choose 200"},
		"charges_by_nominal_code":     {`{"charges_account_code":"001"}`, "v2", "", ""},
		"charges_by_url":              {`{"charges_account_code":"https://api.example.com/v2/categories/001"}`, "v2", "", ""},
		"gift_cards_on_no_category":   {`{"paid_otherwise_account_code":"850"}`, "v2", "paid_otherwise_account_code", "001 (Sales)"},
		"three_decimals":              {`{"tax_rate_map":{"8.875":"NYC"}}`, "accounting", "", ""},
		"four_decimals":               {`{"tax_rate_map":{"8.8750":"NYC"}}`, "accounting", "", ""},
		"rounded_to_two_decimals":     {`{"tax_rate_map":{"8.88":"NYC"}}`, "accounting", "", ""},
		"rounded_wrongly":             {`{"tax_rate_map":{"8.87":"NYC"}}`, "accounting", "tax_rate_map.8.87", "is 8.875 % in the ledger, not 8.87 %"},
		"rate_of_a_country":           {`{"tax_rate_map":{"AT:20.00":"OUTPUT2","20.00":"OUTPUT2"}}`, "accounting", "", ""},
		"other_rate_of_a_country":     {`{"tax_rate_map":{"AT:10.00":"OUTPUT2"}}`, "accounting", "tax_rate_map.AT:10.00", "not 10 %"},
		"tax_type":                    {`{"default_xero_tax_type":"OUTPUT2"}`, "accounting", "", ""},
		"tax_type_of_purchases":       {`{"default_xero_tax_type":"INPUT2"}`, "accounting", "default_xero_tax_type", "cannot be used on sales"},
		"archived_tax_type":           {`{"default_xero_tax_type":"TAX001"}`, "accounting", "default_xero_tax_type", "archived"},
		"unknown_tax_type":            {`{"tax_rate_map":{"20.00":"OUTPUT9"}}`, "accounting", "tax_rate_map.20.00", "choose OUTPUT2"},
		"mapped_rate":                 {`{"tax_rate_map":{"20.00":"OUTPUT2"}}`, "accounting", "", ""},
		"mapped_to_another_rate":      {`{"tax_rate_map":{"19.00":"OUTPUT2"}}`, "accounting", "tax_rate_map.19.00", "is 20 % in the ledger, not 19 %"},
		"theme":                       {`{"branding_theme_id":"` + themeID + `"}`, "accounting", "", ""},
		"unknown_theme":               {`{"branding_theme_id":"` + bankID + `"}`, "accounting", "branding_theme_id", "Standard"},
		"tracking":                    {`{"tracking":[{"name":"Region","option":"North"}]}`, "accounting", "", ""},
		"unknown_tracking":            {`{"tracking":[{"name":"Team","option":"North"}]}`, "accounting", "tracking.0.name", "choose Region"},
		"unknown_option":              {`{"tracking":[{"name":"Region","option":"West"}]}`, "accounting", "tracking.0.option", "choose North"},
		"bank":                        {`{"default_bank_account_id":"` + bankID + `"}`, "accounting", "", ""},
		"account_that_takes_payments": {`{"payment_method_map":{"stripe":"` + cardsID + `","checkmo":null}}`, "accounting", "", ""},
		"account_without_payments":    {`{"payment_method_map":{"stripe":"` + themeID + `"}}`, "accounting", "payment_method_map.stripe", "takes no payments"},
		"archived_bank":               {`{"default_bank_account_id":"` + oldID + `"}`, "accounting", "default_bank_account_id", "archived"},
		"unknown_bank":                {`{"default_bank_account_id":"x"}`, "v2", "default_bank_account_id", "choose " + bankID},
		"category":                    {`{"default_income_category_url":"https://api.example.com/v2/categories/001"}`, "v2", "", ""},
		"unknown_category":            {`{"default_income_category_url":"https://api.example.com/v2/categories/002"}`, "v2", "default_income_category_url", "001 (Sales)"},
		"other_wires_category":        {`{"default_income_category_url":"https://api.example.com/v2/categories/002"}`, "accounting", "", ""},
		"other_wires_account":         {`{"default_xero_revenue_account_code":"999"}`, "v2", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, faults, err := policy.Parse([]byte(test.settings))
			require.NoError(t, err)
			require.Empty(t, faults)
			require.Empty(t, policy.Check(p, provider.Reference{}, test.wire), "nothing is known, nothing is refused")
			faults = policy.Check(p, ledger(), test.wire)
			if test.want == "" {
				require.Empty(t, faults)
				return
			}
			require.Len(t, faults, 1)
			require.Equal(t, test.want, faults[0].Field)
			require.Equal(t, policy.NotInReference, faults[0].Code)
			require.Contains(t, faults[0].Message, test.says)
		})
	}
}

func Test_Check_against_a_ledger_that_has_none_refuses(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	p.RevenueAccountCode = "200"
	faults := policy.Check(p, provider.Reference{Accounts: []provider.Account{}}, provider.WireAccounting)
	require.Len(t, faults, 1)
	require.Contains(t, faults[0].Message, "add one there first")
}

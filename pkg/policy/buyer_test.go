package policy_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
)

func Test_Buyer_is_named_by_priority(t *testing.T) {
	t.Parallel()
	s := func(s string) *string { return &s }
	for name, test := range map[string]struct {
		contact         canon.Contact
		company, person string
	}{
		"both":             {canon.Contact{Company: s("Analytical Ltd"), FirstName: s("Ada"), LastName: s("Lovelace")}, "Analytical Ltd", "Ada Lovelace"},
		"only_a_person":    {canon.Contact{FirstName: s("Ada"), LastName: s("Lovelace")}, "Ada Lovelace", "Ada Lovelace"},
		"only_a_company":   {canon.Contact{Company: s("Analytical Ltd")}, "Analytical Ltd", "Analytical Ltd"},
		"only_an_email":    {canon.Contact{Email: "a@example.com"}, "a@example.com", "a@example.com"},
		"nothing_at_all":   {canon.Contact{MagentoID: 7}, "Customer 7", "Customer 7"},
		"brackets":         {canon.Contact{Company: s("Enterprise & Sons <Ltd>")}, "Enterprise & Sons Ltd", "Enterprise & Sons Ltd"},
		"only_brackets":    {canon.Contact{Company: s("<>"), Email: "a@example.com"}, "a@example.com", "a@example.com"},
		"spaces":           {canon.Contact{Company: s(" A\t\n B\u00a0\u200b ")}, "A B", "A B"},
		"broken_UTF-8":     {canon.Contact{Company: s("A\xffB")}, "AB", "AB"},
		"too_long_in_runs": {canon.Contact{Company: s(strings.Repeat("雷", 300))}, strings.Repeat("雷", 255), strings.Repeat("雷", 255)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := policy.Default()
			require.Equal(t, test.company, policy.BuyerOf(canon.Invoice{Customer: test.contact}, p).Name)
			p.CustomerNamePriority = "person"
			require.Equal(t, test.person, policy.BuyerOf(canon.Invoice{Customer: test.contact}, p).Name)
		})
	}
}

func Test_Small_orders_of_consumers_are_shared(t *testing.T) {
	t.Parallel()
	company := "Analytical Ltd"
	minimum := decimal.NewFromInt(100)
	for name, test := range map[string]struct {
		settings policy.B2CConsolidation
		company  *string
		total    string
		shared   bool
	}{
		"off":                          {policy.B2CConsolidation{}, nil, "1", false},
		"on":                           {policy.B2CConsolidation{Enabled: true}, nil, "99999", true},
		"below_the_minimum":            {policy.B2CConsolidation{Enabled: true, MinTotalForIndividual: &minimum}, nil, "99.99", true},
		"at_the_minimum":               {policy.B2CConsolidation{Enabled: true, MinTotalForIndividual: &minimum}, nil, "100", false},
		"company":                      {policy.B2CConsolidation{Enabled: true}, &company, "1", true},
		"company_that_stays_by_itself": {policy.B2CConsolidation{Enabled: true, AlwaysIndividualForB2B: true}, &company, "1", false},
		"person_where_companies_stay":  {policy.B2CConsolidation{Enabled: true, AlwaysIndividualForB2B: true}, nil, "1", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := policy.Default()
			p.B2CConsolidation = test.settings
			inv := canontest.Named(t, "plain_vat").Invoice
			inv.Customer.Company, inv.GrandTotal = test.company, decimal.RequireFromString(test.total)
			b := policy.BuyerOf(inv, p)
			require.Equal(t, test.shared, b.Shared)
			if !test.shared {
				require.Equal(t, "1042", b.Key)
				return
			}
			require.Equal(t, policy.Buyer{Key: "web-sales", Shared: true, Name: "Web sales"}, b, "nothing of the person is on it")
		})
	}
}

func Test_Shared_contact_has_the_fallback_name(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	p.B2CConsolidation = policy.B2CConsolidation{Enabled: true, FallbackContactName: "Shop", FallbackContactEmail: "shop@example.com"}
	b := policy.BuyerOf(canontest.Named(t, "plain_vat").Invoice, p)
	require.Equal(t, "Shop", b.Name)
	require.Equal(t, "shop@example.com", b.Email)
}

func Test_Billing_address_comes_first(t *testing.T) {
	t.Parallel()
	inv := canontest.Named(t, "plain_vat").Invoice
	inv.BillingAddress.City, inv.ShippingAddress = "Leeds", nil
	b := policy.BuyerOf(inv, policy.Default())
	require.Len(t, b.Addresses, 2)
	require.Equal(t, "billing", b.Addresses[0].Kind)
	require.Equal(t, "Leeds", b.Addresses[0].City, "the document's before the customer's")
	require.Equal(t, "shipping", b.Addresses[1].Kind)
	require.Equal(t, "London", b.Addresses[1].City, "the customer's where the document has none")
	require.Equal(t, "+44 20 7946 0000", b.Phone)
}

func Test_Buyers_fit_every_ledger(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		inv := canontest.DrawInvoice(t)
		name := rapid.String().Draw(t, "any name")
		if rapid.Bool().Draw(t, "with any name") {
			inv.Customer.Company = &name
		}
		b := policy.BuyerOf(inv, drawPolicy(t))
		require.NotEmpty(t, b.Name)
		require.NotEmpty(t, b.Key)
		require.LessOrEqual(t, len(b.Key), 50)
		require.True(t, utf8.ValidString(b.Name))
		require.LessOrEqual(t, utf8.RuneCountInString(b.Name), 255)
		require.NotContains(t, b.Name, "  ")
		require.Equal(t, strings.TrimSpace(b.Name), b.Name)
		require.False(t, strings.ContainsAny(b.Name, "<>") || strings.ContainsFunc(b.Name, unicode.IsControl))
		require.Equal(t, b.Shared, b.Key == policy.SharedKey)
	})
}

package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
)

func Test_Terms_of_the_customers_group_go_first(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	p.PaymentTermsByGroup = map[string]int{"0": 0, "2": 60}
	group := func(n int64) *canon.Int { g := canon.Int(n); return &g }
	for name, test := range map[string]struct {
		contact  canon.Contact
		days, v2 int
	}{
		"group_with_terms":    {canon.Contact{MagentoID: 7, GroupID: group(2)}, 60, 60},
		"group_without_terms": {canon.Contact{MagentoID: 7, GroupID: group(1)}, 14, 30},
		"customer_no_group":   {canon.Contact{MagentoID: 7}, 14, 30},
		"guest":               {canon.Contact{}, 0, 0},
	} {
		inv := canon.Invoice{Customer: test.contact}
		require.Equal(t, test.days, policy.PaymentTerms(inv, p), name)
		require.Equal(t, test.v2, policy.V2PaymentTerms(inv, p), name)
	}
}

func Test_Number_has_its_prefix_once(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ prefix, id, want string }{
		{"", "100000042", "100000042"},
		{"M-", "100000042", "M-100000042"},
		{"M-", "M-100000042", "M-100000042"},
		{"INV", "INV42", "INV42"},
		{"1", "100042", "1100042"}, // else the id 00042 would get the same number
		{"1", "00042", "100042"},
	} {
		p := policy.Default()
		p.InvoiceNumberPrefix = &test.prefix
		require.Equal(t, test.want, policy.Number(canon.Invoice{IncrementID: test.id}, p))
	}
	require.Equal(t, "7", policy.Number(canon.Invoice{IncrementID: "7"}, policy.Default()))
}

func Test_Reference_names_order_and_purchase_order(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Order 200000053, PO PO-7781", policy.Reference(canontest.Named(t, "paid_b2b_purchase_order").Invoice))
	require.Equal(t, "Order 200000042", policy.Reference(canontest.Named(t, "plain_vat").Invoice))
	require.Empty(t, policy.Reference(canon.Invoice{}))
}

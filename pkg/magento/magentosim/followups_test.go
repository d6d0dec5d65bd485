package magentosim_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/magento/magentosim"
)

func keys(shop *magentosim.Shop) []string {
	all := []string{}
	for _, row := range shop.Outbox() {
		all = append(all, row.Key)
	}
	return all
}

func Test_Each_event_is_in_the_outbox_under_its_key_in_the_order_it_happened(t *testing.T) {
	t.Parallel()
	shop := magentosim.New(magentosim.Config{})
	inv := shop.RaiseInvoice(magentosim.Cart{
		Customer: canon.Contact{MagentoID: 7, Email: "ann@example.com"}, StoreID: 3,
		Items: []magentosim.Item{{SKU: "A", Name: "Rope", Price: decimal.NewFromInt(5), Qty: decimal.NewFromInt(4)}},
	})
	require.NoError(t, shop.MarkPaid(inv.ID))
	for range 2 { // half, then the rest
		left, _ := shop.Left(inv.ID)
		memo, err := shop.RefundInvoice(inv.ID, magentosim.Refund{Quantities: []decimal.Decimal{left[0].Div(decimal.NewFromInt(2)).Ceil()}})
		require.NoError(t, err)
		require.Equal(t, "pending", memo.Chip.Status)
	}
	told, err := shop.EditCustomer(7, map[string]any{"email": "ann@new.example"})
	require.NoError(t, err)
	require.True(t, told)
	_, err = shop.SaveProduct(magentosim.Product{ID: 9, SKU: "A", Name: "Rope"})
	require.NoError(t, err)
	require.Equal(t, []string{
		"invoice.created:1", "invoice.paid:1", "creditmemo.created:1", "creditmemo.created:2", "customer.upserted:7", "product.upserted:9",
	}, keys(shop))
	require.Contains(t, string(shop.Outbox()[2].Body), `"store_id":3`, "the form of a memo has no store")
	require.Equal(t, []int64{1, 2}, shop.MemoIDs())
}

// The shop drops a customer's change while its outbox has a row of that customer:
// until 30 days after that was sent.
func Test_A_second_change_of_a_customer_is_lost_while_the_first_is_in_the_outbox(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	newLedger(t, b)
	b.shop.RaiseInvoice(magentosim.Cart{Customer: canon.Contact{MagentoID: 7, Email: "ann@example.com"}})
	edit := func() bool {
		told, err := b.shop.EditCustomer(7, map[string]any{"last_name": "Lee"})
		require.NoError(t, err)
		return told
	}
	require.True(t, edit())
	require.False(t, edit())
	_, err := b.shop.Drain(t.Context())
	require.NoError(t, err)
	b.pass(29 * 24 * time.Hour)
	require.False(t, edit())
	b.pass(2 * 24 * time.Hour)
	require.True(t, edit())
}

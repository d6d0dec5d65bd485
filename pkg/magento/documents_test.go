package magento_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/magento"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider"
)

// reading is a document other than an invoice; each has the id 1 in followed.
type reading struct {
	route magentosim.Route
	call  func(context.Context, *magento.Client, int64) (json.RawMessage, error)
}

func readings() map[string]reading {
	return map[string]reading{
		"payment": {magentosim.RoutePayment, func(ctx context.Context, c *magento.Client, id int64) (json.RawMessage, error) {
			raw, _, err := c.Payment(ctx, id)
			return raw, err
		}},
		"creditmemo": {magentosim.RouteCreditMemo, func(ctx context.Context, c *magento.Client, id int64) (json.RawMessage, error) {
			raw, _, err := c.CreditMemo(ctx, id)
			return raw, err
		}},
		"customer": {magentosim.RouteCustomer, func(ctx context.Context, c *magento.Client, id int64) (json.RawMessage, error) {
			raw, _, err := c.Customer(ctx, id)
			return raw, err
		}},
		"product": {magentosim.RouteProduct, func(ctx context.Context, c *magento.Client, id int64) (json.RawMessage, error) {
			raw, _, err := c.Product(ctx, id)
			return raw, err
		}},
	}
}

// followed is setup with invoice 2 of customer 1, paid, and refunded by memo 1, and
// product 1.
func followed(t *testing.T) *bundle {
	b := setup(t)
	inv := b.shop.RaiseInvoice(magentosim.Cart{
		Customer: canon.Contact{MagentoID: 1, Email: "ann@example.com"}, PaymentMethod: "stripe_payments", GatewayTxn: "ch_1",
		Items: []magentosim.Item{{SKU: "A", Name: "Rope", Price: decimal.NewFromInt(5), Qty: decimal.NewFromInt(3), TaxPercent: decimal.NewFromInt(20)}},
	})
	require.NoError(t, b.shop.MarkPaid(1))
	require.NoError(t, b.shop.MarkPaid(inv.ID))
	_, err := b.shop.RefundInvoice(inv.ID, magentosim.Refund{Reason: "broken"})
	require.NoError(t, err)
	price := decimal.RequireFromString("5.2500")
	_, err = b.shop.SaveProduct(magentosim.Product{ID: 1, SKU: "A", Name: "Rope", Price: &price})
	require.NoError(t, err)
	return b
}

func Test_Payment_credit_memo_customer_and_product_are_read_as_the_shop_says_them(t *testing.T) {
	t.Parallel()
	b := followed(t)
	raw, payment, err := b.client.Payment(t.Context(), 2)
	require.NoError(t, err)
	require.Equal(t, "18", payment.Amount.String())
	require.Equal(t, "ch_1", *payment.GatewayTxnID)
	require.Equal(t, "stripe_payments", payment.Method)
	require.NotContains(t, string(raw), "gateway_metadata")
	require.NotContains(t, string(raw), "4242", "the gateway's own data is never kept")

	_, memo, err := b.client.CreditMemo(t.Context(), 1)
	require.NoError(t, err)
	require.EqualValues(t, 2, *memo.InvoiceID)
	require.Equal(t, "18", memo.GrandTotal.String())
	require.Equal(t, "broken", *memo.Reason)

	_, customer, err := b.client.Customer(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "ann@example.com", customer.Email)

	_, product, err := b.client.Product(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "5.25", product.Price.String())
	require.Equal(t, []string{"payment 200", "creditmemo 200", "customer 200", "product 200"}, b.observed)
}

// Each of the forms is judged as an invoice is.
func Test_Each_document_fails_as_an_invoice_does(t *testing.T) {
	t.Parallel()
	for name, r := range readings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := followed(t)
			fails := func(kind provider.Kind, faults ...magentosim.Fault) {
				t.Helper()
				b.shop.Inject(r.route, faults...)
				_, err := r.call(t.Context(), b.fresh(t), 1)
				require.Equal(t, kind, failureOf(t, err).Kind)
			}
			fails(provider.Temporary, magentosim.Drops(magentosim.CutHalf))
			fails(provider.Temporary, magentosim.Drops(magentosim.CutReset))
			fails(provider.Temporary, magentosim.Maintenance(503))
			fails(provider.Temporary, magentosim.Maintenance(200))
			fails(provider.Temporary, magentosim.Answers(500, says("oops")))
			fails(provider.Auth, magentosim.Unauthorized(), magentosim.Unauthorized())
			fails(provider.RateLimited, magentosim.Answers(429, says("slow")))
			fails(provider.Bug, magentosim.Answers(200, `{"magento_id":99}`))

			_, err := r.call(t.Context(), b.client, 99)
			gone.check(t, name, err)
			calls := b.shop.Calls(r.route)
			_, err = r.call(t.Context(), b.client, 0)
			require.Equal(t, provider.Bug, failureOf(t, err).Kind, "a guest is nobody to ask for")
			require.Equal(t, calls, b.shop.Calls(r.route))

			b.shop.Inject(r.route, magentosim.Unauthorized())
			raw, err := r.call(t.Context(), b.client, 1)
			require.NoError(t, err, "a 401 is believed the second time")
			b.shop.Inject(r.route, magentosim.Answers(200, "\ufeff"+string(raw)))
			_, err = r.call(t.Context(), b.client, 1)
			require.NoError(t, err, "a byte order mark")
		})
	}
}

func Test_A_document_of_another_id_is_not_taken(t *testing.T) {
	t.Parallel()
	b := followed(t)
	raw, _, err := b.client.Payment(t.Context(), 1)
	require.NoError(t, err)
	b.shop.Inject(magentosim.RoutePayment, magentosim.Answers(200, string(raw)))
	raw, _, err = b.client.Payment(t.Context(), 2)
	require.ErrorContains(t, err, "asked for payment 2, the shop answered with payment 1")
	require.NotEmpty(t, raw)

	b.shop.Inject(magentosim.RoutePayment, magentosim.Answers(200, `{"magento_id":2,"gateway_metadata":{"cc_last_4":"4242"},"amount":"much"}`))
	raw, _, err = b.client.Payment(t.Context(), 2)
	require.Error(t, err)
	require.NotContains(t, string(raw)+err.Error(), "4242", "also where it cannot be understood")
}

package canon_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
)

const memoJSON = `{"magento_id":"9","increment_id":"000000009","invoice_id":4,"invoice_increment_id":"000000004","website_id":1,"currency":"eur",
	"customer":{"magento_id":17,"email":"a@example.com","addresses":[]},
	"lines":[{"sku":"A","name":"Lamp","qty":1,"unit_price":50,"line_subtotal":50,"line_tax":10,"line_total":60},
		{"sku":"A","name":"Lamp","qty":0,"unit_price":0,"line_subtotal":0,"line_tax":0,"line_total":0}],
	"adjustment_positive":1.5,"adjustment_negative":"2.00","grand_total":65.499999999999996,"shipping_amount":5,"shipping_tax_amount":1,
	"reason":"broken","created_at":"2026-04-29T10:11:12Z","invoice_created_at":"2026-04-01T00:00:00Z","base_to_order_rate":null}`

func Test_Credit_memo_is_read_as_the_shop_writes_it(t *testing.T) {
	t.Parallel()
	memo, err := canon.DecodeCreditMemo([]byte(memoJSON))
	require.NoError(t, err)
	require.EqualValues(t, 9, memo.MagentoID)
	require.EqualValues(t, 4, *memo.InvoiceID)
	require.Equal(t, "EUR", memo.Currency)
	require.Equal(t, "65.5", memo.GrandTotal.String(), "the noise of a float")
	require.Equal(t, "2", memo.AdjustmentNegative.String())
	require.Len(t, memo.Lines, 2)
	require.Equal(t, time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), *memo.InvoiceCreatedAt)
	for _, none := range []string{`"invoice_id":null`, `"invoice_id":0`, `"invoice_id":"0"`} {
		memo, err = canon.DecodeCreditMemo([]byte(strings.Replace(memoJSON, `"invoice_id":4`, none, 1)))
		require.NoError(t, err)
		require.Nil(t, memo.InvoiceID, "a refund from the order")
	}
}

func Test_Credit_memo_that_cannot_be_booked_is_refused_by_its_field(t *testing.T) {
	t.Parallel()
	for old, row := range map[string]struct{ to, says string }{
		`"magento_id":"9"`:                      {`"magento_id":0`, "magento_id"},
		`"increment_id":"000000009"`:            {`"increment_id":" "`, "increment_id"},
		`"currency":"eur"`:                      {`"currency":"euro"`, "currency"},
		`"grand_total":65.499999999999996`:      {`"grand_total":null`, "grand_total is missing"},
		`"adjustment_positive":1.5`:             {`"adjustment_positive":-1.5`, "adjustment"},
		`"created_at":"2026-04-29T10:11:12Z"`:   {`"created_at":null`, "created_at"},
		`"base_to_order_rate":null`:             {`"base_to_order_rate":0`, "base_to_order_rate"},
		`"shipping_amount":5`:                   {`"shipping_amount":"much"`, "shipping_amount"},
		`"customer":{"magento_id":17`:           {`"customer":{"magento_id":-1`, "customer"},
		`"invoice_id":4`:                        {`"invoice_id":-4`, "invoice_id"},
		`"reason":"broken"`:                     {"\"reason\":\"\xff\"", "UTF-8"},
		`"grand_total":65.499999999999996,"shi`: {`"grand_total":-1,"shi`, "negative"},
	} {
		require.Contains(t, memoJSON, old)
		_, err := canon.DecodeCreditMemo([]byte(strings.Replace(memoJSON, old, row.to, 1)))
		require.ErrorContains(t, err, row.says, old)
	}
}

const paymentJSON = `{"magento_id":4,"invoice_id":4,"invoice_increment_id":"000000004","method":"stripe_payments","currency":"GBP","amount":12.5,
	"captured_at":"2026-04-01T00:00:00Z","gateway_txn_id":"ch_1","gateway_metadata":{"card":"4242"}}`

func Test_Payment_is_read_without_the_gateways_own_data(t *testing.T) {
	t.Parallel()
	p, err := canon.DecodePayment([]byte(paymentJSON))
	require.NoError(t, err)
	require.Equal(t, "12.5", p.Amount.String())
	require.Equal(t, "ch_1", *p.GatewayTxnID)
	kept := canon.WithoutGatewayData([]byte(paymentJSON))
	require.NotContains(t, string(kept), "4242")
	again, err := canon.DecodePayment(kept)
	require.NoError(t, err)
	require.Equal(t, p, again)
	require.JSONEq(t, "null", string(canon.WithoutGatewayData([]byte("<html>"))))
	for old, says := range map[string]string{`"invoice_id":4`: "differ", `"method":"stripe_payments"`: "method", `"amount":12.5`: "amount is missing"} {
		name, _, _ := strings.Cut(old, ":")
		_, err := canon.DecodePayment([]byte(strings.Replace(paymentJSON, old, name+`:null`, 1)))
		require.ErrorContains(t, err, says)
	}
	_, err = canon.DecodePayment([]byte(strings.Replace(paymentJSON, `12.5`, `-12.5`, 1)))
	require.ErrorContains(t, err, "negative")
}

func Test_Customer_and_product_are_read(t *testing.T) {
	t.Parallel()
	c, err := canon.DecodeCustomer([]byte(`{"magento_id":17,"email":"a@example.com","first_name":"Ada","updated_at":"2026-04-29 10:11:12","addresses":[]}`))
	require.NoError(t, err)
	require.Equal(t, "Ada", *c.FirstName)
	require.Equal(t, 2026, c.UpdatedAt.Year())
	require.Nil(t, c.CreatedAt)
	_, err = canon.DecodeCustomer([]byte(`{"magento_id":0,"email":"a@example.com"}`))
	require.ErrorContains(t, err, "magento_id", "a guest has no customer document")

	p, err := canon.DecodeProduct([]byte(`{"magento_id":3,"sku":42,"name":"Lamp","product_type":"simple","price":"9.99","website_ids":["1",2]}`))
	require.NoError(t, err)
	require.Equal(t, "42", p.SKU)
	require.Equal(t, "9.99", p.Price.String())
	require.Equal(t, []canon.Int{1, 2}, p.WebsiteIDs)
	require.Nil(t, p.SpecialPrice)
	_, err = canon.DecodeProduct([]byte(`{"magento_id":3,"sku":""}`))
	require.ErrorContains(t, err, "sku")
}

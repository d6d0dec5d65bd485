package main

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

// explained is what explain --json says, as far as the tests look.
type explained struct {
	Decision struct {
		Action, Reason string
		Rules          []struct{ Name, Text string }
	}
	Buyer    struct{ Key, Name string }
	Document *struct {
		Number string
		Body   map[string]any
		Total  decimal.Decimal
		Notes  []string
	}
	Payment *struct {
		Date, Reference string
		AccountID       string `json:"account_id"`
		Amount          decimal.Decimal
		Body            map[string]any
	}
	Item *struct {
		Code string
		Body map[string]any
	}
	Refund *struct {
		Action, Reason string
		Rules          []struct{ Text string }
	}
	PolicyVersion int `json:"policy_version"`
	Held          *struct{ Reason, Message string }
	ReferenceAt   *string `json:"reference_at"`
}

// everyRate maps what the samples need.
const everyRate = `{"default_xero_revenue_account_code":"200","sync_zero_value_invoices":false,
	"tax_rate_map":{"20.00":"OUTPUT2","5.00":"RROUTPUT","0.00":"ZERORATEDOUTPUT"}}`

// explainAll explains the seventeen and checks each total.
func (d *desk) explainAll(t *testing.T, binding string) {
	t.Helper()
	posted := 0
	for _, s := range canontest.Samples(t) {
		var e explained
		d.mustJSON(t, &e, "explain", "--binding", binding, "--file", file(t, s.Name+".json", string(s.Raw)))
		require.NotEmpty(t, e.Decision.Rules, s.Name)
		require.NotNil(t, e.ReferenceAt)
		text := d.must(t, "explain", "--binding", binding, "--file", file(t, s.Name+".json", string(s.Raw)))
		require.Contains(t, text, "invoice "+s.Invoice.IncrementID+": ")
		switch {
		case s.Name == "zero_value":
			require.Equal(t, "skip", e.Decision.Action)
			require.Equal(t, "zero_value_invoice", e.Decision.Reason)
			require.Nil(t, e.Document)
			require.Contains(t, text, "nothing would be posted")
		case e.Held != nil:
			require.Nil(t, e.Document)
			require.Contains(t, text, e.Held.Reason)
			require.Contains(t, text, e.Held.Message)
		default:
			posted++
			require.Equal(t, "post", e.Decision.Action, s.Name)
			require.Len(t, e.Decision.Rules, 5, "all were asked")
			require.True(t, s.Invoice.GrandTotal.Equal(e.Document.Total), "%s: %s", s.Name, e.Document.Total)
			require.NotEmpty(t, e.Document.Body)
			require.NotEmpty(t, e.Document.Notes)
			require.Contains(t, text, "the shop's grand total "+s.Invoice.GrandTotal.StringFixed(2))
		}
	}
	require.Equal(t, 16, posted, "all but the one of no value")
}

func Test_Explain_builds_every_sample_and_posts_nothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.must(t, "binding", "policy", "set", d.binding, "--file", file(t, "p.json", everyRate))
	before, asked := d.xero.AllCalls(), d.shop.Calls("invoice")
	keyless := d.with(map[string]string{"TOWPATH_SECRET_KEY": ""})
	keyless.explainAll(t, d.binding)
	require.Equal(t, before, d.xero.AllCalls())
	require.Equal(t, asked, d.shop.Calls("invoice"))
	require.Empty(t, d.xero.Invoices())
}

func Test_Explain_builds_every_sample_on_wire_v2(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	ledger := freeagentsim.New(freeagentsim.Config{})
	server := httptest.NewServer(ledger)
	t.Cleanup(server.Close)
	var binding struct{ ID string }
	d.mustJSON(t, &binding, "binding", "create", "--tenant", d.tenant, "--provider", "freeagent", "--api-url", server.URL, "--token", "a-token")
	d.must(t, "binding", "policy", "set", binding.ID, "--file", file(t, "p.json",
		`{"sync_zero_value_invoices":false,"default_income_category_url":"`+server.URL+`/v2/categories/001"}`))
	d.explainAll(t, binding.ID)
	require.Empty(t, ledger.Invoices())
	require.Empty(t, ledger.Contacts())
}

func Test_Explain_says_what_is_missing(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	var e explained
	invoice := file(t, "mixed.json", string(sample(t, "mixed_rates")))
	d.mustJSON(t, &e, "explain", "--binding", d.binding, "--file", invoice)
	require.Equal(t, "tax_rate_not_mapped", e.Held.Reason)
	text := d.must(t, "explain", "--binding", d.binding, "--file", invoice)
	require.Contains(t, text, "invoice "+canontest.Named(t, "mixed_rates").Invoice.IncrementID+": hold tax_rate_not_mapped\n")
	require.Contains(t, text, "held: tax_rate_not_mapped")
	require.NotContains(t, text, "\nbody")
}

func Test_Explain_says_where_the_file_is_no_JSON(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	said := d.run(t, "explain", "--binding", d.binding, "--file", file(t, "broken.json", "{\n  \"magento_id\": 7,\n  \"lines\": [,]\n}"))
	require.Equal(t, 2, said.code)
	require.Contains(t, said.err, "line 3, column 13: invalid character ','")
}

// followUps are settings under which everything is written that can be.
const followUps = `{"default_xero_revenue_account_code":"200","tax_rate_map":{"20.00":"OUTPUT2","0.00":"ZERORATEDOUTPUT"},
	"payment_method_map":{"checkmo":"00000000-0000-4000-8000-000000000090"},"sync_customers":true,"sync_products":true}`

func Test_Explain_knows_every_event(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	_, err := d.pool.Exec(t.Context(), "UPDATE bindings SET reference = NULL, reference_at = NULL") // no bank account is checked
	require.NoError(t, err)
	_, err = d.pool.Exec(t.Context(), "UPDATE policies SET policy = $1", followUps)
	require.NoError(t, err)
	before := d.xero.AllCalls()
	explain := func(event, canonical string) (e explained, text string) {
		args := []string{"explain", "--binding", d.binding, "--event", event, "--file", file(t, "c.json", canonical)}
		d.mustJSON(t, &e, args...)
		return e, d.must(t, args...)
	}
	memo, text := explain("creditmemo.created", string(canon.EncodeCreditMemo(canontest.Memos()[0].Memo)))
	require.Equal(t, "900000009", memo.Document.Number)
	require.Contains(t, memo.Document.Body, "CreditNotes")
	require.Contains(t, text, "credit memo 900000009: post\n")
	require.Contains(t, text, "the shop's grand total 144.00")

	const payment = `{"magento_id":7,"invoice_id":7,"invoice_increment_id":"700000007","method":"%s","currency":"GBP","amount":"12.50","captured_at":"2026-05-04T09:00:00Z"}`
	paid, text := explain("invoice.paid", fmt.Sprintf(payment, "checkmo"))
	require.Equal(t, "2026-05-04", paid.Payment.Date)
	require.Equal(t, "00000000-0000-4000-8000-000000000090", paid.Payment.AccountID)
	require.Contains(t, paid.Payment.Body, "Payments")
	require.Contains(t, text, "payment of invoice 700000007: post\n")
	require.Contains(t, text, "12.50 GBP on 2026-05-04")
	held, text := explain("invoice.paid", fmt.Sprintf(payment, "braintree"))
	require.Nil(t, held.Payment)
	require.Equal(t, "hold", held.Decision.Action)
	require.Contains(t, text, "payment of invoice 700000007: hold payment_method_not_mapped\n")

	customer, text := explain("customer.upserted", `{"magento_id":42,"email":"ada@example.com","first_name":"Ada","last_name":"Byron"}`)
	require.Equal(t, "post", customer.Decision.Action)
	require.Equal(t, "42", customer.Buyer.Key)
	require.Contains(t, text, `"email": "ada@example.com"`)
	product, text := explain("product.upserted", `{"magento_id":3,"sku":"ROPE","name":"Mooring rope","price":"12.00"}`)
	require.Equal(t, "ROPE", product.Item.Code)
	require.Contains(t, product.Item.Body, "Items")
	require.Contains(t, text, "product ROPE: post\n")
	require.Equal(t, before, d.xero.AllCalls())
}

func Test_Explain_of_a_run_asks_the_policy_that_is_pinned_to_it(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.serve(t)
	d.shop.RaiseInvoice(demo.Cart())
	id := d.send(t)
	until(t, "succeeded", func() bool { return d.status(t, id) == "succeeded" })
	d.must(t, "binding", "policy", "set", d.binding, "--yes", "--file", file(t, "p.json", `{"default_xero_revenue_account_code":"200","invoice_number_prefix":"NEW-"}`))
	var e explained
	d.mustJSON(t, &e, "explain", "--run", id)
	require.Len(t, d.xero.Invoices(), 1)
	require.Equal(t, d.xero.Invoices()[0].Number, e.Document.Number, "without the new prefix")
	require.Equal(t, 2, e.PolicyVersion)
	require.Contains(t, d.must(t, "explain", "--run", id), "policy version 2")

	none := d.run(t, "explain", "--run", d.binding)
	require.Equal(t, exitFailed, none.code)
	require.Contains(t, none.err, "there is no run "+d.binding)
	require.Equal(t, exitUsage, d.run(t, "explain", "--run", id, "--binding", d.binding).code)
	require.Equal(t, exitUsage, d.run(t, "explain", "--binding", d.binding).code)
}

func Test_Explain_of_a_credit_memos_run_says_where_the_money_goes(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.must(t, "binding", "policy", "set", d.binding, "--yes", "--file", file(t, "p.json",
		`{"default_xero_revenue_account_code":"200","tax_rate_map":{"20.00":"OUTPUT2","0.00":"ZERORATEDOUTPUT"},"payment_method_map":{"checkmo":null}}`))
	d.serve(t)
	invoice := d.shop.RaiseInvoice(demo.Cart())
	d.send(t)
	memo, err := d.shop.RefundInvoice(invoice.ID, magentosim.Refund{AdjustmentPositive: decimal.NewFromInt(5)})
	require.NoError(t, err)
	var done filled
	d.mustJSON(t, &done, "backfill", "--binding", d.binding, "--event", "creditmemo.created", "--ids", fmt.Sprint(memo.ID), "--wait")
	require.Equal(t, map[string]int{"succeeded": 1}, done.Runs)
	var runs []listed
	d.mustJSON(t, &runs, "runs", "list", "--event", "creditmemo.created")
	var e explained
	d.mustJSON(t, &e, "explain", "--run", runs[0].ID)
	require.True(t, memo.GrandTotal.Equal(e.Document.Total))
	require.Equal(t, "skip", e.Refund.Action)
	require.Contains(t, d.must(t, "explain", "--run", runs[0].ID), "payment method checkmo is mapped to null")
}

package policy_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

func pointer[T any](v T) *T { return &v }

func payment() canon.Payment {
	return canon.Payment{
		MagentoID: 4, InvoiceID: 4, InvoiceIncrementID: "000000004", Method: "stripe_payments", Currency: "GBP",
		Amount: decimal.RequireFromString("12.5"), CapturedAt: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), GatewayTxnID: pointer("ch_1"),
	}
}

func banks(of map[string]*string, otherwise *string) policy.Policy {
	p := policy.Default()
	p.PaymentMethodMap, p.DefaultBankAccountID = of, otherwise
	return p
}

func Test_Payment_goes_to_the_account_of_its_method(t *testing.T) {
	t.Parallel()
	paid := time.Date(2026, 5, 9, 8, 0, 0, 0, time.UTC)
	mapped := map[string]*string{"stripe_payments": pointer("stripe"), "checkmo": nil}
	for name, c := range map[string]struct {
		method  string
		pol     policy.Policy
		action  policy.Action
		reason  string
		account string
		rule    string
	}{
		"mapped":                  {"stripe_payments", banks(mapped, pointer("bank")), policy.Post, "", "stripe", "payment_method_map"},
		"not mapped, a default":   {"banktransfer", banks(mapped, pointer("bank")), policy.Post, "", "bank", "default_bank_account_id"},
		"null goes before it":     {"checkmo", banks(mapped, pointer("bank")), policy.Skip, "payment_method_not_mapped", "", "payment_method_map"},
		"not mapped, no default":  {"banktransfer", banks(mapped, nil), policy.Hold, provider.HeldMethodNotMapped, "", "payment_method_map"},
		"an empty map, a default": {"banktransfer", banks(nil, pointer("bank")), policy.Post, "", "bank", "default_bank_account_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pay := payment()
			pay.Method = c.method
			d := policy.DecidePayment(pay, paid, c.pol)
			require.Equal(t, c.action, d.Action)
			require.Equal(t, c.reason, d.Reason)
			require.Equal(t, c.account, d.AccountID)
			last := d.Rules[len(d.Rules)-1]
			require.Equal(t, c.rule, last.Name)
			require.Equal(t, c.action != policy.Post, last.Hit)
			require.Contains(t, last.Text, c.method)
			require.Equal(t, "12.5", d.Amount.String())
			require.Equal(t, "ch_1", d.Reference)
			require.Equal(t, paid, d.At)
		})
	}
}

// The form's captured_at is the invoice's creation, also where it was paid weeks
// later.
func Test_Payment_is_dated_when_the_event_says_that_it_came(t *testing.T) {
	t.Parallel()
	pay, pol := payment(), banks(nil, pointer("bank"))
	weeks := pay.CapturedAt.Add(21 * 24 * time.Hour)
	require.Equal(t, weeks, policy.DecidePayment(pay, weeks, pol).At)
	require.Equal(t, pay.CapturedAt, policy.DecidePayment(pay, time.Time{}, pol).At, "asked for by id, without an event")
	require.Equal(t, pay.CapturedAt, policy.DecidePayment(pay, pay.CapturedAt.Add(-time.Hour), pol).At, "never before the invoice")
}

func Test_Nothing_to_pay_is_skipped_whatever_is_mapped(t *testing.T) {
	t.Parallel()
	pay := payment()
	pay.Amount = decimal.Zero
	d := policy.DecidePayment(pay, time.Time{}, banks(nil, nil))
	require.Equal(t, policy.Skip, d.Action)
	require.Equal(t, "zero_value_payment", d.Reason)
}

func Test_Payment_without_a_transaction_is_found_by_the_invoices_number(t *testing.T) {
	t.Parallel()
	pay := payment()
	pay.GatewayTxnID = pointer(" \u202e ")
	require.Equal(t, "000000004", policy.DecidePayment(pay, time.Time{}, banks(nil, pointer("bank"))).Reference)
}

func Test_Refund_goes_back_from_the_account_of_the_invoices_method(t *testing.T) {
	t.Parallel()
	memo := canon.CreditMemo{IncrementID: "300000001", Currency: "GBP", GrandTotal: decimal.NewFromInt(5), CreatedAt: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	mapped := map[string]*string{"stripe_payments": pointer("stripe"), "checkmo": nil}
	d := policy.DecideRefund(memo, "stripe_payments", banks(mapped, nil))
	require.Equal(t, policy.Post, d.Action)
	require.Equal(t, "stripe", d.AccountID)
	require.Equal(t, "300000001", d.Reference)
	require.Equal(t, memo.CreatedAt, d.At)
	require.Equal(t, policy.Skip, policy.DecideRefund(memo, "checkmo", banks(mapped, pointer("bank"))).Action, "it stays a credit")
	require.Equal(t, "bank", policy.DecideRefund(memo, "", banks(mapped, pointer("bank"))).AccountID, "a memo of an order")
	d = policy.DecideRefund(memo, "", banks(mapped, nil))
	require.Equal(t, policy.Hold, d.Action)
	require.Equal(t, provider.HeldMethodNotMapped, d.Reason)
	memo.GrandTotal = decimal.Zero
	require.Equal(t, "zero_value_payment", policy.DecideRefund(memo, "stripe_payments", banks(mapped, nil)).Reason)
}

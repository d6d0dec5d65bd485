package policy

import (
	"time"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/provider"
)

// PaymentDecision is what becomes of a payment, or of the money of a refund. The
// fields below Decision are set where it is posted.
type PaymentDecision struct {
	Decision
	Refund    bool            `json:"refund"`
	AccountID string          `json:"account_id"` // that it comes to or goes from
	At        time.Time       `json:"at"`         // its day is that of the organisation
	Amount    decimal.Decimal `json:"amount"`
	Reference string          `json:"reference"`
}

// DecidePayment asks whether money came, and to which account. occurredAt is when
// the shop's event says that the invoice turned paid; the form's own captured_at is
// the invoice's creation, and stands in only where the event says nothing, or
// something earlier. Whether the invoice itself is in the ledger is for the caller
// to know.
func DecidePayment(payment canon.Payment, occurredAt time.Time, p Policy) PaymentDecision {
	amount := payment.Amount.StringFixed(2) + " " + payment.Currency
	if payment.Amount.IsZero() {
		return PaymentDecision{Decision: outcome(Skip, SkipZeroPayment, Rule{"amount", true, "nothing was paid in money"})}
	}
	d := PaymentDecision{
		Decision: Decision{Action: Post, Rules: []Rule{{"amount", false, amount + " was paid"}}},
		At:       payment.CapturedAt, Amount: payment.Amount, Reference: paymentReference(payment),
	}
	if occurredAt.After(d.At) {
		d.At = occurredAt
	}
	return d.from(payment.Method, p)
}

// DecideRefund asks from which account the money of a credit memo goes back: that
// of the payment method of its invoice. method is empty where nobody knows it, as
// for a memo that was made from the order. What is skipped stays as a credit.
func DecideRefund(memo canon.CreditMemo, method string, p Policy) PaymentDecision {
	amount := memo.GrandTotal.StringFixed(2) + " " + memo.Currency
	if memo.GrandTotal.IsZero() {
		return PaymentDecision{Decision: outcome(Skip, SkipZeroPayment, Rule{"amount", true, "no money went back"})}
	}
	d := PaymentDecision{
		Decision: Decision{Action: Post, Rules: []Rule{{"amount", false, "at most " + amount + " went back"}}},
		Refund:   true, At: memo.CreatedAt, Amount: memo.GrandTotal, Reference: CleanName(memo.IncrementID),
	}
	return d.from(method, p)
}

// Payment is what was decided, on a document that was posted in that currency. day is
// At's, YYYY-MM-DD, where the organisation is. A refund may be less than what the
// memo came to by any amount: what was allocated to the invoice does not go back.
func (d PaymentDecision) Payment(on provider.Posted, currency, day string, p Policy) provider.Payment {
	payment := provider.Payment{
		DocumentID: on.ID, Number: on.Number, Refund: d.Refund, AccountID: d.AccountID, Date: day, Amount: d.Amount,
		Tolerance: p.RoundingTolerance, Currency: currency, Reference: d.Reference,
	}
	if d.Refund {
		payment.Tolerance = d.Amount
	}
	return payment
}

// from finds the account of a payment method: the map's, else the default.
func (d PaymentDecision) from(method string, p Policy) PaymentDecision {
	account, mapped := p.PaymentMethodMap[method]
	known := "payment method " + method
	if method == "" {
		known = "a payment method that nobody knows"
	}
	switch {
	case mapped && account == nil:
		d.Action, d.Reason = Skip, SkipPaymentMethod
		d.Rules = append(d.Rules, Rule{"payment_method_map", true, known + " is mapped to null: what is open in the ledger is left open"})
	case mapped:
		d.AccountID = *account
		d.Rules = append(d.Rules, Rule{"payment_method_map", false, known + " is mapped to account " + *account})
	case p.DefaultBankAccountID != nil:
		d.AccountID = *p.DefaultBankAccountID
		d.Rules = append(d.Rules, Rule{"default_bank_account_id", false, known + " is not mapped, the default is account " + d.AccountID})
	case method == "":
		d.Action, d.Reason = Hold, provider.HeldMethodNotMapped
		d.Rules = append(d.Rules, Rule{"default_bank_account_id", true, "nobody knows how the buyer paid, and there is no default_bank_account_id: " +
			"set it to the account that such money comes from"})
	default:
		d.Action, d.Reason = Hold, provider.HeldMethodNotMapped
		d.Rules = append(d.Rules, Rule{"payment_method_map", true, known + " is not mapped and there is no default_bank_account_id: " +
			"add it to payment_method_map, with null to leave such invoices open"})
	}
	if d.Action != Post {
		d.AccountID = ""
	}
	return d
}

// paymentReference is what a bank's statement can be matched by: the gateway's
// transaction, else the invoice's number.
func paymentReference(payment canon.Payment) string {
	if txn := CleanName(text(payment.GatewayTxnID)); txn != "" {
		return txn
	}
	return CleanName(payment.InvoiceIncrementID)
}

// outcome is a decision that one rule made.
func outcome(action Action, reason string, rule Rule) Decision {
	return Decision{Action: action, Reason: reason, Rules: []Rule{rule}}
}

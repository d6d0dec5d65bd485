package xero

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// maxPaymentReference is below the 300 characters that Xero has been seen to take.
const maxPaymentReference = 255

// paymentBody is money for an invoice, or back for a credit note: exactly one of
// the two is named. It is never marked as reconciled: that is the bank feed's.
type paymentBody struct {
	Invoice    *invoiceRef    `json:",omitempty"`
	CreditNote *creditNoteRef `json:",omitempty"`
	Account    accountRef
	Date       string
	Amount     json.Number
	Reference  string
}

type invoiceRef struct{ InvoiceID string }

type creditNoteRef struct{ CreditNoteID string }

type accountRef struct{ AccountID string }

// PaymentOf is the payment that d decided on, for the invoice with that id and
// number, in that currency. It is pure; an account that takes no payments, or a day
// in a locked period, is Held.
func PaymentOf(d policy.PaymentDecision, invoiceID, number, currency string, pol policy.Policy, ref provider.Reference) (provider.Payment, error) {
	p, err := moneyOf(d, invoiceID, number, currency, pol, ref)
	if err != nil {
		return provider.Payment{}, err
	}
	p.Body, err = p.body(func(b *paymentBody) { b.Invoice = &invoiceRef{invoiceID} })
	return p.Payment, err
}

// RefundOf is PaymentOf for what goes back for a credit note: all that is left of
// it, at most what d says.
func RefundOf(d policy.PaymentDecision, creditNoteID, number, currency string, pol policy.Policy, ref provider.Reference) (provider.Payment, error) {
	p, err := moneyOf(d, creditNoteID, number, currency, pol, ref)
	if err != nil {
		return provider.Payment{}, err
	}
	// What was allocated to the invoice does not go back, however much it is.
	p.Tolerance = p.Amount
	p.Body, err = p.body(func(b *paymentBody) { b.CreditNote = &creditNoteRef{creditNoteID} })
	return p.Payment, err
}

type payment struct{ provider.Payment }

func moneyOf(d policy.PaymentDecision, id, number, currency string, pol policy.Policy, ref provider.Reference) (payment, error) {
	reference := cut(clean(d.Reference), maxPaymentReference)
	p := payment{provider.Payment{
		DocumentID: id, Number: number, AccountID: d.AccountID, Date: d.At.In(location(ref.Organisation.Timezone)).Format(time.DateOnly),
		Amount: money(d.Amount), Tolerance: pol.RoundingTolerance, Currency: currency, Reference: reference,
	}}
	switch {
	case !p.Amount.IsPositive():
		return payment{}, refused("a payment must be more than nothing")
	case reference == "":
		return payment{}, refused("a payment without a reference could not be found again")
	}
	if !p.Amount.Equal(d.Amount) {
		p.Notes = append(p.Notes, "the shop's amount is "+d.Amount.String()+", rounded to pence")
	}
	if err := checkBank(d.AccountID, ref); err != nil {
		return payment{}, err
	}
	return p, checkDay(p.Date, "the payment", ref.Organisation)
}

func (p payment) body(of func(*paymentBody)) (json.RawMessage, error) {
	b := paymentBody{Account: accountRef{p.AccountID}, Date: p.Date, Amount: number(p.Amount, 2), Reference: p.Reference}
	of(&b)
	body, err := json.Marshal(map[string][]paymentBody{"Payments": {b}})
	if err != nil {
		return nil, &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "encode payment", Err: err}
	}
	return body, nil
}

// checkBank holds what Xero would refuse by what it told: an account must be of
// type BANK or have payments enabled.
func checkBank(id string, ref provider.Reference) error {
	if ref.Accounts == nil {
		return nil
	}
	for _, a := range ref.Accounts {
		if !strings.EqualFold(a.ID, id) {
			continue
		}
		name := "account " + strconv.Quote(a.Name) + " of payment_method_map or default_bank_account_id "
		switch {
		case a.Status != "ACTIVE" && a.Status != "":
			return held(reasonAccountArchived, name+"is archived in Xero: restore it there, or choose another in the settings"+goesOn)
		case a.Type != "BANK" && !a.EnablePayments:
			return held(reasonAccountInvalid, name+"takes no payments: enable payments to it in Xero, or choose another in the settings"+goesOn)
		}
		return nil
	}
	return held(reasonAccountInvalid, "account "+id+" of payment_method_map or default_bank_account_id is not in Xero's chart of accounts: choose another in the settings"+goesOn)
}

// checkDay holds what lies in a locked period: on the later of the two lock dates or
// before.
func checkDay(day, what string, org provider.Organisation) error {
	locked := max(org.PeriodLockDate, org.EndOfYearLockDate)
	if locked == "" || day > locked {
		return nil
	}
	return held(reasonPeriodLocked, what+" is dated "+day+", but Xero takes nothing dated "+locked+
		" or before: move the lock date in Xero (Financial settings)"+goesOn)
}

// ofAmount is the one element of a payment's body, with that amount.
func ofAmount(body json.RawMessage, amount decimal.Decimal) (json.RawMessage, error) {
	var b paymentBody
	if err := json.Unmarshal(loneElement(body, "Payments"), &b); err != nil {
		return nil, err
	}
	b.Amount = number(amount, 2)
	return json.Marshal(b)
}

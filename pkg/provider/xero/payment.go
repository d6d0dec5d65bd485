package xero

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

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

// Day is the calendar day of at where the organisation is.
func (c *Client) Day(at time.Time, ref provider.Reference) string {
	return at.In(location(ref.Organisation.Timezone)).Format(time.DateOnly)
}

// Payment is p with its body, its amount in pence and its reference as Xero takes
// them. It makes no call; an account that takes no payments, or a day in a locked
// period, is Held.
func (c *Client) Payment(p provider.Payment, ref provider.Reference) (provider.Payment, error) {
	asked := p.Amount
	p.Amount, p.Reference = money(p.Amount), cut(clean(p.Reference), maxPaymentReference)
	switch {
	case !p.Amount.IsPositive():
		return p, refused("a payment must be more than nothing")
	case p.Reference == "":
		return p, refused("a payment without a reference could not be found again")
	}
	if !p.Amount.Equal(asked) {
		p.Notes = append(p.Notes, "the shop's amount is "+asked.String()+", rounded to pence")
	}
	if err := checkBank(p.AccountID, ref); err != nil {
		return p, err
	}
	if err := checkDay(p.Date, "the payment", "", ref.Organisation); err != nil {
		return p, err
	}
	body := paymentBody{Account: accountRef{p.AccountID}, Date: p.Date, Amount: number(p.Amount, 2), Reference: p.Reference}
	if p.Refund {
		body.CreditNote = &creditNoteRef{p.DocumentID}
	} else {
		body.Invoice = &invoiceRef{p.DocumentID}
	}
	raw, err := json.Marshal(map[string][]paymentBody{"Payments": {body}})
	if err != nil {
		return p, &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "encode payment", Err: err}
	}
	p.Body = raw
	return p, nil
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

// ofAmount is the one element of a payment's body, with that amount.
func ofAmount(body json.RawMessage, amount decimal.Decimal) (json.RawMessage, error) {
	var b paymentBody
	if err := json.Unmarshal(loneElement(body, "Payments"), &b); err != nil {
		return nil, err
	}
	b.Amount = number(amount, 2)
	return json.Marshal(b)
}

package freeagent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/shopspring/decimal"

	"towpath/pkg/provider"
)

type paymentEnvelope struct {
	Explanation paymentBody `json:"bank_transaction_explanation"`
}

// paymentBody explains a bank transaction that it makes by an invoice, or by a
// credit note where money goes back. It has no tax: that is the document's.
type paymentBody struct {
	BankAccount string `json:"bank_account"`
	DatedOn     string `json:"dated_on"`
	Gross       string `json:"gross_value"` // in the account's currency; below zero: money out
	PaidInvoice string `json:"paid_invoice"`
	Description string `json:"description"`
}

type paymentAnswer struct {
	URL         string `json:"url"`
	DatedOn     string `json:"dated_on"`
	Gross       amount `json:"gross_value"`
	PaidInvoice string `json:"paid_invoice"`
	Description string `json:"description"`
}

// Payment is p with its body, and its amount in pence. It makes no call. It fails
// Held where the account cannot take it as things are: it is hidden, or in another
// currency, for the wire would want a rate that nobody has told.
func (c *Client) Payment(p provider.Payment, ref provider.Reference) (provider.Payment, error) {
	asked := p.Amount
	if p.Amount = p.Amount.Round(2); !p.Amount.IsPositive() {
		return p, &provider.Failure{Kind: provider.Refused, Code: provider.CodeValidation, Message: "a payment must be more than nothing"}
	}
	if !p.Amount.Equal(asked) {
		p.Notes = append(p.Notes, "the shop's amount is "+asked.String()+", rounded to pence")
	}
	for _, a := range ref.Accounts {
		switch {
		case !sameResource(a.ID, p.AccountID):
		case a.Status != "ACTIVE":
			return p, held(provider.HeldAccountArchived, fmt.Sprintf("the bank account %q is hidden in the ledger: show it there, or choose another in payment_method_map or default_bank_account_id", a.Name))
		case a.Currency != "" && a.Currency != p.Currency:
			return p, held(provider.HeldAccountInvalid, fmt.Sprintf("the payment is in %s and the bank account %q in %s: choose one in %s in payment_method_map", p.Currency, a.Name, a.Currency, p.Currency))
		}
	}
	body, err := encode(paymentOf(p, p.Amount))
	p.Body = body
	return p, err
}

func paymentOf(p provider.Payment, amount decimal.Decimal) paymentEnvelope {
	if p.Refund {
		amount = amount.Neg()
	}
	return paymentEnvelope{paymentBody{
		BankAccount: p.AccountID, DatedOn: p.Date, Gross: amount.StringFixed(2), PaidInvoice: p.DocumentID, Description: bankText(p),
	}}
}

// bankText is what the bank's page shows, and what a payment is found by.
func bankText(p provider.Payment) string {
	if text := cleanText(p.Reference, maxField); text != "" {
		return text
	}
	return cleanText(kindOf(p).words+" "+p.Number, maxField)
}

// kindOf is that of the document that p is on.
func kindOf(p provider.Payment) kind {
	if p.Refund {
		return creditNotes()
	}
	return invoices()
}

// EnsurePayments makes each payment, once; in the set's order, one after another:
// a call that reads the document, and one that pays it. What comes after a failure
// is as for EnsureInvoices.
//
// If the create was not permitted, or failed before it reached the ledger: nothing
// happened. If its answer is lost, or the process dies after it: the caller comes
// again with try.Uncertain, and the payment is looked for before anything is
// written; it also is where the document shows that something was paid.
//
// A document that is settled already takes nothing: the outcome is Settled. A
// draft and a void one are Held, and so is an amount that exceeds what is open by
// more than the tolerance.
func (c *Client) EnsurePayments(ctx context.Context, set []provider.Item[provider.Payment]) []provider.Outcome[provider.Posted] {
	return inTurn(ctx, set, func(ctx context.Context, p provider.Payment, try provider.Try) provider.Outcome[provider.Posted] {
		made, notes, err := c.ensurePayment(ctx, p, try)
		if err != nil {
			return provider.Outcome[provider.Posted]{Err: err}
		}
		return provider.Outcome[provider.Posted]{Value: made, Notes: notes}
	})
}

func (c *Client) ensurePayment(ctx context.Context, p provider.Payment, try provider.Try) (provider.Posted, []string, error) {
	doc, err := c.standing(ctx, kindOf(p), p.DocumentID)
	if try.Look && isHeld(err, provider.HeldDocumentVoid) {
		return provider.Posted{Absent: true}, nil, nil // with what it belonged to
	}
	if err != nil {
		return provider.Posted{}, nil, err
	}
	if try.Uncertain || try.Look || doc.touched {
		if found, err := c.findPayment(ctx, p, doc, try); err != nil || found != nil {
			return paid(p, found, true), nil, err
		}
	}
	if try.Look {
		return provider.Posted{Absent: true}, nil, nil
	}
	if err := doc.takes("payment"); err != nil {
		return provider.Posted{}, nil, err
	}
	if doc.State == provider.StateSettled {
		return doc.settled(), []string{"nothing is open on " + doc.Number + " in the ledger: somebody else has settled it"}, nil
	}
	amount, notes, err := payable(p, doc)
	if err != nil {
		return provider.Posted{}, nil, err
	}
	body, err := encode(paymentOf(p, amount))
	if err != nil {
		return provider.Posted{}, nil, err
	}
	a, err := c.must(ctx, call{operation: opPaymentCreate, method: http.MethodPost, path: "/bank_transaction_explanations", body: body})
	if err != nil {
		return provider.Posted{}, nil, err
	}
	var read struct {
		Explanation paymentAnswer `json:"bank_transaction_explanation"`
	}
	_ = json.Unmarshal(a.body, &read) // a body that is no JSON leaves Location
	if read.Explanation.URL, err = c.createdURL(a, read.Explanation.URL); err != nil {
		return provider.Posted{}, nil, unlocated("the payment was made, but the ledger does not say where", err)
	}
	read.Explanation.Gross.NullDecimal = decimal.NewNullDecimal(amount)
	return paid(p, &read.Explanation, false), notes, nil
}

// payable is how much of p the document takes, and what is to be said of the rest.
func payable(p provider.Payment, doc standing) (decimal.Decimal, []string, error) {
	open := doc.Open.Decimal
	over := p.Amount.Sub(open)
	switch {
	case doc.Currency != "" && doc.Currency != p.Currency:
		return open, nil, &provider.Failure{Kind: provider.Refused, Code: provider.CodeValidation,
			Message: fmt.Sprintf("the payment is in %s, and %s in the ledger in %s", p.Currency, doc.Number, doc.Currency)}
	case !over.IsPositive():
		return p.Amount, nil, nil
	case over.GreaterThan(p.Tolerance):
		return open, nil, held(provider.HeldAmountExceedsDue, fmt.Sprintf("%s %s is more than the %s that are open on %s in the ledger: change what was set against it there, or raise rounding_tolerance",
			p.Amount.StringFixed(2), p.Currency, open.StringFixed(2), doc.Number))
	}
	return open, []string{fmt.Sprintf("%s of %s %s are written, which is what is open on %s in the ledger",
		open.StringFixed(2), p.Amount.StringFixed(2), p.Currency, doc.Number)}, nil
}

// findPayment looks for p among the payments of its account, and where an earlier
// try may have been made under other settings, and something was paid, of all
// accounts: the wire lists them by account only. Each list begins with the
// document's day, or the payment's where that is earlier.
func (c *Client) findPayment(ctx context.Context, p provider.Payment, doc standing, try provider.Try) (*paymentAnswer, error) {
	var found *paymentAnswer
	var err error
	if p.AccountID != "" { // the settings name none any more where it is only looked for
		found, err = c.findPaymentOn(ctx, p, p.AccountID, min(doc.Date, p.Date))
	}
	if found != nil || err != nil || !try.Uncertain && !try.Look || !doc.touched {
		return found, err
	}
	var others []string
	err = list(ctx, c, opBankAccounts, "bank_accounts", nil, func(a struct {
		URL string `json:"url"`
	}) bool {
		if !sameResource(a.URL, p.AccountID) {
			others = append(others, a.URL)
		}
		return true
	})
	for i := 0; err == nil && found == nil && i < len(others); i++ {
		found, err = c.findPaymentOn(ctx, p, others[i], min(doc.Date, p.Date))
	}
	return found, err
}

// findPaymentOn: ours is for p's document, and has its description, or on its day
// its whole amount. Filters are checked again, since the server may ignore them.
func (c *Client) findPaymentOn(ctx context.Context, p provider.Payment, account, since string) (*paymentAnswer, error) {
	var ours *paymentAnswer
	query := from(since)
	query.Set("bank_account", account)
	err := list(ctx, c, opPaymentList, "bank_transaction_explanations", query, func(a paymentAnswer) bool {
		if !sameResource(a.PaidInvoice, p.DocumentID) || idOf(a.URL) == "" {
			return true
		}
		if a.Description == bankText(p) || a.DatedOn == p.Date && a.Gross.Valid && a.Gross.Decimal.Abs().Equal(p.Amount) {
			ours = &a
		}
		return ours == nil
	})
	return ours, err
}

// from asks for what is not older than a day; for all where it is not known.
func from(day string) url.Values {
	if day == "" {
		return url.Values{}
	}
	return url.Values{"from_date": {day}}
}

// paid is found, or made, as what was posted. A payment names the document that it
// is for, and that is the run's own: so it is proven. Its address is longer than
// what the shop keeps of an id, so the id is without the host.
func paid(p provider.Payment, a *paymentAnswer, adopted bool) provider.Posted {
	if a == nil {
		return provider.Posted{}
	}
	posted := provider.Posted{
		ID: "bank_transaction_explanations/" + idOf(a.URL), Number: p.Number, URL: a.URL, Status: "Paid", Adopted: adopted, Proven: adopted,
	}
	if a.Gross.Valid {
		posted.Total = decimal.NewNullDecimal(a.Gross.Decimal.Abs())
	}
	return posted
}

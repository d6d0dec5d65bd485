package riverjobs

import (
	"context"
	"encoding/json"
	"fmt"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// payment is money that came for an invoice, on its way to the ledger.
type payment struct {
	canon.Payment
	of provider.Posted
}

func (p *payment) invoiceOf() int64          { return int64(p.InvoiceID) }
func (p *payment) numberOf() string          { return p.InvoiceIncrementID }
func (p *payment) invoice() *provider.Posted { return &p.of }

// postPayment writes payments. Whoever has paid an invoice in the ledger already, it
// is paid: nothing is written twice.
func postPayment() *plan[*payment] {
	return &plan[*payment]{
		event: "invoice.paid", entity: "payment", operation: syncrun.WritePayment, seeks: true,
		read: func(ctx context.Context, shop Shop, id int64) (json.RawMessage, *payment, error) {
			raw, p, err := shop.Payment(ctx, id)
			return raw, &payment{Payment: p}, err
		},
		decode: func(raw []byte) (*payment, error) {
			p, err := canon.DecodePayment(raw)
			return &payment{Payment: p}, err
		},
		decide: func(_ context.Context, _ *pipeline, run work, p *payment, pol policy.Policy) (policy.Decision, error) {
			return policy.DecidePayment(p.Payment, run.SyncRun.OccurredAt, pol).Decision, nil
		},
		about: func(p *payment, known bool) (int64, bool) { return p.invoiceOf(), !known },
		steps: []step[*payment]{
			inLane[*payment],
			ofInvoice[*payment],
			referenced[*payment],
			ensure(write[*payment, provider.Payment]{
				operation: syncrun.WritePayment,
				value: func(ctx context.Context, b *batch[*payment], d *draft[*payment]) (provider.Payment, provider.Try, bool, error) {
					decision := policy.DecidePayment(d.doc.Payment, d.SyncRun.OccurredAt, d.pol)
					return payable(ctx, b, d, syncrun.WritePayment, money(b, d, decision, d.doc.of, d.doc.Currency))
				},
				call: func(ctx context.Context, l Ledger, set []provider.Item[provider.Payment]) []provider.Outcome[provider.Posted] {
					return l.EnsurePayments(ctx, set)
				},
				record: func(ctx context.Context, b *batch[*payment], o *one[*payment, provider.Payment]) error {
					r := result{entity: "payment", posted: o.outcome.Value, shown: &o.doc.of, document: o.value, why: paid(o.value, o.outcome.Value)}
					if o.outcome.Value.Settled {
						r.entity = ""
					}
					return b.finish(ctx, o.draft, r)
				},
			}),
		},
	}
}

// payable is a payment as it is sent. One that the settings leave out by now, or that the
// ledger would not take, is only looked for where an earlier attempt may have made it.
func payable[D any](ctx context.Context, b *batch[D], d *draft[D], operation string, of provider.Payment) (provider.Payment, provider.Try, bool, error) {
	p, err := b.ledger.Payment(of, d.ref)
	if held(err) && d.instead == nil {
		hold := err
		if _, err := b.seek(ctx, d, operation, func(context.Context) error { return hold }); err != nil {
			return p, provider.Try{}, false, err
		}
	}
	if held(err) && d.instead != nil {
		err = nil // it says no more than under what it is found
	}
	return p, provider.Try{Look: d.instead != nil}, true, err
}

// money is what a decision comes to on a document.
func money[D any](b *batch[D], d *draft[D], decided policy.PaymentDecision, of provider.Posted, currency string) provider.Payment {
	return provider.Payment{
		DocumentID: of.ID, Number: of.Number, AccountID: decided.AccountID, Date: b.ledger.Day(decided.At, d.ref),
		Amount: decided.Amount, Tolerance: d.pol.RoundingTolerance, Currency: currency, Reference: decided.Reference,
	}
}

// paid says how a payment ended, for the run's history.
func paid(p provider.Payment, posted provider.Posted) string {
	switch {
	case posted.Settled:
		return "invoice " + p.Number + " is paid there already"
	case posted.Adopted:
		return "adopted the payment of invoice " + p.Number + ", which was there already"
	case posted.Total.Valid && posted.Total.Decimal.LessThan(p.Amount):
		return fmt.Sprintf("paid %s of %s %s: no more was open on invoice %s", posted.Total.Decimal.StringFixed(2), p.Amount.StringFixed(2), p.Currency, p.Number)
	}
	return "paid " + p.Amount.StringFixed(2) + " " + p.Currency + " on invoice " + p.Number
}

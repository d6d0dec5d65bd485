package riverjobs

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// creditMemo is a credit memo on its way to the ledger.
type creditMemo struct {
	canon.CreditMemo
	contactID string
	of        provider.Posted
	sale      *canon.Invoice  // the invoice, as the shop has it; nil where there is none
	note      provider.Posted // once it is there
	sent      provider.Document
	notes     []string
}

// buyer is the invoice's, judged by the invoice's total.
func (m *creditMemo) buyer(pol policy.Policy) policy.Buyer {
	inv := m.AsInvoice()
	if m.sale != nil {
		inv.GrandTotal = m.sale.GrandTotal
	}
	return policy.BuyerOf(inv, pol)
}

func (m *creditMemo) contact() *string          { return &m.contactID }
func (m *creditMemo) invoice() *provider.Posted { return &m.of }

func (m *creditMemo) invoiceOf() int64 {
	if m.InvoiceID == nil {
		return 0
	}
	return int64(*m.InvoiceID)
}

func (m *creditMemo) numberOf() string { return text(m.InvoiceIncrementID) }

// postCreditNote writes credit memos: the contact, the credit note, what of it goes
// against its invoice, and what went back to the buyer. Each is a write of its own,
// which can be lost, found and adopted by itself.
func postCreditNote() *plan[*creditMemo] {
	return &plan[*creditMemo]{
		event: "creditmemo.created", operation: syncrun.WriteCreditMemo, seeks: true,
		read: func(ctx context.Context, shop Shop, id int64) (json.RawMessage, *creditMemo, error) {
			raw, memo, err := shop.CreditMemo(ctx, id)
			return raw, &creditMemo{CreditMemo: memo}, err
		},
		decode: func(raw []byte) (*creditMemo, error) {
			memo, err := canon.DecodeCreditMemo(raw)
			return &creditMemo{CreditMemo: memo}, err
		},
		decide: func(_ context.Context, _ *pipeline, run work, m *creditMemo, pol policy.Policy) (policy.Decision, error) {
			m.StoreID = canon.Int(run.SyncRun.StoreID) // the form has none
			return policy.DecideCreditMemo(m.CreditMemo, pol), nil
		},
		lane: func(m *creditMemo) string {
			if m.invoiceOf() == 0 {
				return ""
			}
			return "invoice:" + strconv.FormatInt(m.invoiceOf(), 10)
		},
		keep: func(m *creditMemo, pol policy.Policy, number string) policy.Policy {
			return policy.WithNumber(m.AsInvoice(), pol, number)
		},
		about: func(m *creditMemo, _ bool) (int64, bool) { return m.invoiceOf(), true },
		steps: []step[*creditMemo]{
			func(_ context.Context, _ *batch[*creditMemo], drafts []*draft[*creditMemo]) {
				for _, d := range drafts {
					d.doc.sale = d.sale
				}
			},
			inLane[*creditMemo],
			ofInvoice[*creditMemo],
			onItsContact,
			noteKnown,
			refundable,
			allowed(noteDocument),
			contacts[*creditMemo](),
			catalog(func(m *creditMemo) []string { return skusOf(m.Lines) }),
			ensure(note()),
			ensure(allocation()),
			ensure(refund()),
			credited,
		},
	}
}

// noteDocument is pure. A note that is there is not held for what the settings say now.
func noteDocument(b *batch[*creditMemo], d *draft[*creditMemo]) (provider.Document, error) {
	d.doc.StoreID, d.doc.InvoiceNumber = canon.Int(d.SyncRun.StoreID), d.doc.of.Number // the form has neither
	doc, err := b.ledger.CreditNote(d.doc.CreditMemo, d.pol, d.ref, d.doc.contactID, b.runURL(d.SyncRun.ID))
	if err != nil && d.doc.note.ID != "" {
		return provider.Document{Number: d.doc.note.Number}, nil
	}
	return doc, err
}

// onItsContact books a note on the contact of its invoice: the shop shows a memo's
// customer as it is now, and one who has got an account since, or another name, would
// have the sale on one contact and what came back of it on another.
func onItsContact(_ context.Context, _ *batch[*creditMemo], drafts []*draft[*creditMemo]) {
	for _, d := range drafts {
		d.doc.contactID, d.invoiced = d.doc.of.Contact, d.doc.of.Contact != ""
	}
}

// noteKnown finds the notes that an earlier attempt has made.
func noteKnown(ctx context.Context, b *batch[*creditMemo], drafts []*draft[*creditMemo]) {
	each(drafts, func(d *draft[*creditMemo]) error {
		known, err := b.known(ctx, d.work, "creditmemo")
		if known != nil {
			d.doc.note = *known
		}
		return err
	})
}

// refundable holds what goes back in money as long as nobody has named its account:
// before anything is written.
func refundable(_ context.Context, _ *batch[*creditMemo], drafts []*draft[*creditMemo]) {
	for _, d := range drafts {
		decision := d.doc.refund(d.pol)
		if decision.Action != policy.Hold || d.doc.note.ID != "" || !d.doc.backInMoney(d.pol) {
			continue
		}
		switch hold := heldBy(decision.Decision); {
		case d.key == "":
			d.err = hold
		case d.instead == nil:
			d.instead = func(context.Context) error { return hold }
		}
	}
}

// note is the write of the credit note itself.
func note() write[*creditMemo, provider.Document] {
	w := document(syncrun.WriteCreditMemo, noteDocument, Ledger.EnsureCreditNotes)
	built := w.value
	w.value = func(ctx context.Context, b *batch[*creditMemo], d *draft[*creditMemo]) (provider.Document, provider.Try, bool, error) {
		doc, try, _, err := built(ctx, b, d)
		d.doc.sent = doc
		return doc, try, d.doc.note.ID == "", err
	}
	w.record = func(ctx context.Context, b *batch[*creditMemo], o *one[*creditMemo, provider.Document]) error {
		posted := o.outcome.Value
		if err := b.gone(ctx, o.work, posted); err != nil {
			return err
		}
		xref := xrefOf(o.work, "creditmemo", posted)
		if err := b.record(ctx, o.taken, syncrun.Made{Xref: &xref, Found: found(syncrun.WriteCreditMemo, posted), Notes: []string{story(posted)}}); err != nil {
			if others := (*syncrun.OthersDocument)(nil); errors.As(err, &others) {
				return b.othersDocument(ctx, o.work, "creditmemo", posted, others)
			}
			return err
		}
		o.doc.note = posted
		return nil
	}
	return w
}

// allocation sets the note against its invoice, as far as that is open.
func allocation() write[*creditMemo, provider.Allocation] {
	return write[*creditMemo, provider.Allocation]{
		operation: syncrun.WriteAllocation,
		value: func(ctx context.Context, b *batch[*creditMemo], d *draft[*creditMemo]) (provider.Allocation, provider.Try, bool, error) {
			if d.doc.of.ID == "" || d.doc.GrandTotal.IsZero() {
				return provider.Allocation{}, provider.Try{}, false, nil
			}
			d.instead = nil
			if d.doc.backInMoney(d.pol) {
				if look, err := b.seek(ctx, d, syncrun.WriteAllocation, nothing); !look {
					return provider.Allocation{}, provider.Try{}, false, err
				}
			}
			if done, err := b.known(ctx, d.work, "allocation"); done != nil || err != nil {
				return provider.Allocation{}, provider.Try{}, false, err
			}
			a, err := b.ledger.Allocation(provider.Allocation{
				CreditNoteID: d.doc.note.ID, InvoiceID: d.doc.of.ID, Number: d.doc.note.Number, Date: b.ledger.Day(d.doc.CreatedAt, d.ref), Amount: d.doc.GrandTotal,
			})
			return a, provider.Try{Look: d.instead != nil}, true, err
		},
		call: func(ctx context.Context, l Ledger, set []provider.Item[provider.Allocation]) []provider.Outcome[provider.Posted] {
			return l.EnsureAllocations(ctx, set)
		},
		record: func(ctx context.Context, b *batch[*creditMemo], o *one[*creditMemo, provider.Allocation]) error {
			made := syncrun.Made{Notes: []string{"nothing was open on invoice " + o.doc.of.Number}}
			if got := o.outcome.Value; !got.Settled {
				xref := xrefOf(o.work, "allocation", got)
				made.Xref, made.Notes = &xref, []string{"set " + got.Total.Decimal.StringFixed(2) + " against invoice " + o.doc.of.Number}
			}
			o.doc.notes = append(o.doc.notes, made.Notes...)
			return b.record(ctx, o.taken, made)
		},
	}
}

// nothing is what becomes of what need not be there.
func nothing(context.Context) error { return nil }

// backInMoney: the shop's invoice is paid, and money of its kind is booked, or held until
// the settings name its account. Then all goes back in money, also where the payment's
// own event has not come yet: what is open in the ledger now is the payment's.
func (m *creditMemo) backInMoney(pol policy.Policy) bool {
	return m.sale != nil && m.sale.State == canon.StatePaid && m.refund(pol).Action != policy.Skip
}

// refund decides on that money.
func (m *creditMemo) refund(pol policy.Policy) policy.PaymentDecision {
	method := ""
	if m.sale != nil {
		method = text(m.sale.PaymentMethod)
	}
	return policy.DecideRefund(m.CreditMemo, method, pol)
}

// refund is the money that went back: what is left of the credit, from the account of
// the payment method, or left as a credit where that is mapped to null.
func refund() write[*creditMemo, provider.Payment] {
	return write[*creditMemo, provider.Payment]{
		operation: syncrun.WriteRefund,
		value: func(ctx context.Context, b *batch[*creditMemo], d *draft[*creditMemo]) (provider.Payment, provider.Try, bool, error) {
			if done, err := b.known(ctx, d.work, "refund"); done != nil || err != nil {
				return provider.Payment{}, provider.Try{}, false, err
			}
			decision := d.doc.refund(d.pol)
			d.instead = nil
			if decision.Action != policy.Post {
				look, err := b.seek(ctx, d, syncrun.WriteRefund, d.doc.notPaidBack(decision))
				if err == nil && !look {
					err = d.doc.notPaidBack(decision)(ctx)
				}
				if !look {
					return provider.Payment{}, provider.Try{}, false, err
				}
			}
			back := money(b, d, decision, d.doc.note, d.doc.Currency)
			back.Refund, back.Tolerance = true, back.Amount // what went against the invoice does not go back, however much it is
			return payable(ctx, b, d, syncrun.WriteRefund, back)
		},
		call: func(ctx context.Context, l Ledger, set []provider.Item[provider.Payment]) []provider.Outcome[provider.Posted] {
			return l.EnsurePayments(ctx, set)
		},
		record: func(ctx context.Context, b *batch[*creditMemo], o *one[*creditMemo, provider.Payment]) error {
			made := syncrun.Made{Notes: []string{"no credit was left to pay back"}}
			if got := o.outcome.Value; !got.Settled {
				xref := xrefOf(o.work, "refund", got)
				made.Xref, made.Notes = &xref, []string{"paid back " + got.Total.Decimal.StringFixed(2) + " " + o.value.Currency}
			}
			o.doc.notes = append(o.doc.notes, made.Notes...)
			return b.record(ctx, o.taken, made)
		},
	}
}

// notPaidBack is what becomes of a refund that the settings leave out or hold.
func (m *creditMemo) notPaidBack(decision policy.PaymentDecision) func(context.Context) error {
	return func(context.Context) error {
		if decision.Action == policy.Hold {
			return heldBy(decision.Decision)
		}
		m.notes = append(m.notes, decision.Rules[len(decision.Rules)-1].Text)
		return nil
	}
}

// credited ends what is done.
func credited(ctx context.Context, b *batch[*creditMemo], drafts []*draft[*creditMemo]) {
	each(drafts, func(d *draft[*creditMemo]) error {
		return b.finish(ctx, d, result{posted: d.doc.note, document: d.doc.sent, variance: variance(d.doc.sent, d.doc.note), why: d.doc.story()})
	})
}

func (m *creditMemo) story() string {
	why := story(m.note)
	for _, n := range m.notes {
		why += "; " + n
	}
	return why
}

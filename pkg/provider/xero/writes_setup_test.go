package xero_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

type payments = []provider.Item[provider.Payment]

// bankID is the simulated organisation's bank account.
func bankID(t require.TestingT, ref provider.Reference) string {
	for _, a := range ref.Accounts {
		if a.Type == "BANK" && a.Status == "ACTIVE" {
			return a.ID
		}
	}
	require.Fail(t, "no bank account")
	return ""
}

// decided is what policy says of money that came on the 29th.
func decided(account, amount, reference string) policy.PaymentDecision {
	return policy.PaymentDecision{
		Decision: policy.Decision{Action: policy.Post}, AccountID: account, Amount: dec(amount), Reference: reference,
		At: time.Date(2026, 4, 29, 23, 30, 0, 0, time.UTC),
	}
}

// payment is what was decided, on the invoice with that id.
func (b bundle) payment(d policy.PaymentDecision, id, number string, ref provider.Reference) (provider.Payment, error) {
	return b.client.Payment(d.Payment(provider.Posted{ID: id, Number: number}, "GBP", b.client.Day(d.At, ref), samplePolicy()), ref)
}

// refund is payment on a credit note.
func (b bundle) refund(d policy.PaymentDecision, id, number string, ref provider.Reference) (provider.Payment, error) {
	d.Refund = true
	return b.payment(d, id, number, ref)
}

func (b bundle) allocation(note provider.Posted, invoiceID, amount string) (provider.Allocation, error) {
	return b.client.Allocation(provider.Allocation{CreditNoteID: note.ID, Number: note.Number, InvoiceID: invoiceID, Amount: dec(amount), Date: "2026-04-29"})
}

// invoiced are n invoices in Xero.
func (b bundle) invoiced(t *testing.T, n int) []provider.Posted {
	t.Helper()
	set := b.documents(t, n)
	var all []provider.Posted
	for _, o := range b.client.EnsureInvoices(b.ctx, set) {
		require.NoError(t, o.Err)
		all = append(all, o.Value)
	}
	b.wire.forget()
	return all
}

// paying are the payments of whole invoices, all by the one transaction of an order.
func (b bundle) paying(t *testing.T, invoices []provider.Posted) payments {
	t.Helper()
	ref := b.reference(t)
	var set payments
	for _, inv := range invoices {
		p, err := b.payment(decided(bankID(t, ref), inv.Total.Decimal.String(), "ch_1"), inv.ID, inv.Number, ref)
		require.NoError(t, err)
		set = append(set, provider.Item[provider.Payment]{Value: p, Try: provider.Try{Key: "payment of " + inv.Number}})
	}
	b.wire.forget()
	return set
}

// creditNote is one of a single line without tax, for the contact that documents
// gives invoices to.
func creditNote(t require.TestingT, number, contact, amount string) provider.Document {
	body, err := json.Marshal(map[string]any{"CreditNotes": []any{map[string]any{
		"Type": "ACCRECCREDIT", "Contact": map[string]any{"ContactID": contact}, "Date": "2026-04-29", "LineAmountTypes": "Exclusive",
		"CreditNoteNumber": number, "Reference": "N001", "CurrencyCode": "GBP", "Status": "AUTHORISED",
		"LineItems": []any{map[string]any{
			"Description": "Refund", "Quantity": json.Number("1"), "UnitAmount": json.Number(amount), "AccountCode": "200", "TaxType": "ZERORATEDOUTPUT", "TaxAmount": json.Number("0.00"),
		}},
	}}})
	require.NoError(t, err)
	total := dec(amount)
	return provider.Document{Number: number, ContactID: contact, Currency: "GBP", Status: "AUTHORISED", Body: body, SubTotal: total, Total: total}
}

// crediting are credit notes C001 onwards of that amount.
func (b bundle) crediting(t *testing.T, contact, amount string, n int) documents {
	t.Helper()
	var set documents
	for i := range n {
		doc := creditNote(t, fmt.Sprintf("C%03d", i+1), contact, amount)
		set = append(set, provider.Item[provider.Document]{Value: doc, Try: provider.Try{Key: "key of " + doc.Number}})
	}
	return set
}

func (b bundle) credited(t *testing.T, contact, amount string, n int) []provider.Posted {
	t.Helper()
	var all []provider.Posted
	for _, o := range b.client.EnsureCreditNotes(b.ctx, b.crediting(t, contact, amount, n)) {
		require.NoError(t, o.Err)
		all = append(all, o.Value)
	}
	b.wire.forget()
	return all
}

// result is what became of one item, whatever it is.
type result struct {
	err     error
	adopted bool
	calls   []string
}

func results[T any](outcomes []provider.Outcome[T]) []result {
	var all []result
	for _, o := range outcomes {
		posted, _ := any(o.Value).(provider.Posted)
		all = append(all, result{o.Err, posted.Adopted, provider.CallIDs(o.Calls)})
	}
	return all
}

func tried[T any](set []provider.Item[T], try provider.Try) []provider.Item[T] {
	var again []provider.Item[T]
	for _, item := range set {
		if try.Key != "" {
			item.Try.Key += try.Key
		}
		item.Try.Uncertain = try.Uncertain
		again = append(again, item)
	}
	return again
}

// writing is one of the writes to the ledger, of some items that have never been
// tried: how it is done, what a fault strikes at, and how often each is there.
type writing struct {
	name, operation string
	adopts          bool // finds what an earlier call wrote, else writes the same again
	single          bool // there is no call for several
	prepare         func(t *testing.T, b bundle, n int) func(context.Context, provider.Try) []result
	there           func(b bundle) int
	right           func(t *testing.T, b bundle, n int) // the sums, once all are written
}

func writings() []writing {
	return []writing{
		{"payments", "PUT /Payments", true, false, func(t *testing.T, b bundle, n int) func(context.Context, provider.Try) []result {
			set := b.paying(t, b.invoiced(t, n))
			return func(ctx context.Context, try provider.Try) []result {
				return results(b.client.EnsurePayments(ctx, tried(set, try)))
			}
		}, func(b bundle) int { return len(b.sim.Payments()) }, func(t *testing.T, b bundle, n int) {
			for i := range n {
				require.Equal(t, "0.00", b.sim.AmountDue(fmt.Sprintf("N%03d", i+1)))
			}
		}},
		{"part payments", "PUT /Payments", true, false, func(t *testing.T, b bundle, n int) func(context.Context, provider.Try) []result {
			set := b.paying(t, b.invoiced(t, n))
			for i := range set {
				p, err := b.payment(decided(set[i].Value.AccountID, "1.10", "ch_1"), set[i].Value.DocumentID, set[i].Value.Number, provider.Reference{})
				require.NoError(t, err)
				set[i].Value = p
			}
			return func(ctx context.Context, try provider.Try) []result {
				return results(b.client.EnsurePayments(ctx, tried(set, try)))
			}
		}, func(b bundle) int { return len(b.sim.Payments()) }, func(t *testing.T, b bundle, n int) {
			for _, p := range b.sim.Payments() {
				require.Equal(t, "1.10", p.Amount)
			}
		}},
		{"credit notes", "PUT /CreditNotes", true, false, func(t *testing.T, b bundle, n int) func(context.Context, provider.Try) []result {
			set := b.crediting(t, b.sim.AddContact("1", "Somebody"), "10.00", n)
			return func(ctx context.Context, try provider.Try) []result {
				return results(b.client.EnsureCreditNotes(ctx, tried(set, try)))
			}
		}, func(b bundle) int { return len(b.sim.CreditNotes()) }, func(t *testing.T, b bundle, n int) {
			for _, note := range b.sim.CreditNotes() {
				require.Equal(t, "10.00", note.Total)
			}
		}},
		{"refunds", "PUT /Payments", true, false, func(t *testing.T, b bundle, n int) func(context.Context, provider.Try) []result {
			ref := b.reference(t)
			var set payments
			for _, note := range b.credited(t, b.sim.AddContact("1", "Somebody"), "10.00", n) {
				p, err := b.refund(decided(bankID(t, ref), "10", note.Number), note.ID, note.Number, ref)
				require.NoError(t, err)
				set = append(set, provider.Item[provider.Payment]{Value: p, Try: provider.Try{Key: "refund of " + note.Number}})
			}
			return func(ctx context.Context, try provider.Try) []result {
				return results(b.client.EnsurePayments(ctx, tried(set, try)))
			}
		}, func(b bundle) int { return len(b.sim.Payments()) }, func(t *testing.T, b bundle, n int) {
			for i := range n {
				require.Equal(t, "0.00", b.sim.AmountDue(fmt.Sprintf("C%03d", i+1)))
			}
		}},
		{"allocations", "PUT /CreditNotes/Allocations", true, true, func(t *testing.T, b bundle, n int) func(context.Context, provider.Try) []result {
			invoices := b.invoiced(t, n)
			var set []provider.Item[provider.Allocation]
			for i, note := range b.credited(t, invoices[0].Contact, "10.00", n) {
				a, err := b.allocation(note, invoices[i].ID, "10")
				require.NoError(t, err)
				set = append(set, provider.Item[provider.Allocation]{Value: a, Try: provider.Try{Key: "allocation of " + note.Number}})
			}
			return func(ctx context.Context, try provider.Try) []result {
				return results(b.client.EnsureAllocations(ctx, tried(set, try)))
			}
		}, func(b bundle) int { return len(b.sim.Allocations()) }, func(t *testing.T, b bundle, n int) {
			for i := range n {
				require.Equal(t, "0.00", b.sim.AmountDue(fmt.Sprintf("C%03d", i+1)))
				total := dec(b.sim.Total(fmt.Sprintf("N%03d", i+1)))
				require.Equal(t, total.Sub(dec("10")).StringFixed(2), b.sim.AmountDue(fmt.Sprintf("N%03d", i+1)))
			}
		}},
		{"items", "POST /Items", false, false, func(t *testing.T, b bundle, n int) func(context.Context, provider.Try) []result {
			var set []provider.Item[provider.CatalogItem]
			for i := range n {
				item, err := b.client.Item(canon.Product{SKU: fmt.Sprintf("SKU-%d", i), Name: "Rope", Price: ptr(dec("5.2500"))}, samplePolicy(), b.reference(t))
				require.NoError(t, err)
				set = append(set, provider.Item[provider.CatalogItem]{Value: item, Try: provider.Try{Key: item.Code}})
			}
			return func(ctx context.Context, try provider.Try) []result {
				return results(b.client.EnsureItems(ctx, tried(set, try)))
			}
		}, func(b bundle) int { return len(b.sim.Items()) }, func(t *testing.T, b bundle, n int) {
			for _, item := range b.sim.Items() {
				require.Equal(t, xerosim.Item{ID: item.ID, Code: item.Code, Name: "Rope", Account: "200", Price: "5.25"}, item)
			}
		}},
		{"contacts", "POST /Contacts", true, false, func(t *testing.T, b bundle, n int) func(context.Context, provider.Try) []result {
			set := people(n)
			var updates []provider.Item[policy.ContactUpdate]
			for i, o := range b.client.EnsureContacts(b.ctx, set) {
				require.NoError(t, o.Err)
				buyer := set[i].Value
				buyer.Email = fmt.Sprintf("c%d@example.com", i)
				updates = append(updates, provider.Item[policy.ContactUpdate]{Value: policy.ContactUpdate{ContactID: o.Value, Buyer: buyer}, Try: provider.Try{Key: buyer.Key}})
			}
			b.wire.forget()
			return func(ctx context.Context, try provider.Try) []result {
				return results(b.client.UpdateContacts(ctx, tried(updates, try)))
			}
		}, func(b bundle) int {
			n := 0
			for _, k := range b.sim.Contacts() {
				if k.Email != "" {
					n++
				}
			}
			return n
		}, func(t *testing.T, b bundle, n int) { require.Len(t, b.sim.Contacts(), n) }},
	}
}

package freeagent

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

// money is a ledger with one sent invoice of 4,840.86 and, after credit, a sent
// credit note of its contact.
type money struct {
	*bundle
	invoice provider.Posted
	doc     provider.Document
}

func withInvoice(t *testing.T, cfg freeagentsim.Config) *money {
	t.Helper()
	m := &money{bundle: setup(t, cfg)}
	m.pol.V2InvoiceStatus = "Sent"
	m.doc = m.document(t, sample(t, "plain_vat"))
	var err error
	m.invoice, err = ensureInvoice(t.Context(), m.client, m.doc, provider.Try{})
	require.NoError(t, err)
	require.Equal(t, "Open", m.invoice.Status)
	return m
}

// creditDocument is a credit note of one line without tax, total is below zero.
func (m *money) creditDocument(number, total string) provider.Document {
	body := fmt.Sprintf(`{"credit_note":{"contact":%q,"reference":%q,"dated_on":"2026-04-29","payment_terms_in_days":0,"currency":"GBP",
		"credit_note_items":[{"position":1,"quantity":"1","description":"Refund","price":%q,"sales_tax_rate":"0","category":"%s/v2/categories/001"}]}}`,
		m.doc.ContactID, number, total, testBase)
	return provider.Document{Number: number, ContactID: m.doc.ContactID, Currency: "GBP", Status: "Sent", Body: json.RawMessage(body), Total: dec(total).Neg()}
}

func (m *money) credit(t *testing.T, number, total string) provider.Posted {
	t.Helper()
	out := m.client.EnsureCreditNotes(t.Context(), []provider.Item[provider.Document]{{Value: m.creditDocument(number, total)}})[0]
	require.NoError(t, out.Err)
	return out.Value
}

func (m *money) payment(t *testing.T, amount string) provider.Payment {
	t.Helper()
	p, err := m.client.Payment(provider.Payment{DocumentID: m.invoice.ID, Number: m.invoice.Number, AccountID: testBase + "/v2/bank_accounts/1",
		Date: "2026-04-29", Amount: dec(amount), Tolerance: dec("0.05"), Currency: "GBP", Reference: "ch_3Nx"}, m.ref)
	require.NoError(t, err)
	return p
}

func (m *money) pay(t *testing.T, p provider.Payment, uncertain bool) provider.Outcome[provider.Posted] {
	t.Helper()
	return m.client.EnsurePayments(t.Context(), []provider.Item[provider.Payment]{{Value: p, Try: provider.Try{Uncertain: uncertain}}})[0]
}

func (m *money) allocate(t *testing.T, a provider.Allocation, uncertain bool) provider.Outcome[provider.Posted] {
	t.Helper()
	return m.client.EnsureAllocations(t.Context(), []provider.Item[provider.Allocation]{{Value: a, Try: provider.Try{Uncertain: uncertain}}})[0]
}

func (m *money) allocation(t *testing.T, credit provider.Posted, amount string) provider.Allocation {
	t.Helper()
	a, err := m.client.Allocation(provider.Allocation{CreditNoteID: credit.ID, InvoiceID: m.invoice.ID, Number: credit.Number, Date: "2026-04-29", Amount: dec(amount)})
	require.NoError(t, err)
	return a
}

func TestPayment_body(t *testing.T) {
	t.Parallel()
	m := withInvoice(t, freeagentsim.Config{})
	p := m.payment(t, "4840.86")
	require.JSONEq(t, `{"bank_transaction_explanation":{"bank_account":"http://ledger.test/v2/bank_accounts/1","dated_on":"2026-04-29",
		"gross_value":"4840.86","paid_invoice":"`+m.invoice.ID+`","description":"ch_3Nx"}}`, string(p.Body))
	p.DocumentID, p.Refund = testBase+"/v2/credit_notes/9", true
	p, err := m.client.Payment(p, m.ref)
	require.NoError(t, err)
	require.Contains(t, string(p.Body), `"gross_value":"-4840.86"`, "money that goes out")
	require.LessOrEqual(t, len(p.Key()), 255)
}

func TestPayment_account_that_cannot_take_it_is_named(t *testing.T) {
	t.Parallel()
	m := withInvoice(t, freeagentsim.Config{})
	for account, row := range map[string][2]string{"3": {"account_archived", "Old Account"}, "4": {"account_invalid", "in EUR"}} {
		_, err := m.client.Payment(provider.Payment{AccountID: testBase + "/v2/bank_accounts/" + account, Currency: "GBP", Amount: dec("1")}, m.ref)
		f := failureIn(t, err)
		require.Equal(t, row[0], f.Reason)
		require.Contains(t, f.Message, row[1])
	}
}

func TestPayment_pays_the_invoice_in_two_calls(t *testing.T) {
	t.Parallel()
	m := withInvoice(t, freeagentsim.Config{})
	out := m.pay(t, m.payment(t, "4840.86"), false)
	require.NoError(t, out.Err)
	require.Empty(t, out.Notes)
	require.Equal(t, "Paid", m.sim.Invoices()[0].Status)
	require.LessOrEqual(t, len(out.Value.ID), 64)
	require.Equal(t, fmt.Sprintf("bank_transaction_explanations/%d", m.sim.Explanations()[0].ID), out.Value.ID)
	require.Equal(t, "ch_3Nx", m.sim.Explanations()[0].Description)
	require.Equal(t, [2]int{1, 1}, [2]int{m.sim.Count(freeagentsim.InvoiceGet), m.sim.Count(freeagentsim.ExplanationCreate)})
	require.Zero(t, m.sim.Count(freeagentsim.ExplanationList))
}

// The whole table, for each of the three new writes: the failure, then a second
// try as after a lost answer or a crash. There is exactly one at the ledger.
func TestPayment_made_once_whatever_fails(t *testing.T) {
	t.Parallel()
	for _, amount := range []string{"4840.86", "100"} { // paid whole, and in part
		for name, f := range faultsOf(freeagentsim.ExplanationCreate) {
			t.Run(name+"_"+amount, func(t *testing.T) {
				t.Parallel()
				m := withInvoice(t, freeagentsim.Config{})
				p := m.payment(t, amount)
				m.sim.Inject(f.Fault)
				f.is(t, m.pay(t, p, false).Err)
				for range 2 {
					out := m.pay(t, p, true)
					require.NoError(t, out.Err)
					require.Len(t, m.sim.Explanations(), 1)
					requireEqual(t, dec(amount), out.Value.Total.Decimal)
					if f.After {
						require.True(t, out.Value.Adopted)
						require.True(t, out.Value.Proven)
					}
				}
				requireEqual(t, dec("4840.86").Sub(dec(amount)), m.sim.Invoices()[0].Due)
			})
		}
	}
}

// A timeout after the request was sent leaves the outcome unknown; the ledger
// finishes all the same, and the payment is found.
func TestMoney_found_when_the_answer_did_not_come_in_time(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{freeagentsim.ExplanationCreate, freeagentsim.ReconciliationCreate, freeagentsim.CreditCreate} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			m := withInvoice(t, freeagentsim.Config{})
			credit := m.credit(t, "CM-1", "-60.00")
			write := map[string]func(ctx context.Context, try provider.Try) error{
				freeagentsim.ExplanationCreate: func(ctx context.Context, try provider.Try) error {
					return m.client.EnsurePayments(ctx, []provider.Item[provider.Payment]{{Value: m.payment(t, "10"), Try: try}})[0].Err
				},
				freeagentsim.ReconciliationCreate: func(ctx context.Context, try provider.Try) error {
					return m.client.EnsureAllocations(ctx, []provider.Item[provider.Allocation]{{Value: m.allocation(t, credit, "10"), Try: try}})[0].Err
				},
				freeagentsim.CreditCreate: func(ctx context.Context, try provider.Try) error {
					return m.client.EnsureCreditNotes(ctx, []provider.Item[provider.Document]{{Value: m.creditDocument("CM-2", "-10.00"), Try: try}})[0].Err
				},
			}[operation]
			release := make(chan struct{})
			defer close(release)
			m.sim.Inject(freeagentsim.Fault{Operation: operation, After: true, Hang: release})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			require.Equal(t, provider.WroteMaybe, failureIn(t, write(ctx, provider.Try{})).Wrote)
			require.NoError(t, write(t.Context(), provider.Try{Uncertain: true}))
			count := map[string]int{freeagentsim.ExplanationCreate: len(m.sim.Explanations()),
				freeagentsim.ReconciliationCreate: len(m.sim.Reconciliations()), freeagentsim.CreditCreate: len(m.sim.CreditNotes()) - 1}
			require.Equal(t, 1, count[operation])
		})
	}
}

func TestRefund_of_a_credit_note_made_once_whatever_fails(t *testing.T) {
	t.Parallel()
	for name, f := range faultsOf(freeagentsim.ExplanationCreate) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := withInvoice(t, freeagentsim.Config{})
			credit := m.credit(t, "CM-1", "-60.00")
			p := m.payment(t, "60")
			p.DocumentID, p.Number, p.Refund = credit.ID, credit.Number, true
			m.sim.Inject(f.Fault)
			f.is(t, m.pay(t, p, false).Err)
			out := m.pay(t, p, true)
			require.NoError(t, out.Err)
			require.Len(t, m.sim.Explanations(), 1)
			requireEqual(t, dec("-60"), m.sim.Explanations()[0].Amount)
			require.Equal(t, "Refunded", m.sim.CreditNotes()[0].Status)
		})
	}
}

func TestCreditNote_posted_once_whatever_fails(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{freeagentsim.CreditCreate, freeagentsim.CreditSend} {
		for name, f := range faultsOf(operation) {
			if operation == freeagentsim.CreditSend && f.Status == 201 {
				continue // any 2xx means sent
			}
			t.Run(operation+"_"+name, func(t *testing.T) {
				t.Parallel()
				m := withInvoice(t, freeagentsim.Config{DuplicateReferences: true})
				doc := m.creditDocument("CM-1", "-60.00")
				m.sim.Inject(f.Fault)
				set := []provider.Item[provider.Document]{{Value: doc}}
				require.Error(t, m.client.EnsureCreditNotes(t.Context(), set)[0].Err)
				set[0].Try.Uncertain = true
				out := m.client.EnsureCreditNotes(t.Context(), set)[0]
				require.NoError(t, out.Err)
				require.Len(t, m.sim.CreditNotes(), 1)
				require.Equal(t, "Open", m.sim.CreditNotes()[0].Status)
				require.Contains(t, out.Value.ID, "/credit_notes/")
				requireEqual(t, dec("-60"), m.sim.CreditNotes()[0].Due)
				requireEqual(t, dec("60"), out.Value.Total.Decimal, "as the document has it")
				require.Len(t, m.sim.Invoices(), 1, "it is no invoice")
			})
		}
	}
}

func TestCreditNote_held_when_its_number_is_anothers(t *testing.T) {
	t.Parallel()
	m := withInvoice(t, freeagentsim.Config{})
	m.credit(t, "CM-1", "-60.00")
	out := m.client.EnsureCreditNotes(t.Context(), []provider.Item[provider.Document]{{Value: m.creditDocument("CM-1", "-61.00")}})[0]
	require.Equal(t, "number_taken", failureIn(t, out.Err).Reason)
	require.Len(t, m.sim.CreditNotes(), 1)
}

func TestAllocation_made_once_whatever_fails(t *testing.T) {
	t.Parallel()
	for _, amount := range []string{"60", "25"} { // whole, and in part
		for name, f := range faultsOf(freeagentsim.ReconciliationCreate) {
			t.Run(name+"_"+amount, func(t *testing.T) {
				t.Parallel()
				m := withInvoice(t, freeagentsim.Config{})
				a := m.allocation(t, m.credit(t, "CM-1", "-60.00"), amount)
				m.sim.Inject(f.Fault)
				f.is(t, m.allocate(t, a, false).Err)
				for range 2 {
					out := m.allocate(t, a, true)
					require.NoError(t, out.Err)
					require.Len(t, m.sim.Reconciliations(), 1)
					requireEqual(t, dec(amount), out.Value.Total.Decimal)
				}
				requireEqual(t, dec("4840.86").Sub(dec(amount)), m.sim.Invoices()[0].Due)
				requireEqual(t, dec(amount).Sub(dec("60")), m.sim.CreditNotes()[0].Due)
			})
		}
	}
}

// The commonest complaint about others is that only the whole amount works.
func TestAllocation_goes_as_far_as_both_are_open(t *testing.T) {
	t.Parallel()
	m := withInvoice(t, freeagentsim.Config{})
	require.NoError(t, m.pay(t, m.payment(t, "4800"), false).Err)
	credit := m.credit(t, "CM-1", "-60.00")
	out := m.allocate(t, m.allocation(t, credit, "60"), false)
	require.NoError(t, out.Err)
	requireEqual(t, dec("40.86"), out.Value.Total.Decimal)
	require.Equal(t, "Paid", m.sim.Invoices()[0].Status)
	// What is left goes back to the buyer.
	p := m.payment(t, "19.14")
	p.DocumentID, p.Number, p.Refund = credit.ID, credit.Number, true
	require.NoError(t, m.pay(t, p, false).Err)
	require.Equal(t, "Refunded", m.sim.CreditNotes()[0].Status)
	// A second credit note finds nothing open.
	out = m.allocate(t, m.allocation(t, m.credit(t, "CM-2", "-5.00"), "5"), false)
	require.NoError(t, out.Err)
	require.True(t, out.Value.Settled)
	require.Equal(t, m.invoice.URL, out.Value.URL)
}

// A person set a part against the invoice already: it counts.
func TestAllocation_by_a_person_counts(t *testing.T) {
	t.Parallel()
	m := withInvoice(t, freeagentsim.Config{})
	credit := m.credit(t, "CM-1", "-60.00")
	theirs := m.allocation(t, credit, "50")
	theirs.Date = "2026-05-02"
	require.NoError(t, m.allocate(t, theirs, false).Err)
	out := m.allocate(t, m.allocation(t, credit, "55"), false)
	require.NoError(t, out.Err)
	requireEqual(t, dec("5"), out.Value.Total.Decimal)
}

func TestPayment_of_what_is_open_and_no_more(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		amount, reason, note, left string
	}{
		"a_part":               {"100", "", "", "4740.86"},
		"within_the_tolerance": {"4840.90", "", "4840.86 of 4840.90 GBP are written", "0"},
		"beyond_it":            {"4841", "amount_exceeds_due", "", "4840.86"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := withInvoice(t, freeagentsim.Config{})
			out := m.pay(t, m.payment(t, row.amount), false)
			requireEqual(t, dec(row.left), m.sim.Invoices()[0].Due)
			if row.reason != "" {
				f := failureIn(t, out.Err)
				require.Equal(t, row.reason, f.Reason)
				require.Contains(t, f.Message, "4841.00 GBP is more than the 4840.86")
				return
			}
			require.NoError(t, out.Err)
			if row.note != "" {
				require.Contains(t, out.Notes[0], row.note)
			}
		})
	}
}

func TestPayment_by_somebody_else_is_known(t *testing.T) {
	t.Parallel()
	m := withInvoice(t, freeagentsim.Config{})
	theirs := m.payment(t, "4840.86")
	theirs.Date, theirs.Reference = "2026-04-27", "by hand"
	require.NoError(t, m.pay(t, theirs, false).Err)
	out := m.pay(t, m.payment(t, "4840.86"), false)
	require.NoError(t, out.Err)
	require.True(t, out.Value.Settled)
	require.Contains(t, out.Notes[0], "somebody else has settled it")
	require.Len(t, m.sim.Explanations(), 1)
}

func TestPayment_waits_where_the_document_takes_none(t *testing.T) {
	t.Parallel()
	for status, reason := range map[string]string{"Draft": "document_not_approved", "Scheduled To Email": "document_not_approved", "Written-off": "document_void"} {
		m := withInvoice(t, freeagentsim.Config{})
		m.sim.SetStatus(m.invoice.Number, status)
		f := failureIn(t, m.pay(t, m.payment(t, "10"), false).Err)
		require.Equal(t, provider.Held, f.Kind)
		require.Equal(t, reason, f.Reason)
		require.Contains(t, f.Message, m.invoice.Number)
		credit := m.credit(t, "CM-1", "-60.00")
		require.Equal(t, reason, failureIn(t, m.allocate(t, m.allocation(t, credit, "10"), false).Err).Reason)
	}
	m := withInvoice(t, freeagentsim.Config{})
	p := m.payment(t, "10")
	p.DocumentID = testBase + "/v2/invoices/999"
	require.Equal(t, "document_void", failureIn(t, m.pay(t, p, false).Err).Reason)
	p.Currency, p.DocumentID = "EUR", m.invoice.ID
	require.Equal(t, provider.Refused, failureIn(t, m.pay(t, p, false).Err).Kind)
	m.sim.LockUntil("2026-04-30")
	require.Equal(t, "period_locked", failureIn(t, m.pay(t, m.payment(t, "10"), false).Err).Reason)
	p = m.payment(t, "10")
	p.AccountID = testBase + "/v2/bank_accounts/9"
	require.Equal(t, "account_invalid", failureIn(t, m.pay(t, p, false).Err).Reason)
	require.Empty(t, m.sim.Explanations())
}

// The settings name another account, and another day has begun, when the payment
// is tried again: it is found all the same.
func TestPayment_in_part_found_on_another_account(t *testing.T) {
	t.Parallel()
	m := withInvoice(t, freeagentsim.Config{})
	m.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.ExplanationCreate, After: true, Reset: true})
	p := m.payment(t, "100")
	require.Error(t, m.pay(t, p, false).Err)
	p.AccountID, p.Date = testBase+"/v2/bank_accounts/2", "2026-04-30"
	out := m.pay(t, p, true)
	require.NoError(t, out.Err)
	require.True(t, out.Value.Adopted)
	require.Len(t, m.sim.Explanations(), 1)
}

func TestPayment_amount_in_pence(t *testing.T) {
	t.Parallel()
	m := withInvoice(t, freeagentsim.Config{})
	p := m.payment(t, "10.005")
	requireEqual(t, dec("10.01"), p.Amount)
	require.Len(t, p.Notes, 1)
	p.Amount = dec("0.001")
	_, err := m.client.Payment(p, m.ref)
	require.Equal(t, provider.Refused, failureIn(t, err).Kind)
}

func TestStandings_of_documents(t *testing.T) {
	t.Parallel()
	m := withInvoice(t, freeagentsim.Config{})
	credit := m.credit(t, "CM-1", "-60.00")
	require.NoError(t, m.pay(t, m.payment(t, "4800"), false).Err)
	missing := testBase + "/v2/invoices/999"
	byID, err := m.client.InvoicesByID(t.Context(), []string{m.invoice.ID, missing, m.invoice.ID, ""})
	require.NoError(t, err)
	require.Len(t, byID, 1)
	found := byID[m.invoice.ID]
	require.Equal(t, provider.StateOpen, found.State)
	require.Equal(t, []string{m.invoice.ID, m.invoice.Number, "GBP", m.doc.ContactID}, []string{found.ID, found.Number, found.Currency, found.ContactID})
	requireEqual(t, dec("40.86"), found.Open.Decimal)
	requireEqual(t, dec("4840.86"), found.Total.Decimal)
	byNumber, err := m.client.InvoicesByNumber(t.Context(), []string{m.invoice.Number, "none"})
	require.NoError(t, err)
	require.Equal(t, map[string]provider.Standing{m.invoice.Number: found}, byNumber)
	credits, err := m.client.CreditNotesByID(t.Context(), []string{credit.ID})
	require.NoError(t, err)
	requireEqual(t, dec("60"), credits[credit.ID].Open.Decimal)
	require.Equal(t, provider.StateOpen, credits[credit.ID].State)
	m.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.InvoiceList, Status: 200, Body: "<html>"})
	_, err = m.client.InvoicesByNumber(t.Context(), []string{"none"})
	require.Equal(t, provider.Temporary, failureIn(t, err).Kind, "not found is not known")
}

// Each outcome has the ids of its own calls, failed ones too: the ledger's support
// asks for them.
func TestOutcomes_name_their_calls(t *testing.T) {
	t.Parallel()
	m := withInvoice(t, freeagentsim.Config{})
	all := m.client.EnsurePayments(t.Context(), []provider.Item[provider.Payment]{{Value: m.payment(t, "9999")}, {Value: m.payment(t, "10")}})
	require.Error(t, all[0].Err)
	require.Len(t, all[0].Calls, 1)
	require.Len(t, all[1].Calls, 2)
	require.Regexp(t, `^request-\d+$`, all[1].Calls[1].ID)
	require.NotContains(t, provider.CallIDs(all[1].Calls), all[0].Calls[0].ID)
}

func TestProducts_are_not_of_this_wire(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	out := b.client.EnsureItems(t.Context(), make([]provider.Item[provider.CatalogItem], 2))
	require.Len(t, out, 2)
	require.Equal(t, provider.Refused, failureIn(t, out[1].Err).Kind)
	_, err := b.client.Item(canon.Product{}, b.pol, b.ref)
	require.Equal(t, provider.Refused, failureIn(t, err).Kind)
}

// A list or a document that cannot be read leads to no second payment.
func TestPayment_not_made_when_the_look_up_fails(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{freeagentsim.ExplanationList, freeagentsim.InvoiceGet} {
		for _, f := range []freeagentsim.Fault{{Status: 500}, {Status: 200, Body: "<html>"}, {After: true, Half: true}, {Status: 200, Body: `{}`}} {
			m := withInvoice(t, freeagentsim.Config{})
			f.Operation = operation
			m.sim.Inject(f)
			require.Equal(t, provider.Temporary, failureIn(t, m.pay(t, m.payment(t, "10"), true).Err).Kind)
			require.Empty(t, m.sim.Explanations())
		}
	}
}

func TestPayments_each_judged_by_itself(t *testing.T) {
	t.Parallel()
	m := withInvoice(t, freeagentsim.Config{})
	bad := m.payment(t, "9999")
	all := m.client.EnsurePayments(t.Context(), []provider.Item[provider.Payment]{{Value: bad}, {Value: m.payment(t, "10")}})
	require.Error(t, all[0].Err)
	require.NoError(t, all[1].Err)
	m.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.InvoiceGet, Status: 429})
	for _, out := range m.client.EnsurePayments(t.Context(), []provider.Item[provider.Payment]{{Value: m.payment(t, "11")}, {Value: m.payment(t, "12")}}) {
		require.Equal(t, provider.RateLimited, failureIn(t, out.Err).Kind)
	}
	require.Len(t, m.sim.Explanations(), 1)
}

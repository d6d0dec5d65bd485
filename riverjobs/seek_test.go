package riverjobs_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/syncrun"
)

// lostWrite is a write whose answer is lost, and settings that would leave its document
// out, or hold it, when the run is tried again.
type lostWrite struct {
	operation string                 // of the write
	entity    string                 // that it is known as
	before    func(p *policy.Policy) // the settings under which it is tried; nil: money has an account
	paid      bool                   // the invoice's payment has ended before
	event     string                 // empty: the invoice's own
	after     func(p *policy.Policy) // the settings under which it is tried again
	absent    string                 // how it ends where nothing was written: status, or reason of the hold
	next      string                 // what holds the run's next write; empty: nothing
	onV2      bool
}

func lostWrites() map[string]lostWrite {
	null := func(p *policy.Policy) { p.PaymentMethodMap = map[string]*string{"checkmo": nil} }
	unmapped := func(p *policy.Policy) { p.DefaultBankAccountID = nil }
	otherStore := func(p *policy.Policy) { p.StoreFilter = []int64{77} }
	otherSite := func(p *policy.Policy) { p.WebsiteFilter = []int64{77} }
	untaxed := func(p *policy.Policy) { p.TaxRateMap = nil }
	invoice, payment := lostWrite{operation: "invoice", entity: "invoice"}, lostWrite{operation: "payment", entity: "payment", event: "invoice.paid"}
	note := lostWrite{operation: "credit", entity: "creditmemo", event: "creditmemo.created"}
	refund := lostWrite{operation: "payment", entity: "refund", event: "creditmemo.created", paid: true}
	allocation := lostWrite{operation: "allocation", entity: "allocation", event: "creditmemo.created", paid: true, before: null}
	then := func(w lostWrite, settings func(p *policy.Policy), absent string) lostWrite {
		w.after, w.absent, w.onV2 = settings, absent, absent == syncrun.Skipped || absent == syncrun.Succeeded
		return w
	}
	paidNote := note
	paidNote.paid, paidNote.next = true, "payment_method_not_mapped"
	return map[string]lostWrite{
		"payment_whose_method_is_mapped_to_null": then(payment, null, syncrun.Skipped),
		"payment_whose_method_has_no_account":    then(payment, unmapped, "payment_method_not_mapped"),
		"invoice_of_a_store_that_is_left_out":    then(invoice, otherStore, syncrun.Skipped),
		"invoice_whose_tax_is_not_mapped":        then(invoice, untaxed, "tax_rate_not_mapped"),
		"credit_note_of_a_site_that_is_left_out": then(note, otherSite, syncrun.Skipped),
		"credit_note_whose_tax_is_not_mapped":    then(note, untaxed, "tax_rate_not_mapped"),
		"credit_note_whose_money_has_no_account": then(paidNote, unmapped, "payment_method_not_mapped"),
		"refund_whose_method_is_mapped_to_null":  then(refund, null, syncrun.Succeeded),
		"refund_whose_method_has_no_account":     then(refund, unmapped, "payment_method_not_mapped"),
		"allocation_whose_credit_is_paid_back":   then(allocation, func(*policy.Policy) {}, syncrun.Succeeded),
	}
}

// A write whose answer was lost is looked for before its document is left out, or held,
// under settings that have changed since.
func Test_Write_that_may_exist_is_looked_for_before_it_is_left_out(t *testing.T) {
	t.Parallel()
	for name, c := range lostWrites() {
		for wire, setup := range map[string]func(*testing.T) *bundle{"accounting": setupMoney, "v2": setupMoneyV2} {
			if wire == "v2" && !c.onV2 {
				continue
			}
			t.Run(name+"_is_adopted_on_"+wire, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				id, made := b.lose(t, c, tookReset)
				run := b.until(t, id, ended)
				require.Equal(t, orElse(c.next, syncrun.Succeeded), orElse(text(run.HoldReason), run.Status), text(run.ErrorMessage))
				require.Equal(t, made, b.made(c.operation), "nothing is written twice")
				require.Zero(t, b.count(t, "SELECT count(*) FROM provider_intents WHERE settled_at IS NULL"))
				require.Equal(t, 1, b.count(t, "SELECT count(*) FROM entity_xref WHERE entity_type = $1 AND run_id = $2", c.entity, id), "it is known from now on")
				b.noMismatch(t)
			})
		}
		t.Run(name+"_is_left_out_or_held_where_it_is_not_there", func(t *testing.T) {
			t.Parallel()
			b := setupMoney(t)
			id, made := b.lose(t, c, failed)
			run := b.until(t, id, ended)
			require.Equal(t, c.absent, orElse(text(run.HoldReason), run.Status), text(run.ErrorMessage))
			require.Equal(t, made, b.made(c.operation), "nothing is written")
			if run.Status != syncrun.Held {
				require.Zero(t, b.count(t, "SELECT count(*) FROM provider_intents WHERE settled_at IS NULL"))
			}
			require.Zero(t, b.count(t, "SELECT count(*) FROM entity_xref WHERE entity_type = $1 AND run_id = $2", c.entity, id))
			b.noMismatch(t)
		})
	}
}

func ended(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Held || told(r) }

func orElse(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

// lose lets a write be lost, its run be cancelled, and tried again under other settings.
// made is how much of it the ledger had then.
func (b *bundle) lose(t *testing.T, c lostWrite, how fault) (id uuid.UUID, made int) {
	t.Helper()
	p := b.banked(t)
	if c.before != nil {
		c.before(&p)
	}
	b.setPolicy(t, 3, p)
	b.work(t, firstDelay(hour))
	if c.event == "" {
		b.ledger.inject(c.operation, how)
	}
	inv, id := b.raise(t, "plain_vat")
	if c.event != "" {
		b.succeeded(t, id)
	}
	if c.paid {
		b.until(t, b.paid(t, inv), told)
	}
	switch c.event {
	case "invoice.paid":
		b.ledger.inject(c.operation, how)
		id = b.paid(t, inv)
	case "creditmemo.created":
		b.ledger.inject(c.operation, how)
		_, id = b.refunded(t, inv, b.partly(t, inv, 1))
	}
	b.until(t, id, func(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Queued && r.Attempt == 1 && r.ErrorCode != nil })
	made = b.made(c.operation)
	require.NoError(t, b.op.Cancel(t.Context(), id))
	b.until(t, id, toldAs(syncrun.Cancelled))
	p = b.banked(t)
	c.after(&p)
	b.setPolicy(t, 4, p)
	require.NoError(t, b.op.Retry(t.Context(), id))
	return id, made
}

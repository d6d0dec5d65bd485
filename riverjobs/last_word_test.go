package riverjobs_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/syncrun"
)

// The chip of an invoice is that of its payment as well, and shows what it was told last.
func Test_Chip_shows_how_the_document_stands_whatever_came_last(t *testing.T) {
	t.Parallel()

	t.Run("Payment_failed_while_the_invoices_word_was_on_its_way", func(t *testing.T) {
		t.Parallel()
		b, g := setupMoney(t), magentosim.NewGate()
		b.shop.Inject(magentosim.RouteSyncState, magentosim.Waits(g))
		b.work(t)
		t.Cleanup(g.Release)
		inv, id := b.raise(t, "plain_vat")
		arrived(t, g.Arrived())
		b.paymentFails(t, inv)
		g.Release()
		b.until(t, id, toldAs(syncrun.Succeeded))
		b.paymentShown(t, inv)
	})

	t.Run("Payment_failed_after_the_answer_to_the_invoices_word_was_lost", func(t *testing.T) {
		t.Parallel()
		b := setupMoney(t)
		b.shop.Inject(magentosim.RouteSyncState, magentosim.Drops(magentosim.CutReset).AfterEffect())
		b.work(t, firstDelay(hour))
		inv, id := b.raise(t, "plain_vat")
		b.wordLost(t, id)
		b.paymentFails(t, inv)
		b.tellNow(t, id)
		b.until(t, id, toldAs(syncrun.Succeeded))
		b.paymentShown(t, inv)
	})

	t.Run("Payment_failed_while_a_process_held_for_dead_was_at_the_invoices_word", func(t *testing.T) {
		t.Parallel()
		b, g := setupMoney(t), magentosim.NewGate()
		b.shop.Inject(magentosim.RouteSyncState, magentosim.Waits(g))
		lost := b.work(t, oneAtATime)
		t.Cleanup(g.Release)
		inv, id := b.raise(t, "plain_vat")
		arrived(t, g.Arrived())
		lost.unlock()
		b.work(t)
		b.until(t, id, toldAs(syncrun.Succeeded))
		b.paymentFails(t, inv)
		g.Release() // the lost one's call comes after all
		lost.drain()
		b.paymentShown(t, inv)
	})

	t.Run("Payment_failed_before_the_invoice_was_written", func(t *testing.T) {
		t.Parallel()
		b, g := setupMoney(t), newGate("before invoice")
		b.shop.Inject(magentosim.RoutePayment, magentosim.Answers(404, `{"message":"gone"}`))
		b.work(t, watch(g.at))
		t.Cleanup(g.release)
		inv, id := b.raise(t, "plain_vat")
		arrived(t, g.arrived)
		b.until(t, b.paid(t, inv), toldAs(syncrun.Failed))
		g.release()
		run := b.until(t, id, toldAs(syncrun.Succeeded))
		b.toldAs(t, inv.ID, "failed", "not_found")
		require.Equal(t, *run.ProviderEntityID, b.shop.Chip("invoice", inv.ID).ProviderEntityID, "the invoice is there")
	})

	t.Run("Payment_was_written_while_the_failure_before_was_on_its_way", func(t *testing.T) {
		t.Parallel()
		b, g := setupMoney(t), magentosim.NewGate()
		b.work(t)
		t.Cleanup(g.Release)
		inv, id := b.raise(t, "plain_vat")
		b.succeeded(t, id)
		b.refusePayment()
		b.shop.Inject(magentosim.RouteSyncState, magentosim.Waits(g))
		payment := b.paid(t, inv)
		arrived(t, g.Arrived())
		require.NoError(t, b.op.Retry(t.Context(), payment))
		b.succeeded(t, payment)
		g.Release() // the word of the first end comes last
		eventually(t, func() bool {
			return slices.ContainsFunc(b.shop.Told("invoice", inv.ID), func(s magentosim.Told) bool { return s.Status == "failed" })
		}, "it comes")
		b.settled(t, inv, "synced", "")
	})

	t.Run("Payment_that_is_left_out_leaves_its_invoice_synced_and_says_why", func(t *testing.T) {
		t.Parallel()
		b := setupMoney(t)
		p := b.banked(t)
		p.PaymentMethodMap = map[string]*string{"checkmo": nil}
		b.setPolicy(t, 3, p)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		run := b.succeeded(t, id)
		require.Equal(t, "payment_method_not_mapped", text(b.until(t, b.paid(t, inv), toldAs(syncrun.Skipped)).SkipReason))
		chip := b.shop.Chip("invoice", inv.ID)
		require.Equal(t, []string{"synced", "payment_method_not_mapped", *run.ProviderEntityID}, []string{chip.Status, chip.SkipReason, chip.ProviderEntityID})
	})

	t.Run("Customers_later_change_failed_after_the_word_of_the_first_was_lost", func(t *testing.T) {
		t.Parallel()
		b := setupMoney(t)
		b.work(t, firstDelay(hour))
		_, id := b.raise(t, "plain_vat")
		b.succeeded(t, id)
		b.shop.Inject(magentosim.RouteSyncState, magentosim.Maintenance(503))
		first := b.accept(t, "customer.upserted", customerOf(t))
		b.wordLost(t, first)
		_, err := b.shop.EditCustomer(customerOf(t), map[string]any{"email": "new@example.com"})
		require.NoError(t, err)
		b.xero.Inject(xerosim.Fault{Operation: "POST /Contacts", Status: http.StatusBadRequest, Body: refusal, Times: 2})
		b.until(t, b.accept(t, "customer.upserted", customerOf(t)), toldAs(syncrun.Failed))
		b.tellNow(t, first)
		b.until(t, first, toldAs(syncrun.Succeeded))
		require.Equal(t, "failed", b.shop.Chip("customer", customerOf(t)).Status)
	})
}

const refusal = `{"ErrorNumber":10,"Type":"ValidationException","Message":"A validation exception occurred",` +
	`"Elements":[{"ValidationErrors":[{"Message":"The date is not valid"}]}]}`

func (b *bundle) refusePayment() {
	b.xero.Inject(xerosim.Fault{Operation: "PUT /Payments", Status: http.StatusBadRequest, Body: refusal})
}

// paymentFails lets the ledger refuse an invoice's payment as often as it comes (a loaded
// machine may miss an answer), and the shop be told.
func (b *bundle) paymentFails(t *testing.T, inv magentosim.Invoice) {
	t.Helper()
	b.xero.Inject(xerosim.Fault{Operation: "PUT /Payments", Status: http.StatusBadRequest, Body: refusal, Times: 20})
	b.until(t, b.paid(t, inv), toldAs(syncrun.Failed))
}

// paymentShown waits until nothing is left to be told, and the shop shows why the payment
// failed beside the invoice that is there.
func (b *bundle) paymentShown(t *testing.T, inv magentosim.Invoice) {
	t.Helper()
	b.settled(t, inv, "failed", "validation")
}

func (b *bundle) settled(t *testing.T, inv magentosim.Invoice, status, code string) {
	t.Helper()
	eventually(t, func() bool {
		chip := b.shop.Chip("invoice", inv.ID)
		return chip.Status == status && chip.ErrorCode == code && chip.ProviderEntityID != "" &&
			b.count(t, "SELECT count(*) FROM sync_runs WHERE stage <> 'done'") == 0
	}, "all is told")
	require.Equal(t, inv.IncrementID, b.shop.Chip("invoice", inv.ID).ProviderReference)
	b.noMismatch(t)
}

// wordLost waits until a run has ended, and its job that tells the shop has to try again.
func (b *bundle) wordLost(t *testing.T, id uuid.UUID) {
	t.Helper()
	b.until(t, id, func(r dbsqlc.SyncRun) bool {
		return r.Stage == "push" && b.job(t, "push_sync_state", id).Attempt == 1 && b.job(t, "push_sync_state", id).State != "running"
	})
}

// tellNow makes the job due that tells the shop of a run's end.
func (b *bundle) tellNow(t *testing.T, id uuid.UUID) {
	t.Helper()
	_, err := b.insert.JobRetry(t.Context(), b.job(t, "push_sync_state", id).ID)
	require.NoError(t, err)
}

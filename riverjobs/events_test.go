package riverjobs_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/outbound"
	"towpath/pkg/policy"
	"towpath/pkg/provider/freeagent/freeagentsim"
	"towpath/pkg/provider/xero"
	"towpath/pkg/syncrun"
)

// banked is a policy under which money has an account.
func (b *bundle) banked(t *testing.T) policy.Policy {
	t.Helper()
	p := samplePolicy()
	account := b.bank(t)
	p.DefaultBankAccountID = &account
	if b.v2 != nil {
		category := b.boundTo(t).ApiUrl + "/v2/categories/001"
		p.V2IncomeCategoryURL, p.V2InvoiceStatus = &category, "Sent"
	}
	return p
}

// bank is an account of the ledger that takes payments.
func (b *bundle) bank(t *testing.T) string {
	t.Helper()
	if b.v2 != nil {
		return b.boundTo(t).ApiUrl + "/v2/bank_accounts/1"
	}
	client, err := xero.New(xero.Config{BaseURL: b.boundTo(t).ApiUrl, OrgID: orgID, HTTP: outbound.New(outbound.Config{AllowPrivate: true, Timeout: 20 * time.Second}),
		Token: func(context.Context) (string, error) { return "token", nil }})
	require.NoError(t, err)
	ref, err := client.Reference(t.Context())
	require.NoError(t, err)
	for _, a := range ref.Accounts {
		if a.Type == "BANK" && a.Status == "ACTIVE" {
			return a.ID
		}
	}
	require.Fail(t, "no bank account")
	return ""
}

// paid marks an invoice as paid in the shop and accepts the event.
func (b *bundle) paid(t *testing.T, inv magentosim.Invoice) uuid.UUID {
	t.Helper()
	require.NoError(t, b.shop.MarkPaid(inv.ID))
	return b.accept(t, "invoice.paid", inv.ID)
}

// refunded makes a memo in the shop and accepts the event.
func (b *bundle) refunded(t *testing.T, inv magentosim.Invoice, r magentosim.Refund) (magentosim.Memo, uuid.UUID) {
	t.Helper()
	memo, err := b.shop.RefundInvoice(inv.ID, r)
	require.NoError(t, err)
	return memo, b.accept(t, "creditmemo.created", memo.ID)
}

// partly takes back n of the first line and nothing else.
func (b *bundle) partly(t *testing.T, inv magentosim.Invoice, n int64) magentosim.Refund {
	t.Helper()
	lines, ok := b.shop.Left(inv.ID)
	require.True(t, ok)
	r := magentosim.Refund{Quantities: make([]decimal.Decimal, len(lines)), Shipping: new(decimal.Decimal)}
	r.Quantities[0] = decimal.NewFromInt(n)
	return r
}

// setupMoney binds the shop to Xero, with an account for money.
func setupMoney(t *testing.T) *bundle {
	t.Helper()
	b := setup(t)
	b.setPolicy(t, 2, b.banked(t))
	return b
}

// setupMoneyV2 binds it to wire v2.
func setupMoneyV2(t *testing.T) *bundle {
	t.Helper()
	b := setupV2On(t, freeagentsim.Config{})
	b.setPolicy(t, 2, b.banked(t))
	return b
}

// succeeded waits until the shop knows that a run succeeded.
func (b *bundle) succeeded(t *testing.T, id uuid.UUID) dbsqlc.SyncRun {
	t.Helper()
	run := b.until(t, id, func(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Held || told(r) })
	require.Equal(t, syncrun.Succeeded, run.Status, "%s: %v %v", run.Event, text(run.ErrorMessage), text(run.HoldReason)+" "+text(run.ErrorDetail))
	return run
}

func Test_Payment(t *testing.T) {
	t.Parallel()

	for wire, setup := range map[string]func(*testing.T) *bundle{"accounting": setupMoney, "v2": setupMoneyV2} {
		t.Run("Is_written_once_and_belongs_to_the_invoices_chip_on_"+wire, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.work(t)
			inv, id := b.raise(t, "plain_vat")
			first := b.succeeded(t, id)
			paid := b.succeeded(t, b.paid(t, inv))
			require.Equal(t, first.ProviderEntityID, paid.ProviderEntityID, "the shop shows the invoice")
			require.Equal(t, "0.00", b.ledger.due(inv.IncrementID))
			require.Equal(t, "synced", b.shop.Chip("invoice", inv.ID).Status)
			b.succeeded(t, b.accept(t, "invoice.paid", inv.ID))
			require.Equal(t, 1, b.ledger.payments())
			b.noMismatch(t)
		})

		t.Run("Waits_for_its_invoice_and_is_let_go_on_by_its_end_on_"+wire, func(t *testing.T) {
			t.Parallel()
			b, gate := setup(t), newGate("before invoice")
			b.work(t, watch(gate.at))
			t.Cleanup(gate.release)
			inv, id := b.raise(t, "plain_vat")
			arrived(t, gate.arrived)
			payment := b.paid(t, inv)
			b.until(t, payment, func(r dbsqlc.SyncRun) bool {
				return r.Status == syncrun.Queued && b.jobState(t, payment) == "scheduled"
			})
			gate.release()
			b.succeeded(t, id)
			b.succeeded(t, payment)
			require.Equal(t, "0.00", b.ledger.due(inv.IncrementID))
			b.noMismatch(t)
		})
	}

	t.Run("Is_let_go_on_though_a_process_held_for_dead_has_written_over_its_metadata", func(t *testing.T) {
		t.Parallel()
		b, gate := setupMoney(t), newGate("before invoice")
		b.work(t, watch(gate.at))
		t.Cleanup(gate.release)
		inv, id := b.raise(t, "plain_vat")
		arrived(t, gate.arrived)
		payment := b.paid(t, inv)
		eventually(t, func() bool { return b.jobState(t, payment) == "scheduled" }, "it is parked")
		// River merges the metadata of a late answer whatever the job's state is.
		b.exec(t, `UPDATE river.river_job SET metadata = metadata || '{"towpath": {"attempt": 9, "outcome": "wait"}}' WHERE id = $1`, b.job(t, "post_payment", payment).ID)
		gate.release()
		b.succeeded(t, id)
		b.succeeded(t, payment)
		b.noMismatch(t)
	})

	t.Run("Put_off_by_a_process_held_for_dead_goes_on_at_once", func(t *testing.T) {
		t.Parallel()
		b, gate := setupMoney(t), newGate("before invoice")
		b.work(t, watch(gate.at))
		t.Cleanup(gate.release)
		inv, id := b.raise(t, "plain_vat")
		arrived(t, gate.arrived)
		// As River writes the snooze of an attempt that was taken over: by the job's id alone.
		b.exec(t, `UPDATE river.river_job SET state = 'scheduled', scheduled_at = now() + interval '10 minutes',
			metadata = metadata || '{"towpath": {"attempt": 9, "outcome": "wait", "parked": true}}' WHERE id = $1`, b.job(t, "post_invoice", id).ID)
		gate.release()
		b.succeeded(t, id)
		b.oneOfEach(t, inv)
		b.noMismatch(t)
	})

	t.Run("Of_an_invoice_that_failed_waits_with_that_as_its_reason_until_it_is_retried", func(t *testing.T) {
		t.Parallel()
		b := setupMoney(t)
		b.work(t)
		inv, err := b.shop.RaiseCanonical(sample(t, "plain_vat"))
		require.NoError(t, err)
		b.shop.Inject(magentosim.RouteInvoice, magentosim.Answers(404, `{"message":"gone"}`))
		id := b.accept(t, "invoice.created", inv.ID)
		b.onceTold(t, id, syncrun.Failed)
		payment := b.paid(t, inv)
		b.until(t, payment, heldFor("invoice_failed"))
		require.NoError(t, b.op.Retry(t.Context(), id))
		b.succeeded(t, id)
		b.succeeded(t, payment)
		require.Equal(t, "0.00", b.ledger.due(inv.IncrementID))
		b.noMismatch(t)
	})

	t.Run("Of_an_invoice_that_was_left_out_is_left_out_and_retried_with_it", func(t *testing.T) {
		t.Parallel()
		b := setupMoney(t)
		p := b.banked(t)
		p.StoreFilter = []int64{77}
		b.setPolicy(t, 3, p)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		require.Equal(t, syncrun.Skipped, b.until(t, id, told).Status)
		run := b.until(t, b.paid(t, inv), told)
		require.Equal(t, "invoice_not_synced", text(run.SkipReason))
		b.setPolicy(t, 4, b.banked(t))
		require.NoError(t, b.op.Retry(t.Context(), id))
		b.succeeded(t, id)
		b.succeeded(t, run.ID) // it is taken along
		require.Equal(t, "0.00", b.ledger.due(inv.IncrementID))
		b.noMismatch(t)
	})

	t.Run("Without_an_account_is_held_and_released_by_the_setting", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		b.succeeded(t, id)
		payment := b.paid(t, inv)
		b.until(t, payment, heldFor("payment_method_not_mapped"))
		b.setPolicy(t, 2, b.banked(t))
		b.release(t, 2, 1)
		b.succeeded(t, payment)
		require.Equal(t, "0.00", b.ledger.due(inv.IncrementID))
	})

	t.Run("Of_an_invoice_older_than_the_binding_finds_it_in_the_ledger_or_is_held", func(t *testing.T) {
		t.Parallel()
		b := setupMoney(t)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		b.succeeded(t, id)
		b.forget(t, id)
		other, err := b.shop.RaiseCanonical(sample(t, "plain_vat"))
		require.NoError(t, err)
		b.succeeded(t, b.paid(t, inv))
		require.Equal(t, "0.00", b.ledger.due(inv.IncrementID))
		b.until(t, b.paid(t, other), heldFor("invoice_unknown"))
	})
}

func Test_Credit_note(t *testing.T) {
	t.Parallel()
	for wire, setup := range map[string]func(*testing.T) *bundle{"accounting": setupMoney, "v2": setupMoneyV2} {
		t.Run("Of_an_open_invoice_is_set_against_it_in_part_on_"+wire, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.work(t)
			inv, id := b.raise(t, "plain_vat")
			b.succeeded(t, id)
			memo, credit := b.refunded(t, inv, b.partly(t, inv, 1))
			run := b.succeeded(t, credit)
			require.Equal(t, "invoice:"+itoa(inv.ID), run.Lane, "it joins its invoice's lane")
			require.Equal(t, decimal.RequireFromString(inv.GrandTotal).Sub(memo.GrandTotal).StringFixed(2), b.ledger.due(inv.IncrementID))
			require.Equal(t, "0.00", b.ledger.due(memo.IncrementID))
			require.Equal(t, "synced", b.shop.Chip("creditmemo", memo.ID).Status)
			require.Zero(t, b.ledger.payments())
			b.noMismatch(t)
		})

		t.Run("Of_a_paid_invoice_is_paid_back_on_"+wire, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.work(t)
			inv, id := b.raise(t, "plain_vat")
			b.succeeded(t, id)
			b.succeeded(t, b.paid(t, inv))
			memo, credit := b.refunded(t, inv, b.partly(t, inv, 1))
			b.succeeded(t, credit)
			require.Equal(t, "0.00", b.ledger.due(inv.IncrementID))
			require.Equal(t, "0.00", b.ledger.due(memo.IncrementID))
			require.Equal(t, 2, b.ledger.payments())
			rest, again := b.refunded(t, inv, magentosim.Refund{})
			b.succeeded(t, again)
			require.Equal(t, "0.00", b.ledger.due(rest.IncrementID))
			require.Equal(t, 3, b.ledger.payments())
			b.noMismatch(t)
		})
	}
}

// The shop shows a memo's customer as it is now. A guest who has an account since, under
// another name and e-mail, has the money back where the sale is booked.
func Test_Credit_note_is_booked_on_its_invoices_contact(t *testing.T) {
	t.Parallel()
	for wire, setup := range map[string]func(*testing.T) *bundle{"accounting": setupMoney, "v2": setupMoneyV2} {
		for _, paid := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s_paid_%t", wire, paid), func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				b.work(t)
				inv, id := b.raise(t, "plain_vat")
				b.succeeded(t, id)
				if paid {
					b.succeeded(t, b.paid(t, inv))
				}
				_, err := b.shop.EditCustomer(1042, map[string]any{"magento_id": 5042, "email": "other@example.org", "first_name": "Olga", "last_name": "Other", "company": nil})
				require.NoError(t, err)
				memo, credit := b.refunded(t, inv, b.partly(t, inv, 1))
				b.succeeded(t, credit)
				require.Equal(t, "0.00", b.ledger.due(memo.IncrementID))
				require.Equal(t, 1, b.count(t, `SELECT count(DISTINCT document ->> 'contact_id') FROM sync_runs WHERE entity_type IN ('invoice', 'creditmemo') AND event <> 'invoice.paid'`))
				require.Zero(t, b.count(t, `SELECT count(*) FROM entity_xref WHERE shop_id = '5042'`), "nobody else was made")
			})
		}
	}
}

// A memo may come before its invoice's payment, and both before the settings name an
// account: what is open is the payment's all the same.
func Test_Credit_note_before_its_payment_and_before_the_setting(t *testing.T) {
	t.Parallel()
	for wire, setup := range map[string]func(*testing.T) *bundle{"accounting": setupMoney, "v2": setupMoneyV2} {
		t.Run(wire, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			banked := b.banked(t)
			unbanked := banked
			unbanked.DefaultBankAccountID = nil
			b.setPolicy(t, 3, unbanked)
			b.work(t)
			inv, id := b.raise(t, "plain_vat")
			b.succeeded(t, id)
			require.NoError(t, b.shop.MarkPaid(inv.ID))
			memo, credit := b.refunded(t, inv, b.partly(t, inv, 1))
			b.until(t, credit, heldFor("payment_method_not_mapped"))
			payment := b.accept(t, "invoice.paid", inv.ID)
			b.until(t, payment, heldFor("payment_method_not_mapped"))
			b.setPolicy(t, 4, banked)
			b.release(t, 4, 2)
			b.until(t, payment, told)
			b.until(t, credit, told)
			require.Equal(t, "0.00", b.ledger.due(inv.IncrementID))
			require.Equal(t, "0.00", b.ledger.due(memo.IncrementID))
			require.Equal(t, 2, b.ledger.payments())
			b.noMismatch(t)
		})
	}
}

// What a memo refers to is its invoice as it was written, whatever the settings say now.
func Test_Credit_note_names_the_number_that_its_invoice_has(t *testing.T) {
	t.Parallel()
	b := setupMoney(t)
	b.work(t)
	inv, id := b.raise(t, "plain_vat")
	b.succeeded(t, id)
	p, prefix := b.banked(t), "M-"
	p.InvoiceNumberPrefix = &prefix
	b.setPolicy(t, 3, p)
	memo, credit := b.refunded(t, inv, b.partly(t, inv, 1))
	b.succeeded(t, credit)
	notes := b.xero.CreditNotes()
	require.Len(t, notes, 1)
	require.Equal(t, "M-"+memo.IncrementID, notes[0].Number)
	require.Equal(t, inv.IncrementID, notes[0].Reference)
}

func Test_Customer_change(t *testing.T) {
	t.Parallel()

	t.Run("Ten_in_a_second_are_one_write_of_the_last", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		_, id := b.raise(t, "plain_vat")
		b.succeeded(t, id)
		var ids []uuid.UUID
		for n := range 10 {
			_, err := b.shop.EditCustomer(customerOf(t), map[string]any{"email": "new" + itoa(int64(n)) + "@example.com"})
			require.NoError(t, err)
		}
		// In one commit, so that they come within a second on any machine.
		ids = b.acceptAt(t, now, "customer.upserted", slices.Repeat([]int64{customerOf(t)}, 10)...)
		for _, id := range ids {
			b.succeeded(t, id)
		}
		require.Equal(t, "new9@example.com", b.xero.Contacts()[0].Email)
		require.Equal(t, 1, b.xero.Calls("POST /Contacts"))
		b.noMismatch(t)
	})

	t.Run("Of_one_who_never_bought_is_left_out_unless_the_settings_say_so", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		_, err := b.shop.RaiseCanonical(sample(t, "plain_vat"))
		require.NoError(t, err)
		_, err = b.shop.EditCustomer(customerOf(t), map[string]any{"email": "new@example.com"})
		require.NoError(t, err)
		run := b.until(t, b.accept(t, "customer.upserted", customerOf(t)), told)
		require.Equal(t, "customers_not_synced", text(run.SkipReason))
		p := samplePolicy()
		p.SyncCustomers = true
		b.setPolicy(t, 2, p)
		b.succeeded(t, b.accept(t, "customer.upserted", customerOf(t)))
		require.Equal(t, "new@example.com", b.xero.Contacts()[0].Email)
	})
}

func Test_Product(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.work(t)
	_, err := b.shop.SaveProduct(magentosim.Product{ID: 7, SKU: "24-MB01", Name: "Rope", Price: new(decimal.RequireFromString("5.25"))})
	require.NoError(t, err)
	run := b.until(t, b.accept(t, "product.upserted", 7), told)
	require.Equal(t, "products_not_synced", text(run.SkipReason))
	p := samplePolicy()
	p.SyncProducts = true
	b.setPolicy(t, 2, p)
	b.succeeded(t, b.accept(t, "product.upserted", 7))
	b.succeeded(t, b.accept(t, "product.upserted", 7))
	require.Len(t, b.xero.Items(), 1)
	require.Equal(t, "24-MB01", b.xero.Items()[0].Code)
	require.Equal(t, 1, b.xero.Calls("POST /Items")+b.xero.Calls("PUT /Items"))
	b.noMismatch(t)
}

// Lines name the items that the shop's products have become; one that a person deletes
// in Xero meanwhile costs one more call, and comes back with its product's next event.
func Test_Lines_carry_the_codes_of_items_that_are_known(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.work(t)
	p := b.banked(t)
	p.SyncProducts = true
	b.setPolicy(t, 2, p)
	item := func() {
		t.Helper()
		_, err := b.shop.SaveProduct(magentosim.Product{ID: 7, SKU: "SKU-001", Name: "Widget", Price: new(decimal.RequireFromString("5.25"))})
		require.NoError(t, err)
		b.succeeded(t, b.accept(t, "product.upserted", 7))
	}
	lines := func() (codes []string) {
		all := b.xero.Invoices()
		for _, l := range all[len(all)-1].Lines[:3] {
			codes = append(codes, l.Item)
		}
		return codes
	}
	item()
	inv, id := b.raise(t, "plain_vat")
	b.onceTold(t, id, syncrun.Succeeded)
	require.Equal(t, []string{"SKU-001", "", ""}, lines())

	b.xero.DeleteItem("SKU-001")
	calls := b.xero.Calls("PUT /Invoices")
	_, id = b.raise(t, "plain_vat")
	b.onceTold(t, id, syncrun.Succeeded)
	require.Equal(t, []string{"", "", ""}, lines())
	require.Equal(t, calls+2, b.xero.Calls("PUT /Invoices"))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM sync_run_events WHERE run_id = $1 AND why LIKE '%without item codes, since the ledger does not know SKU-001 any more'", id))
	_, id = b.raise(t, "plain_vat")
	b.onceTold(t, id, syncrun.Succeeded)
	require.Equal(t, calls+3, b.xero.Calls("PUT /Invoices"), "it is known to be gone")

	item()
	require.Len(t, b.xero.Items(), 1)
	_, id = b.refunded(t, inv, b.partly(t, inv, 1))
	b.succeeded(t, id)
	require.Equal(t, "SKU-001", b.xero.CreditNotes()[0].Lines[0].Item)
	_, id = b.raise(t, "plain_vat")
	b.onceTold(t, id, syncrun.Succeeded)
	require.Equal(t, []string{"SKU-001", "", ""}, lines())
	b.noMismatch(t)
}

func Test_Item_that_becomes_known_between_two_attempts_leaves_the_document_as_it_was(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.work(t, firstDelay(hour))
	p := b.banked(t)
	p.SyncProducts = true
	b.setPolicy(t, 2, p)
	b.ledger.inject("invoice", failed)
	_, id := b.raise(t, "plain_vat")
	b.until(t, id, func(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Queued && r.ErrorCode != nil })
	body := func() (hash string) {
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT body_hash FROM provider_intents WHERE run_id = $1 AND operation = 'invoice'", id).Scan(&hash))
		return hash
	}
	first := body()
	_, err := b.shop.SaveProduct(magentosim.Product{ID: 7, SKU: "SKU-001", Name: "Widget", Price: new(decimal.RequireFromString("5.25"))})
	require.NoError(t, err)
	b.succeeded(t, b.accept(t, "product.upserted", 7))
	require.NoError(t, b.op.Retry(t.Context(), id))
	b.until(t, id, toldAs(syncrun.Succeeded))
	require.Equal(t, first, body(), "the same body, so the same idempotency key")
	require.Empty(t, b.xero.Invoices()[0].Lines[0].Item)
	_, id = b.raise(t, "plain_vat")
	b.until(t, id, toldAs(syncrun.Succeeded))
	require.Equal(t, "SKU-001", b.xero.Invoices()[1].Lines[0].Item, "the next one has it")
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// sample is the canonical form of a sample.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	return canontest.Named(t, name).Raw
}

// customerOf is the shop's id of plain_vat's customer.
func customerOf(t *testing.T) int64 {
	t.Helper()
	return int64(canontest.Named(t, "plain_vat").Invoice.Customer.MagentoID)
}

// jobState is the state of the job that a run waits for.
func (b *bundle) jobState(t *testing.T, id uuid.UUID) (state string) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT coalesce((SELECT job.state::text FROM sync_runs AS run JOIN river.river_job AS job ON job.id = run.river_job_id WHERE run.id = $1), '')", id).Scan(&state))
	return state
}

// forget leaves nothing here of a run that has ended, as after a move to a new
// database.
func (b *bundle) forget(t *testing.T, id uuid.UUID) {
	t.Helper()
	for _, table := range []string{"provider_intents", "entity_xref", "sync_run_events"} {
		b.exec(t, "DELETE FROM "+table+" WHERE run_id = $1", id)
	}
	b.exec(t, "DELETE FROM sync_runs WHERE id = $1", id)
}

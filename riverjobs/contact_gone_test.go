package riverjobs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

func Test_A_remembered_contact(t *testing.T) {
	t.Parallel()

	t.Run("That_was_merged_is_followed_to_the_one_that_is_left", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		_, first := b.raise(t, "plain_vat")
		b.until(t, first, told)
		into := b.xero.AddContact("", "Analytical Engines and Sons")
		b.xero.MergeContact(b.xero.Contacts()[0].ID, into)
		inv, second := b.raise(t, "plain_vat")
		require.Equal(t, syncrun.Succeeded, b.until(t, second, told).Status)
		for _, doc := range b.xero.Invoices() {
			if doc.Number == inv.IncrementID {
				require.Equal(t, into, doc.ContactID)
			}
		}
		require.Len(t, b.xero.Contacts(), 2)
	})

	t.Run("Of_an_invoice_that_was_merged_is_followed_by_its_credit_note", func(t *testing.T) {
		t.Parallel()
		b := setupMoney(t)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		b.succeeded(t, id)
		into := b.xero.AddContact("", "Analytical Engines and Sons")
		b.xero.MergeContact(b.xero.Contacts()[0].ID, into)
		memo, credit := b.refunded(t, inv, b.partly(t, inv, 1))
		b.succeeded(t, credit)
		require.Equal(t, into, b.xero.CreditNotes()[0].ContactID)
		require.Equal(t, "0.00", b.ledger.due(memo.IncrementID))
		require.Len(t, b.xero.Contacts(), 2)
	})

	t.Run("Of_an_invoice_that_is_archived_holds_its_credit_note_until_it_is_restored", func(t *testing.T) {
		t.Parallel()
		b := setupMoney(t)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		b.succeeded(t, id)
		contact := b.xero.Contacts()[0].ID
		b.xero.ArchiveContact(contact)
		memo, credit := b.refunded(t, inv, b.partly(t, inv, 1))
		b.until(t, credit, heldFor("contact_archived"))
		b.xero.RestoreContact(contact)
		require.NoError(t, b.op.Retry(t.Context(), credit))
		b.succeeded(t, credit)
		require.Equal(t, "0.00", b.ledger.due(memo.IncrementID))
		require.Len(t, b.xero.Contacts(), 1)
	})

	t.Run("That_is_archived_holds_the_run_until_it_is_restored", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		_, first := b.raise(t, "plain_vat")
		b.until(t, first, told)
		contact := b.xero.Contacts()[0].ID
		b.xero.ArchiveContact(contact)
		_, second := b.raise(t, "plain_vat")
		run := b.until(t, second, func(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Held })
		require.Equal(t, "contact_archived", *run.HoldReason)
		b.xero.RestoreContact(contact)
		require.NoError(t, b.op.Retry(t.Context(), second))
		require.Equal(t, syncrun.Succeeded, b.until(t, second, told).Status)
		require.Len(t, b.xero.Contacts(), 1)
	})
}

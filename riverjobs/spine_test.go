package riverjobs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/syncrun"
)

func Test_Spine(t *testing.T) {
	t.Parallel()

	t.Run("Every_sample_is_posted_once_to_the_penny_and_told", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		for _, sample := range canontest.Samples(t) {
			inv, id := b.raise(t, sample.Name)
			run := b.until(t, id, told)
			require.Equal(t, syncrun.Succeeded, run.Status, "%s: %v %v", sample.Name, run.ErrorMessage, run.ErrorDetail)
			require.Equal(t, sample.Invoice.GrandTotal.StringFixed(2), b.xero.Total(inv.IncrementID), sample.Name)
			require.Equal(t, "synced", b.shop.Chip("invoice", inv.ID).Status)
			require.Equal(t, *run.ProviderEntityID, b.shop.Chip("invoice", inv.ID).ProviderEntityID)
		}
		require.Len(t, b.xero.Invoices(), 17)
		b.noMismatch(t)
	})

	t.Run("Skipped_by_policy_is_told_with_its_reason", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		p := samplePolicy()
		p.SyncZeroValueInvoices = false
		b.setPolicy(t, 2, p)
		b.work(t)
		inv, id := b.raise(t, "zero_value")
		run := b.until(t, id, told)
		require.Equal(t, syncrun.Skipped, run.Status)
		require.Equal(t, policy.SkipZeroValue, *run.SkipReason)
		require.Equal(t, "skipped", b.shop.Chip("invoice", inv.ID).Status)
		require.Empty(t, b.xero.Invoices())
	})

	t.Run("A_second_event_for_a_posted_invoice_makes_no_second_document", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		first := b.until(t, id, told)
		second := b.until(t, b.accept(t, "invoice.created", inv.ID), told)
		require.Equal(t, first.ProviderEntityID, second.ProviderEntityID)
		require.Len(t, b.xero.Invoices(), 1)
	})
}

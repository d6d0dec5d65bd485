package riverjobs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/policy"
	"towpath/pkg/provider/freeagent/freeagentsim"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/syncrun"
)

func Test_A_document_that_may_exist(t *testing.T) {
	t.Parallel()

	lost := xerosim.Fault{Operation: "PUT /Invoices", When: xerosim.After, Half: true}
	prefixed := func() policy.Policy {
		p, prefix := samplePolicy(), "M-"
		p.InvoiceNumberPrefix = &prefix
		return p
	}

	t.Run("Keeps_its_number_when_a_prefix_is_set_while_the_run_is_held", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.xero.Inject(lost, xerosim.Fault{Operation: "GET /Invoices", Status: 403, Body: `{"Detail":"AuthenticationUnsuccessful"}`})
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		b.until(t, id, func(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Held })
		b.setPolicy(t, 2, prefixed())
		require.NoError(t, b.op.Retry(t.Context(), id))
		run := b.until(t, id, told)
		require.Equal(t, inv.IncrementID, *run.ProviderReference)
		require.Len(t, b.xero.Invoices(), 1)
	})

	t.Run("Keeps_its_number_over_cancel_and_retry", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.xero.Inject(lost, xerosim.Fault{Operation: "GET /Invoices", Status: 503, Body: "The Xero API is currently offline for maintenance", Times: 3})
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		b.until(t, id, func(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Queued && r.Stage == "post" && r.Attempt >= 2 })
		require.NoError(t, b.op.Cancel(t.Context(), id))
		b.until(t, id, toldAs(syncrun.Cancelled))
		b.setPolicy(t, 2, prefixed())
		require.NoError(t, b.op.Retry(t.Context(), id))
		run := b.until(t, id, toldAs(syncrun.Succeeded))
		require.Equal(t, inv.IncrementID, *run.ProviderReference)
		require.Len(t, b.xero.Invoices(), 1)
	})

	t.Run("Takes_the_new_prefix_where_the_provider_has_refused_the_old_number", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		_, first := b.raise(t, "plain_vat")
		posted := b.until(t, first, told)
		// The same number of another shop's invoice: another total.
		other := canontest.Named(t, "mixed_rates").Invoice
		other.MagentoID, other.IncrementID = 999, *posted.ProviderReference
		inv, err := b.shop.RaiseExact(magentosim.CanonicalJSON(other))
		require.NoError(t, err)
		id := b.accept(t, "invoice.created", inv.ID)
		held := b.until(t, id, func(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Held })
		require.Equal(t, "number_taken", *held.HoldReason)
		b.setPolicy(t, 2, prefixed())
		require.NoError(t, b.op.Retry(t.Context(), id))
		run := b.until(t, id, told)
		require.Equal(t, syncrun.Succeeded, run.Status)
		require.Equal(t, "M-"+*posted.ProviderReference, *run.ProviderReference)
	})

	t.Run("Keeps_its_number_where_only_a_later_step_of_it_was_refused", func(t *testing.T) {
		t.Parallel()
		b := setupV2(t)
		category := b.boundTo(t).ApiUrl + "/v2/categories/001"
		p := samplePolicy()
		p.V2IncomeCategoryURL, p.V2InvoiceStatus = &category, "Sent"
		b.setPolicy(t, 2, p)
		b.v2.Inject(freeagentsim.Fault{Operation: freeagentsim.InvoiceSend, Status: 422, Body: `{"errors":[{"message":"not now"}]}`})
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		b.until(t, id, func(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Held || toldAs(syncrun.Failed)(r) })
		require.Len(t, b.v2.Invoices(), 1, "it was written, and not sent")
		p.InvoiceNumberPrefix = prefixed().InvoiceNumberPrefix
		b.setPolicy(t, 3, p)
		require.NoError(t, b.op.Retry(t.Context(), id))
		b.until(t, id, toldAs(syncrun.Succeeded))
		b.oneOfEach(t, inv)
	})

	t.Run("Of_another_invoice_with_the_same_number_and_total_holds_the_run", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		_, first := b.raise(t, "plain_vat")
		posted := b.until(t, first, told)
		twin := canontest.Named(t, "plain_vat").Invoice
		twin.MagentoID, twin.IncrementID = 999, *posted.ProviderReference
		inv, err := b.shop.RaiseExact(magentosim.CanonicalJSON(twin))
		require.NoError(t, err)
		held := b.until(t, b.accept(t, "invoice.created", inv.ID), func(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Held })
		require.Equal(t, "number_taken", *held.HoldReason)
		require.Len(t, b.xero.Invoices(), 1)
	})
}

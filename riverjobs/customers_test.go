package riverjobs_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

func Test_Customer(t *testing.T) {
	t.Parallel()
	for wire, setup := range map[string]func(*testing.T) *bundle{"accounting": setup, "v2": setupV2} {
		t.Run("Two_runs_of_a_new_one_at_the_same_moment_make_one_contact_on_"+wire, func(t *testing.T) {
			t.Parallel()
			b, g := setup(t), newGate("before contact")
			b.work(t, watch(g.at))
			t.Cleanup(g.release)
			_, first := b.raise(t, "plain_vat")
			_, second := b.raise(t, "plain_vat")
			arrived(t, g.arrived) // one is at its call; the other must wait for it
			waits := func(r dbsqlc.SyncRun) bool {
				return r.Status == syncrun.Queued && r.Stage == "post" && r.ErrorMessage != nil
			}
			eventually(t, func() bool { return waits(b.run(t, first)) || waits(b.run(t, second)) }, "the other waits")
			require.Zero(t, b.ledger.contacts())
			g.release()
			b.onceTold(t, first, syncrun.Succeeded)
			b.onceTold(t, second, syncrun.Succeeded)
			require.Equal(t, 1, b.ledger.contacts())
			require.Equal(t, 1, b.ledger.calls("contact"))
			require.Len(t, b.ledger.documents(), 2)
		})

		t.Run("Held_run_does_not_keep_the_customers_others_waiting_on_"+wire, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.ledger.hold("contact")
			b.work(t)
			_, held := b.raise(t, "plain_vat")
			b.until(t, held, is(syncrun.Held))
			_, other := b.raise(t, "plain_vat")
			b.onceTold(t, other, syncrun.Succeeded)
			require.NoError(t, b.op.Retry(t.Context(), held))
			b.onceTold(t, held, syncrun.Succeeded)
			require.Equal(t, 1, b.ledger.contacts())
		})
	}

	t.Run("Invoice_does_not_wait_for_the_payment_that_came_before_it", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		inv, err := b.shop.RaiseCanonical(canontest.Named(t, "plain_vat").Raw)
		require.NoError(t, err)
		paid := b.paid(t, inv) // held: no account for its money
		b.work(t)
		b.until(t, paid, is(syncrun.Held))
		created := b.accept(t, "invoice.created", inv.ID)
		b.onceTold(t, created, syncrun.Succeeded)
		b.oneOfEach(t, inv)
	})
}

func Test_Wire_v2(t *testing.T) {
	t.Parallel()

	t.Run("Every_sample_is_posted_once_to_the_penny_and_told", func(t *testing.T) {
		t.Parallel()
		b := setupV2(t)
		b.work(t)
		samples := canontest.Samples(t)
		ids, want := make([]uuid.UUID, len(samples)), map[string]string{}
		for i, sample := range samples {
			inv, id := b.raise(t, sample.Name)
			ids[i], want[inv.IncrementID] = id, sample.Invoice.GrandTotal.StringFixed(2)
		}
		for _, id := range ids {
			b.onceTold(t, id, syncrun.Succeeded)
		}
		got := map[string]string{}
		for _, d := range b.ledger.documents() {
			require.NotContains(t, got, d.number)
			got[d.number] = d.total
		}
		require.Equal(t, want, got)
	})
}

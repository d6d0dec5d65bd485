package riverjobs_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/syncrun"
)

// callsOf are the ids of calls in a run's history, by the step that they stand at and
// what it led to.
func (b *bundle) callsOf(t *testing.T, id uuid.UUID) map[string][]string {
	t.Helper()
	events, err := dbsqlc.New().SyncRunEventList(t.Context(), b.pool, id)
	require.NoError(t, err)
	found := map[string][]string{}
	for _, e := range events {
		if len(e.Calls) > 0 {
			found[e.Step+" "+e.ToStatus] = append(found[e.Step+" "+e.ToStatus], e.Calls...)
		}
	}
	return found
}

// kept are the calls that are kept of a run, oldest first, and the row as it is stored.
func (b *bundle) kept(t *testing.T, id uuid.UUID) (calls []provider.Call, stored string) {
	t.Helper()
	rows, err := dbsqlc.New().RunCallsList(t.Context(), b.pool, id)
	require.NoError(t, err)
	for _, row := range rows {
		some, err := provider.DecodeCalls(row.Calls)
		require.NoError(t, err)
		calls, stored = append(calls, some...), stored+string(row.Calls)
	}
	return calls, stored
}

// What the provider's support asks for stands at the step that the calls led to.
func Test_The_providers_ids_of_calls_are_in_the_history(t *testing.T) {
	t.Parallel()
	answer := func(b *bundle, operation string, status int, message string) {
		b.xero.Inject(xerosim.Fault{Operation: operation, Status: status,
			Body: `{"Type":"ValidationException","Elements":[{"ValidationErrors":[{"Message":"` + message + `"}]}]}`})
	}
	t.Run("Of_a_document_with_its_contact", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		_, id := b.raise(t, "plain_vat")
		b.onceTold(t, id, syncrun.Succeeded)
		calls := b.callsOf(t, id)
		require.Len(t, calls, 1)
		require.Len(t, calls["post succeeded"], 2, "the contact's, then the invoice's")
		kept, stored := b.kept(t, id)
		require.Len(t, kept, 2)
		require.Contains(t, kept[0].Sent, `"Contacts"`)
		require.Contains(t, kept[1].Sent, `"InvoiceNumber"`)
		require.Contains(t, kept[1].Answer, `"InvoiceID"`)
		require.Equal(t, []any{200, calls["post succeeded"][1]}, []any{kept[1].Status, kept[1].ID})
		require.NotContains(t, stored, "Bearer")
	})
	t.Run("Of_one_that_is_refused", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		answer(b, "PUT /Invoices", http.StatusBadRequest, "Nobody has heard of that")
		b.work(t)
		_, id := b.raise(t, "plain_vat")
		b.onceTold(t, id, syncrun.Failed)
		require.NotEmpty(t, b.callsOf(t, id)["post failed"])
		kept, _ := b.kept(t, id)
		require.Equal(t, 400, kept[1].Status)
		require.Contains(t, kept[1].Sent, `"InvoiceNumber"`)
		require.Contains(t, kept[1].Answer, "Nobody has heard of that")
	})
	t.Run("Of_one_that_is_held_or_tried_again", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.xero.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: http.StatusInternalServerError, When: xerosim.After})
		b.work(t)
		_, id := b.raise(t, "plain_vat")
		b.onceTold(t, id, syncrun.Succeeded)
		calls := b.callsOf(t, id)
		require.NotEmpty(t, calls["post queued"], "the attempt whose outcome was unknown")
		require.NotEmpty(t, calls["post succeeded"], "the one that found the document")

		answer(b, "PUT /Invoices", http.StatusBadRequest, "Account code '200' has been archived.")
		_, held := b.raise(t, "unit_based_tax")
		b.until(t, held, func(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Held })
		require.NotEmpty(t, b.callsOf(t, held)["post held"])
	})
	t.Run("Of_a_look_up_of_the_invoice_and_of_what_the_ledger_says_of_itself", func(t *testing.T) {
		t.Parallel()
		b := setupMoney(t)
		b.work(t)
		b.xero.Inject(xerosim.Fault{Operation: "GET /Organisation", Status: http.StatusInternalServerError})
		inv, id := b.raise(t, "plain_vat")
		b.until(t, id, toldAs(syncrun.Succeeded))
		require.NotEmpty(t, b.callsOf(t, id)["post queued"], "the organisation was not to be read")
		b.forget(t, id)
		paid := b.succeeded(t, b.paid(t, inv))
		require.Len(t, b.callsOf(t, paid.ID)["post succeeded"], 3, "the invoice by its number, its payments, the payment")
	})
	t.Run("Of_wire_v2", func(t *testing.T) {
		t.Parallel()
		b := setupV2(t)
		b.work(t)
		_, id := b.raise(t, "plain_vat")
		b.onceTold(t, id, syncrun.Succeeded)
		require.Len(t, b.callsOf(t, id)["post succeeded"], 2, "the contact's, then the invoice's")
	})
}

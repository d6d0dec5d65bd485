package freeagent

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

// Any credit memo that a shop can make is one credit note in the ledger, open at
// the memo's total to the penny; or it is held and nothing is posted.
func TestAnyCreditMemo_posted_to_the_penny_or_held(t *testing.T) {
	t.Parallel()
	cfg, pol := anyRate()
	pol.V2InvoiceStatus = "Sent"
	sim := freeagentsim.New(cfg)
	client := clientOf(t, sim)
	ref, err := client.Reference(t.Context())
	require.NoError(t, err)
	contact, err := ensureContact(t.Context(), client, ada(), provider.Try{})
	require.NoError(t, err)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		memo := canontest.DrawMemo(rt, int64(n))
		if memo.Currency != "GBP" {
			memo.Currency, memo.BaseToOrderRate = "GBP", nil
		}
		doc, err := client.CreditNote(memo, pol, ref, contact, "")
		if err != nil {
			if f := failureIn(t, err); f.Kind == provider.Refused {
				require.False(rt, memo.GrandTotal.GreaterThan(dec("0.01")), "%s: %s", memo.GrandTotal, f.Error()) // a cent that no part of it shows
			} else {
				requireHeld(rt, err)
			}
			return
		}
		before := len(sim.CreditNotes())
		for _, uncertain := range []bool{false, true} {
			out := client.EnsureCreditNotes(t.Context(), []provider.Item[provider.Document]{{Value: doc, Try: provider.Try{Uncertain: uncertain}}})[0]
			require.NoError(rt, out.Err)
			require.Equal(rt, uncertain, out.Value.Adopted)
			requireEqual(rt, memo.GrandTotal.Round(2), out.Value.Total.Decimal)
		}
		posted := sim.CreditNotes()
		require.Len(rt, posted, before+1)
		requireEqual(rt, memo.GrandTotal.Round(2).Neg(), posted[before].Due)
		require.Equal(rt, policy.NumberOf(memo.IncrementID, memo.StoreID, pol), posted[before].Reference)
	})
}

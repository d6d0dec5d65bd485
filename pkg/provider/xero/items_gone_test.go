package xero_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

// itemized are n documents whose first line names an item that Xero has, if it is put
// there, and the second one that it has not heard of where gone says so.
func (b bundle) itemized(t *testing.T, n int, gone func(i int) bool) documents {
	t.Helper()
	contact, ref := b.sim.AddContact("1", "Somebody"), b.reference(t)
	var set documents
	for i := range n {
		inv := canontest.Named(t, "plain_vat").Invoice
		inv.IncrementID = "N" + string(rune('A'+i))
		ref.ItemCodes = map[string]bool{inv.Lines[0].SKU: true, inv.Lines[1].SKU: gone(i)}
		doc, err := b.client.Document(inv, samplePolicy(), ref, contact, runURL)
		require.NoError(t, err)
		set = append(set, provider.Item[provider.Document]{Value: doc, Try: provider.Try{Key: "key of " + doc.Number}})
	}
	item, err := b.client.Item(canon.Product{SKU: canontest.Named(t, "plain_vat").Invoice.Lines[0].SKU, Name: "Widget"}, samplePolicy(), ref)
	require.NoError(t, err)
	require.NoError(t, b.client.EnsureItems(t.Context(), []provider.Item[provider.CatalogItem]{{Value: item, Try: provider.Try{Key: "item"}}})[0].Err)
	return set
}

// codes are the item codes of a document's lines.
func codes(v xerosim.Invoice) string {
	var all []string
	for _, l := range v.Lines {
		all = append(all, l.Item)
	}
	return strings.Trim(strings.Join(all, " "), " ")
}

func Test_A_document_whose_item_was_deleted_is_sent_once_more_without_item_codes(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"alone": 1, "in_a_set_of_one_such": 2, "in_a_set": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			set := b.itemized(t, n, func(i int) bool { return i%2 == 0 })
			outcomes := b.client.EnsureInvoices(t.Context(), set)
			b.posted(t, set, outcomes)
			for i, v := range b.sim.Invoices() {
				at := strings.Index("ABCDE", v.Number[1:])
				if at%2 == 0 {
					require.Empty(t, codes(v), i)
					require.Equal(t, []string{"SKU-002"}, outcomes[at].Value.GoneItems)
				} else {
					require.Equal(t, "SKU-001", codes(v))
					require.Empty(t, outcomes[at].Value.GoneItems)
				}
			}
			require.LessOrEqual(t, b.sim.Calls("PUT /Invoices"), 3)

			// An answer was lost: what is there is found, with or without its items.
			again := b.client.EnsureInvoices(t.Context(), uncertain(set))
			b.posted(t, set, again)
			require.Len(t, b.sim.Invoices(), n)
		})
	}
}

func Test_What_is_refused_for_something_else_too_is_not_sent_again(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.itemized(t, 1, func(int) bool { return true })
	set[0].Value.Body = []byte(strings.Replace(string(set[0].Value.Body), `"AccountCode":"200"`, `"AccountCode":"999"`, 1))
	outcomes := b.client.EnsureInvoices(t.Context(), set)
	require.Equal(t, provider.HeldAccountInvalid, provider.AsFailure(outcomes[0].Err).Reason)
	require.Equal(t, 1, b.sim.Calls("PUT /Invoices"))
}

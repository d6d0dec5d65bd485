package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
)

// A document that may exist under a number keeps it, whatever prefix the
// settings have now.
func Test_WithNumber_gives_the_number_that_was_written(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		inv := canon.Invoice{IncrementID: rapid.StringMatching(`[0-9]{1,9}`).Draw(t, "increment")}
		prefix := func(label string) *string {
			if !rapid.Bool().Draw(t, label+" is set") {
				return nil
			}
			p := rapid.StringMatching(`[A-Z0-9-]{0,5}`).Draw(t, label)
			return &p
		}
		then, now := policy.Default(), policy.Default()
		then.InvoiceNumberPrefix, now.InvoiceNumberPrefix = prefix("then"), prefix("now")
		if rapid.Bool().Draw(t, "by store") {
			now.NumberPrefixByStore["0"] = rapid.StringMatching(`[A-Z0-9-]{0,5}`).Draw(t, "store's")
		}
		written := policy.Number(inv, then)
		require.Equal(t, written, policy.Number(inv, policy.WithNumber(inv, now, written)))
	})
}

// One number in two stores: a prefix of its own for each makes two of them, and
// what no store is named for has the binding's.
func Test_Number_has_the_prefix_of_its_store(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	p.InvoiceNumberPrefix = new(string)
	*p.InvoiceNumberPrefix = "M-"
	p.NumberPrefixByStore = map[string]string{"2": "DE-", "3": ""}
	for store, want := range map[canon.Int]string{1: "M-100000001", 2: "DE-100000001", 3: "100000001"} {
		require.Equal(t, want, policy.Number(canon.Invoice{IncrementID: "100000001", StoreID: store}, p))
	}
}

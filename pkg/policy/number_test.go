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
		written := policy.Number(inv, then)
		require.Equal(t, written, policy.Number(inv, policy.WithNumber(inv, now, written)))
	})
}

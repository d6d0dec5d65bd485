package policy_test

import (
	"strings"
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
		inv := canon.Invoice{IncrementID: rapid.OneOf(rapid.StringMatching(`[0-9]{1,9}`), rapid.StringN(1, 20, 255)).Draw(t, "increment")}
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

// A shop may number its invoices in any script; the sale is posted all the same.
func Test_PlainNumber_is_one_that_every_ledger_takes(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"100000042": "100000042", "INV 7/2026": "INV 7/2026", "RÉ-42": "RE-42-", "№ 42": "No 42-", "請求書-42": "-42-", "Straße 7": "Strasse 7-",
		" 42": "42-", "4\x002": "42-", "🧾": "", strings.Repeat("9", 300): strings.Repeat("9", 93) + "-",
	} {
		plain := policy.PlainNumber(id)
		require.True(t, strings.HasPrefix(plain, want), plain)
		if want != id {
			require.Regexp(t, `^[0-9a-f]{6}$`, plain[len(want):])
		}
		require.LessOrEqual(t, len(plain), 100)
	}
}

func Test_Two_ids_of_a_shop_never_become_one_number(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.StringOfN(rapid.RuneFrom([]rune("1é2ß№求\x07 ")), 1, 5, -1)
		one, two := draw.Draw(t, "one"), draw.Draw(t, "two")
		if one != two {
			require.NotEqual(t, policy.PlainNumber(one), policy.PlainNumber(two))
		}
	})
}

// The prefix is of the shop's making too: an id that has it is not given it twice.
func Test_Number_of_a_strange_id_has_its_prefix_once(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	p.InvoiceNumberPrefix = new(string)
	*p.InvoiceNumberPrefix = "RE-"
	require.Regexp(t, `^RE-42-[0-9a-f]{6}$`, policy.NumberOf("RÉ-42", 0, p))
}

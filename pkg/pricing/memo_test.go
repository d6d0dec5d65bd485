package pricing_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/pricing"
	"towpath/pkg/provider"
)

// What goes back is read as a sale is: the same rates, the same compensation, the
// same explanations of what no line shows; beside it what only memos have.
func Test_Credit_memo_is_priced_as_its_sale_was(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		memo     canon.CreditMemo
		want     []string // "net tax rate" of each line
		rounding string
	}{
		"half of a line, beside a row that stays": {
			canontest.Sale().Row("A", "1", "120", "120", "24", "0").Row("B", "0", "55", "0", "0", "0").Memo("144", "0", "0"), []string{"120 24 T20"}, "0"},
		"half of a line under a coupon": {
			canontest.Sale().Row("A", "1", "100", "50", "8", "10").Memo("48", "0", "0"), []string{"40 8 T20"}, "0"},
		"half of a coupon off prices with tax": {
			canontest.Sale().Row("A", "1", "100", "100", "18", "12").Memo("108", "0", "0"), []string{"90 18 T20"}, "0"},
		"the shipping and its tax": {canontest.Sale().Shipping("6", "1.20", "0").Memo("7.20", "0", "0"), []string{"6 1.2 T20"}, "0"},
		"the shipping, with a discount that no field shows": {
			canontest.Sale().Shipping("10", "1.50", "0").Memo("9", "0", "0"), []string{"7.5 1.5 T20"}, "0"},
		"an adjustment":          {canontest.Sale().Memo("15", "15", "0"), []string{"15 0 "}, "0"},
		"an adjustment and both": {canontest.Sale().Row("A", "1", "60", "60", "12", "0").Memo("79.50", "10", "2.50"), []string{"60 12 T20", "10 0 ", "-2.5 0 "}, "0"},
		"after a gift card":      {canontest.Sale().Row("A", "1", "55", "55", "11", "0").Memo("40.75", "0", "0"), []string{"55 11 T20", "-25.25 0 "}, "0"},
		"a fee of the sale":      {canontest.Sale().Row("A", "1", "250", "250", "50", "0").Memo("304.50", "0", "0"), []string{"250 50 T20", "4.5 0 T0"}, "0"},
		"a cent off":             {canontest.Sale().Row("A", "3", "5.55", "16.65", "3.33", "0").Memo("19.97", "0", "0"), []string{"16.65 3.33 T20"}, "-0.01"},
		"off by the tolerance":   {canontest.Sale().Row("A", "3", "5.55", "16.65", "3.33", "0").Memo("20.03", "0", "0"), []string{"16.65 3.33 T20"}, "0.05"},
		"the invoice's header had less tax": {canontest.Sale().Row("Nail", "40", "0.02", "0.80", "0.40", "0").Row("B", "1", "10", "10", "2", "0").Memo("13", "0", "0"),
			[]string{"0.8 0.2 T25", "10 2 T20"}, "0"},
		"tax before the discount": {
			canontest.Sale().Row("A", "1", "100", "100", "20", "30").Row("B", "1", "60", "60", "3", "0").Memo("153", "0", "0"), []string{"70 20 T20", "60 3 T5"}, "0"},
		"a cent of nothing": {canontest.Sale().Memo("0.01", "0", "0"), nil, "0.01"},
		"three cents off beside a coupon on prices with tax": {
			canontest.Sale().Row("A", "1", "100", "100", "18", "12").Memo("108.03", "0", "0"), []string{"90 18 T20"}, "0.03"},
		"a child row": {canontest.Sale().Row("A", "1", "60", "60", "12", "0").Row("A", "1", "0", "0", "0", "0").Memo("72", "0", "0"), []string{"60 12 T20"}, "0"},
	} {
		got, err := pricing.Price(pricing.CreditMemo(c.memo), settings())
		require.NoError(t, err, name)
		var lines []string
		for _, l := range got.Lines {
			lines = append(lines, l.Net().String()+" "+l.Tax.String()+" "+l.Rate.Type)
		}
		require.Equal(t, c.want, lines, name)
		require.Equal(t, c.rounding, got.Rounding.String(), name)
		require.Equal(t, c.memo.GrandTotal.String(), got.Total.String(), name)
	}
}

func Test_Credit_memo_that_its_parts_do_not_explain_is_held_with_both_sums(t *testing.T) {
	t.Parallel()
	noAccounts := settings()
	noAccounts.Charges, noAccounts.PaidOtherwise = false, false
	for name, c := range map[string]struct {
		memo   canon.CreditMemo
		set    pricing.Settings
		reason string
		says   []string
	}{
		"the whole order's tax on an adjustment": {canontest.Sale().Memo("35", "15", "0"), settings(), provider.HeldTotalMismatch,
			[]string{"the memo's parts come to 15.00 and its grand total to 35.00: a difference of 20.00", "the tax of the whole order"}},
		"likewise beside goods": {canontest.Sale().Row("A", "1", "60", "60", "12", "0").Memo("107", "15", "0"), settings(), provider.HeldTotalMismatch,
			[]string{"parts come to 87.00 and its grand total to 107.00"}},
		"a fee, without the account": {canontest.Sale().Row("A", "1", "60", "60", "12", "0").Memo("75", "0", "0"), noAccounts, provider.HeldMissingMapping,
			[]string{"parts come to 72.00 and its grand total to 75.00", "3.00 is charged by no line", "charges_account_code"}},
		"a gift card, without the account": {canontest.Sale().Row("A", "1", "60", "60", "12", "0").Memo("70", "0", "0"), noAccounts, provider.HeldMissingMapping,
			[]string{"parts come to 72.00 and its grand total to 70.00", "2.00 was paid otherwise", "paid_otherwise_account_code"}},
		"less than the shipping": {canontest.Sale().Row("A", "1", "60", "60", "12", "0").Shipping("5", "1", "0").Memo("73", "0", "0"), settings(), provider.HeldTotalMismatch,
			[]string{"parts come to 78.00 and its grand total to 73.00", "a discount of the shipping, which no field shows, or a gift card"}},
		"a tax that no rate gives": {canontest.Sale().Row("A", "1", "60", "60", "7", "0").Memo("67", "0", "0"), settings(), provider.HeldTaxRateNotMapped,
			[]string{"no one tax rate"}},
	} {
		_, err := pricing.Price(pricing.CreditMemo(c.memo), c.set)
		f := provider.AsFailure(err)
		require.Equal(t, c.reason, f.Reason, name)
		for _, words := range c.says {
			require.Contains(t, f.Message, words, name)
		}
	}
	_, err := pricing.Price(pricing.CreditMemo(canontest.Sale().Memo("0", "0", "0")), settings())
	require.Equal(t, provider.Refused, provider.AsFailure(err).Kind)
}

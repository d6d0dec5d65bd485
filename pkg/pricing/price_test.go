package pricing_test

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/pricing"
	"towpath/pkg/provider"
)

func rates(percents ...string) pricing.Rates {
	var r pricing.Rates
	for _, p := range percents {
		r.Known = append(r.Known, pricing.Rate{Percent: decimal.NewNullDecimal(dec(p)), Type: "T" + p})
	}
	r.Zero = &r.Known[0]
	r.Ledger = r.Known
	return r
}

func settings() pricing.Settings {
	return pricing.Settings{Rates: rates("0", "5", "10", "20", "25"), Tolerance: dec("0.05"), Charges: true, PaidOtherwise: true}
}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// A credit memo has no header for tax and discount: the lines' sums stand for it,
// and what its grand total has besides is explained alike.
func Test_Sale_without_a_header_is_priced_by_its_lines(t *testing.T) {
	t.Parallel()
	inv := canontest.Sale().Row("Jug", "1", "100", "100", "18", "12").Row("Mug", "1", "10", "10", "2", "0").Total("120")
	got, err := pricing.Price(pricing.Sale{Lines: inv.Lines, GrandTotal: inv.GrandTotal}, settings())
	require.NoError(t, err)
	require.Equal(t, "10", got.Lines[0].Discount.String(), "2.00 of the coupon is tax")
	require.Equal(t, "20", got.Tax.String())
	require.True(t, got.Rounding.IsZero())
}

// What is in the grand total and in no field is one thing; two at once are held.
func Test_Residue_is_explained_by_one_thing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		inv  canon.Invoice
		kind pricing.Kind // of the last line
		net  string       // of the last line; empty: held
		says string
	}{
		"nothing":               {canontest.Sale().Row("A", "1", "100", "100", "20", "0").Total("120"), pricing.Product, "100", ""},
		"a compensation":        {canontest.Sale().Row("A", "1", "100", "100", "18", "12").Total("108"), pricing.Product, "90", ""},
		"a charge":              {canontest.Sale().Row("A", "1", "100", "100", "20", "0").Total("122"), pricing.Charge, "2", ""},
		"a charge and a coupon": {canontest.Sale().Row("A", "1", "100", "100", "18", "12").Total("111"), pricing.Charge, "3", ""},
		"a discount before tax, and a charge of what a compensation would be": {
			canontest.Sale().Row("A", "1", "100", "100", "17.60", "12").Total("107.60"), pricing.Charge, "2", ""},
		"a charge beside a deep coupon on prices with tax, whose tax is another rate's of the whole": {
			canontest.Sale().Row("A", "1", "100", "100", "5", "90").Total("33"), pricing.Charge, "3", ""},
		"a card beside a deep coupon":       {canontest.Sale().Row("A", "1", "100", "100", "5", "90").Total("20"), pricing.PaidOtherwise, "-10", ""},
		"a card":                            {canontest.Sale().Row("A", "1", "100", "100", "20", "0").Total("100"), pricing.PaidOtherwise, "-20", ""},
		"a charge's tax that no rate gives": {canontest.Sale().Row("A", "1", "100", "100", "20", "0").Tax("1.30").Total("124.30"), 0, "", "a charge that no line shows"},
		"a tax of nothing":                  {canontest.Sale().Row("A", "1", "100", "100", "20", "0").Tax("3").Total("123"), 0, "", "a difference of 3.00"},
		"a charge and a card":               {canontest.Sale().Row("A", "1", "100", "100", "20", "0").Tax("2").Total("82"), 0, "", "cannot be told apart"},
	} {
		got, err := pricing.Price(pricing.Invoice(c.inv), settings())
		if c.net == "" {
			require.Equal(t, provider.Held, provider.AsFailure(err).Kind, name)
			require.Contains(t, err.Error(), c.says, name)
			continue
		}
		require.NoError(t, err, name)
		last := got.Lines[len(got.Lines)-1]
		require.Equal(t, c.kind, last.Kind, name)
		require.Equal(t, c.net, last.Net().String(), name)
		require.True(t, got.Rounding.IsZero(), name)
	}
}

func Test_Header_that_does_not_sum_up_its_lines_is_held(t *testing.T) {
	t.Parallel()
	inv := canontest.Sale().Row("Set", "1", "50", "50", "10", "0").Row("Part", "1", "50", "50", "10", "0").Total("120")
	inv.Subtotal, inv.TaxAmount, inv.GrandTotal = dec("50"), dec("10"), dec("60")
	_, err := pricing.Price(pricing.Invoice(inv), settings())
	require.ErrorContains(t, err, "a row that is counted twice")
	inv = canontest.Sale().Row("A", "1", "50", "50", "8", "10").Total("48")
	inv.DiscountAmount, inv.GrandTotal = dec("-7"), dec("51")
	_, err = pricing.Price(pricing.Invoice(inv), settings())
	require.ErrorContains(t, err, "the lines' discounts come to 10.00, the shop's discount is 7.00")
}

// The lines and the rounding come to the total, the taxes to the header's, for any
// invoice that a shop can compute.
func Test_Lines_come_to_the_total_and_its_tax(t *testing.T) {
	t.Parallel()
	set := settings()
	set.Rates = pricing.Rates{}
	for _, p := range canontest.Rates() {
		set.Rates.Known = append(set.Rates.Known, pricing.Rate{Percent: decimal.NewNullDecimal(p), Type: "T" + p.String()})
	}
	set.Rates.Zero = &set.Rates.Known[0]
	rapid.Check(t, func(t *rapid.T) {
		inv := canontest.DrawInvoice(t)
		got, err := pricing.Price(pricing.Invoice(inv), set)
		if err != nil {
			return
		}
		net, tax := got.Rounding, decimal.Zero
		for _, l := range got.Lines {
			net, tax = net.Add(l.Net()), tax.Add(l.Tax)
			require.False(t, l.Tax.IsNegative())
		}
		require.True(t, tax.Equal(inv.TaxAmount.Round(2)))
		require.True(t, tax.Equal(got.Tax))
		require.True(t, net.Add(tax).Equal(inv.GrandTotal.Round(2)))
	})
}

// 200 lines under twenty rates.
func Benchmark_Price_200_lines(b *testing.B) {
	inv := canontest.Named(b, "two_hundred_lines").Invoice
	var percents []string
	for p := range 20 {
		percents = append(percents, decimal.NewFromInt(int64(p)+1).String())
	}
	set := settings()
	set.Rates = rates(append([]string{"0"}, percents...)...)
	for b.Loop() {
		if _, err := pricing.Price(pricing.Invoice(inv), set); err != nil {
			b.Fatal(err)
		}
	}
}

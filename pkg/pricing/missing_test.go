package pricing_test

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/pricing"
	"towpath/pkg/provider"
)

// The rate that is named is the one with which the whole document can be read, not
// what the tax comes to on a net that is not the shop's; and where the document tells
// none, none is named.
func Test_Advice_names_the_rate_that_explains_the_document_or_none(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		inv        canon.Invoice
		known      []string
		ledger     []string // nil: not told
		says       string
		mustNotSay []string // must not say
	}{
		"a coupon off prices with tax": {
			inv:   canontest.Sale().Row("Tea", "1", "200", "200", "9", "21").Total("189"),
			known: []string{"0", "20"}, ledger: []string{"0", "5", "10", "20"},
			says: `add "5.00" (T5) to tax_rate_map`, mustNotSay: []string{"5.03"},
		},
		"the same, the ledger not told": {
			inv:   canontest.Sale().Row("Tea", "1", "200", "200", "9", "21").Total("189"),
			known: []string{"0", "20"}, says: `add "5.00" to tax_rate_map`,
		},
		"the same, of a rate that the ledger has not": {
			inv:   canontest.Sale().Row("Pan", "1", "50", "50", "8.55", "5.95").Total("53.55"),
			known: []string{"0", "20"}, ledger: []string{"0", "5", "20"},
			says: "about 19.00 %", mustNotSay: []string{"19.41", "add "},
		},
		"a coupon off prices without tax": {
			inv:   canontest.Sale().Row("Pan", "1", "80", "80", "7.20", "8").Total("79.20"),
			known: []string{"0", "20"}, ledger: []string{"0", "10", "20"}, says: `add "10.00" (T10) to tax_rate_map`,
		},
		"two readings": {
			inv:   canontest.Sale().Row("Pan", "1", "80", "80", "7.20", "8").Total("79.20"),
			known: []string{"0", "20"}, says: "10.00 % or 9.00 %, by how the discount was taken", mustNotSay: []string{`"`},
		},
		"two rates are missing": {
			inv:   canontest.Sale().Row("Pan", "1", "80", "80", "8", "0").Row("Tea", "1", "60", "60", "3", "0").Total("151"),
			known: []string{"0", "20"}, ledger: []string{"0", "5", "10", "20"}, says: `add "10.00" (T10) and "5.00" (T5) to tax_rate_map`,
		},
		"a fee beside a coupon, whose tax no rate gives": {
			inv:   canontest.Sale().Row("Bis", "1", "70", "70", "3.15", "7.35").Tax("0.51").Total("69.66"),
			known: []string{"0", "5", "20"}, ledger: []string{"0", "5", "20"},
			says: "a rate that the document does not tell", mustNotSay: []string{"about"},
		},
	} {
		set := settings()
		set.Rates = rates(c.known...)
		set.Rates.Ledger = nil
		if c.ledger != nil {
			set.Rates.Ledger = rates(c.ledger...).Known
		}
		_, err := pricing.Price(pricing.Invoice(c.inv), set)
		f := provider.AsFailure(err)
		require.Equal(t, provider.HeldTaxRateNotMapped, f.Reason, name)
		require.Contains(t, f.Message, c.says, name)
		for _, not := range c.mustNotSay {
			require.NotContains(t, f.Message, not, name)
		}
	}
}

// A net price that was rounded out of a price with tax stands for several of them;
// on seven pieces that is seven pennies, which are the coupon's and nobody's fee.
func Test_Compensation_of_taxes_rounded_by_unit_is_no_charge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		inv canon.Invoice
		net []string
	}{
		"7 x 17.07, 10 % off": {canontest.Sale().Row("Cup", "7", "14.22", "99.54", "17.92", "11.97").Total("107.52"), []string{"89.6"}},
		"7 x 1.35, 10 % off":  {canontest.Sale().Row("Pin", "7", "1.12", "7.84", "1.40", "0.98").Total("8.47"), []string{"7.07"}},
		"two such lines": {canontest.Sale().Row("Pin", "7", "1.27", "8.89", "1.40", "2.17").Row("Cup", "12", "9.67", "116.04", "18.60", "27.84").Total("119.90"),
			[]string{"7.14", "92.76"}},
	} {
		got, err := pricing.Price(pricing.Invoice(c.inv), settings())
		require.NoError(t, err, name)
		require.Len(t, got.Lines, len(c.net), name)
		for i, net := range c.net {
			require.Equal(t, net, got.Lines[i].Net().String(), name)
		}
		require.True(t, got.Rounding.IsZero(), name)
	}
}

// Beside a fee or a gift card the residue does not tell how a coupon was taken. The
// fee's own tax does, or that the coupon is a whole percentage; else it is held.
func Test_Charge_beside_a_coupon_is_right_to_the_penny_or_held(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		inv canon.Invoice
		net []string
	}{
		"the fee's tax tells": {canontest.Sale().Row("A", "1", "10.86", "10.86", "1.03", "0.60").Shipping("3.53", "0.71", "0").Tax("0.30").Total("17.39"),
			[]string{"10.32", "3.53", "1.5"}},
		"15 % of the price with tax": {canontest.Sale().Row("A", "1", "13.94", "13.94", "0.59", "2.20").Shipping("19.07", "3.81", "0").Total("39.32"),
			[]string{"11.85", "19.07", "4"}},
		"a gift card beside":                      {canontest.Sale().Row("A", "3", "12.25", "36.74", "1.56", "5.79").Shipping("18.87", "3.77", "0").Total("50.43"), []string{"31.23", "18.87", "-5"}},
		"nothing tells":                           {canontest.Sale().Row("A", "2", "13.05", "26.10", "1.04", "5.48").Shipping("6.69", "1.34", "0").Total("37.95"), nil},
		"a coupon that took all, and a fee":       {canontest.Sale().Row("A", "1", "8.32", "8.32", "0", "9.99").Row("B", "1", "50", "50", "10", "0").Total("63"), []string{"0", "50", "3"}},
		"one that took all of many, and the rest": {canontest.Sale().Row("A", "23", "2.27", "52.21", "0", "54.74").Row("B", "1", "50", "50", "10", "0").Total("64"), []string{"0", "50", "4"}},
	} {
		got, err := pricing.Price(pricing.Invoice(c.inv), settings())
		if c.net == nil {
			require.Equal(t, provider.HeldTotalMismatch, provider.AsFailure(err).Reason, name)
			require.Contains(t, err.Error(), "a difference of 0.26, which may be the tax within a coupon", name)
			continue
		}
		require.NoError(t, err, name)
		var net []string
		for _, l := range got.Lines {
			net = append(net, l.Net().String())
		}
		require.Equal(t, c.net, net, name)
	}
}

// A discount that no line has lowers the sales at the lines' rate, with the tax that
// the header's is lower by; never what is sold without tax.
func Test_Discount_of_no_line_has_the_rate_of_the_lines_or_is_held(t *testing.T) {
	t.Parallel()
	discount := func(b *canontest.Builder, off string) *canontest.Builder { return b.Shipping("0", "0", off) }
	for name, c := range map[string]struct {
		inv       canon.Invoice
		rate, tax string // of the last line; empty: held
	}{
		"it did not lower the tax":       {discount(canontest.Sale().Row("A", "1", "100", "100", "20", "0"), "10").Total("110"), "T20", "0"},
		"it lowered the tax":             {discount(canontest.Sale().Row("A", "1", "100", "100", "20", "0"), "10").Tax("-2").Total("108"), "T20", "-2"},
		"of two rates, one is explained": {discount(canontest.Sale().Row("A", "1", "100", "100", "20", "0").Row("B", "1", "60", "60", "3", "0"), "10").Tax("-0.50").Total("172.50"), "T5", "-0.5"},
		"of two rates, none":             {discount(canontest.Sale().Row("A", "1", "100", "100", "20", "0").Row("B", "1", "60", "60", "3", "0"), "10").Total("173"), "", ""},
		"of what bears no tax":           {discount(canontest.Sale().Row("A", "1", "100", "100", "0", "0"), "10").Total("90"), "T0", "0"},
	} {
		got, err := pricing.Price(pricing.Invoice(c.inv), settings())
		if c.rate == "" {
			require.Equal(t, provider.HeldTotalMismatch, provider.AsFailure(err).Reason, name)
			require.Contains(t, err.Error(), "a discount of 10.00 is on no line", name)
			continue
		}
		require.NoError(t, err, name)
		last := got.Lines[len(got.Lines)-1]
		require.Equal(t, []string{c.rate, c.tax, "-10"}, []string{last.Rate.Type, last.Tax.String(), last.Net().String()}, name)
		require.True(t, got.Tax.Equal(c.inv.TaxAmount), name)
	}
}

// Pennies that the header's tax is lower by are taken from the lines that have more
// than their rate gives, never below nothing.
func Test_Pennies_of_the_headers_tax_go_to_the_lines_that_miss_them(t *testing.T) {
	t.Parallel()
	inv := canontest.Sale().Row("A", "1", "0.16", "0.16", "0.03", "0").Row("B", "10", "2.12", "21.20", "4.30", "0").Tax("-0.02").Total("25.67")
	set := settings()
	set.Rates = rates("0", "19", "20")
	got, err := pricing.Price(pricing.Invoice(inv), set)
	require.NoError(t, err)
	require.Equal(t, "0.03", got.Lines[0].Tax.String())
	require.Equal(t, "4.28", got.Lines[1].Tax.String())
	require.True(t, decimal.RequireFromString("4.31").Equal(got.Tax))
}

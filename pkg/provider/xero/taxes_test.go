package xero_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

func Test_Tax_type_is_that_of_the_rate_that_explains_the_tax(t *testing.T) {
	t.Parallel()
	full := map[string]string{"20.00": "OUTPUT2", "19.00": "TAX19", "18.00": "TAX18", "5.00": "RROUTPUT", "0.00": "ZERORATEDOUTPUT"}
	twenty := map[string]string{"20.00": "OUTPUT2"}
	cases := []struct {
		name                             string
		qty, price, subtotal, tax, total string
		rates                            map[string]string
		fallback                         string
		untold                           bool   // Xero did not tell its rates
		want                             string // empty: held
		names                            string // the rate that the held run names
	}{
		{name: "plain", qty: "2", price: "10.00", subtotal: "20.00", tax: "4.00", total: "24.00", rates: full, want: "OUTPUT2"},
		{name: "discount before tax", qty: "1", price: "100.00", subtotal: "100.00", tax: "18.00", total: "108.00", rates: twenty, want: "OUTPUT2"},
		{name: "discount before tax, though 18 % exists", qty: "1", price: "100.01", subtotal: "100.01", tax: "18.00", total: "108.01", rates: full, want: "OUTPUT2"},
		{name: "discount after tax", qty: "1", price: "100.00", subtotal: "100.00", tax: "20.00", total: "110.00", rates: full, want: "OUTPUT2"},
		{name: "unit by unit", qty: "6", price: "101.74", subtotal: "610.44", tax: "122.10", total: "732.54", rates: full, want: "OUTPUT2"},
		{name: "carried rounding", qty: "1", price: "33.88", subtotal: "33.88", tax: "6.78", total: "40.66", rates: full, want: "OUTPUT2"},
		{name: "no tax", qty: "1", price: "10.00", subtotal: "10.00", tax: "0", total: "10.00", rates: full, want: "ZERORATEDOUTPUT"},
		{name: "no tax, by the default type", qty: "1", price: "10.00", subtotal: "10.00", tax: "0", total: "10.00", rates: twenty, fallback: "EXEMPTOUTPUT", want: "EXEMPTOUTPUT"},
		{name: "no tax, but the default type has one", qty: "1", price: "10.00", subtotal: "10.00", tax: "0", total: "10.00", rates: twenty, fallback: "OUTPUT2", names: "0.00"},
		{name: "no tax, nothing mapped", qty: "1", price: "10.00", subtotal: "10.00", tax: "0", total: "10.00", rates: twenty, names: "0.00"},
		{name: "no money, any type", qty: "5", price: "0", subtotal: "0", tax: "0", total: "0", rates: twenty, want: "OUTPUT2"},
		{name: "no money, default type", qty: "5", price: "0", subtotal: "0", tax: "0", total: "0", fallback: "RROUTPUT", want: "RROUTPUT"},
		{name: "unmapped rate", qty: "1", price: "100.00", subtotal: "100.00", tax: "21.00", total: "121.00", rates: full, names: "21.00"},
		{name: "19 % must not pass for 20 %", qty: "100", price: "0.51", subtotal: "51.00", tax: "9.69", total: "60.69", rates: twenty, names: "19.00"},
		{name: "no map, default type that explains", qty: "1", price: "10.00", subtotal: "10.00", tax: "2.00", total: "12.00", fallback: "OUTPUT2", want: "OUTPUT2"},
		{name: "no map, default type that does not", qty: "1", price: "10.00", subtotal: "10.00", tax: "0.50", total: "10.50", fallback: "OUTPUT2", names: "5.00"},
		{name: "no map, default type of a rate that nobody told", qty: "1", price: "10.00", subtotal: "10.00", tax: "0.70", total: "10.70", fallback: "TAX001", untold: true, want: "TAX001"},
		{name: "a map, default type of a rate that nobody told", qty: "1", price: "10.00", subtotal: "10.00", tax: "0.70", total: "10.70", rates: full, fallback: "TAX001", untold: true, names: "7.00"},
		{name: "default type beside the map", qty: "1", price: "10.00", subtotal: "10.00", tax: "0.50", total: "10.50", rates: twenty, fallback: "RROUTPUT", want: "RROUTPUT"},
		{name: "nothing at all", qty: "1", price: "10.00", subtotal: "10.00", tax: "2.00", total: "12.00", names: "20.00"},
		{name: "a penny of tax is no zero rate", qty: "1", price: "0.30", subtotal: "0.30", tax: "0.01", total: "0.31", rates: map[string]string{"0.00": "ZERORATEDOUTPUT"}, names: `"5.00" (RROUTPUT)`},
	}
	for _, c := range cases {
		doc, err := tryBuild(invoice(row(c.qty, c.price, c.subtotal, c.tax, c.total)), func(p *policy.Policy, r *provider.Reference) {
			p.TaxRateMap, p.TaxType = c.rates, c.fallback
			if c.untold {
				r.TaxRates = nil
			}
		})
		if c.want != "" {
			require.NoError(t, err, c.name)
			require.Equal(t, c.want, show(t, doc).LineItems[0].TaxType, c.name)
			continue
		}
		f := failure(t, err)
		require.Equal(t, provider.Held, f.Kind, c.name)
		require.Equal(t, "tax_rate_not_mapped", f.Reason, c.name)
		require.Contains(t, f.Message, c.names, c.name)
	}
}

func Test_Tax_on_nothing_is_held(t *testing.T) {
	t.Parallel()
	_, err := tryBuild(invoice(row("1", "0", "0", "0.50", "0.50")))
	require.Equal(t, "tax_rate_not_mapped", failure(t, err).Reason)
}

// 0.26 with a tax of 0.05 may be 19 % or 20 %; the other lines say which.
func Test_Small_amounts_follow_the_other_lines(t *testing.T) {
	t.Parallel()
	small := row("1", "0.26", "0.26", "0.05", "0.31")
	rates := func(p *policy.Policy, _ *provider.Reference) {
		p.TaxRateMap = map[string]string{"19.00": "TAX19", "20.00": "OUTPUT2"}
	}
	body, _ := build(t, invoice(small, row("1", "100.00", "100.00", "20.00", "120.00")), rates)
	require.Equal(t, "OUTPUT2", body.LineItems[0].TaxType)
	body, _ = build(t, invoice(small, row("1", "100.00", "100.00", "19.00", "119.00")), rates)
	require.Equal(t, "TAX19", body.LineItems[0].TaxType)
}

package freeagent

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

const feesCategory = "http://ledger.test/v2/categories/002"

// everyAccount sets what no line shows to categories of its own.
func everyAccount() policy.Policy {
	pol := testPolicy()
	pol.PaidOtherwiseAccount, pol.ChargesAccount = "051", feesCategory
	pol.TaxRateMap = map[string]string{}
	for _, key := range []string{"0.00", "5.00", "10.00", "12.00", "15.00", "20.00", "8.875", "6.625", "AT:13.00"} {
		pol.TaxRateMap[key] = "ANY"
	}
	return pol
}

type salesCase struct {
	inv  canon.Invoice
	want []string // each item as "net rate", and its category where that is not the income's
}

func requirePosted(t *testing.T, cases map[string]salesCase) {
	t.Helper()
	pol := everyAccount()
	for name, c := range cases {
		doc, body, err := build(t, c.inv, pol, provider.Reference{})
		require.NoError(t, err, name)
		var got []string
		for _, i := range body.Items {
			text := dec(i.Quantity).Mul(dec(i.Price)).StringFixed(2) + " " + i.SalesTaxRate
			if i.Category != *pol.V2IncomeCategoryURL {
				text += " " + i.Category[strings.LastIndex(i.Category, "/")+1:]
			}
			got = append(got, text)
		}
		require.Equal(t, c.want, got, name)
		require.Equal(t, c.inv.GrandTotal.StringFixed(2), doc.Total.StringFixed(2), name)
		require.Equal(t, c.inv.TaxAmount.StringFixed(2), doc.TotalTax.StringFixed(2), name)
	}
}

func TestCases_rate_on_the_net_that_is_posted_comes_first(t *testing.T) {
	t.Parallel()
	requirePosted(t, map[string]salesCase{
		"half price beside 10 %": {canontest.Sale().Row("Chair", "1", "240", "240", "24", "120").Row("Map", "1", "35", "35", "3.50", "0").Total("182.50"), []string{"120.00 20.00", "35.00 10.00"}},
		"a third off at 15 %":    {canontest.Sale().Row("Rug", "1", "90", "90", "9", "30").Row("Map", "2", "20", "40", "4", "0").Total("113"), []string{"60.00 15.00", "40.00 10.00"}},
		"a line that is taxed before the discount decides": {
			canontest.Sale().Row("Chair", "1", "240", "240", "24", "120").Row("Lamp", "1", "55", "55", "11", "20").Total("190"),
			[]string{"240.00 10.00", "55.00 20.00", "-140.00 0.00"}},
	})
}

func TestCases_coupon_on_prices_with_tax(t *testing.T) {
	t.Parallel()
	requirePosted(t, map[string]salesCase{
		"15 % off 96.00":      {canontest.Sale().Row("Jug", "1", "80", "80", "13.60", "14.40").Total("81.60"), []string{"68.00 20.00"}},
		"two rates, shipping": {canontest.Sale().Row("Jug", "2", "50", "100", "18", "12").Row("Tea", "4", "10", "40", "1.80", "4.20").Shipping("6", "1.20", "0").Total("153"), []string{"90.00 20.00", "36.00 5.00", "6.00 20.00"}},
		"all off":             {canontest.Sale().Row("Jug", "1", "23.29", "23.29", "0", "27.95").Total("0"), []string{"0.00 20.00"}},
		"small":               {canontest.Sale().Row("Pin", "1", "1.67", "1.67", "0.30", "0.20").Total("1.80"), []string{"1.50 20.00"}},
		"shipping too":        {canontest.Sale().Row("Jug", "1", "100", "100", "18", "12").Shipping("10", "1.80", "1.20").Total("118.80"), []string{"90.00 20.00", "9.00 20.00"}},
		"and a gift card":     {canontest.Sale().Row("Jug", "1", "100", "100", "18", "12").Total("58"), []string{"90.00 20.00", "-50.00 0.00 051"}},
	})
}

func TestCases_paid_otherwise_and_charges(t *testing.T) {
	t.Parallel()
	card := canontest.Sale().Row("Bag", "1", "55", "55", "11", "0").Shipping("5", "1", "0").Total("0")
	fee := canontest.Sale().Row("Fridge", "1", "250", "250", "50", "0").Tax("0.70").Total("304.20")
	requirePosted(t, map[string]salesCase{
		"gift card pays all":  {card, []string{"55.00 20.00", "5.00 20.00", "-72.00 0.00 051"}},
		"gift card pays part": {canontest.Sale().Row("Bag", "1", "55", "55", "11", "0").Total("40.75"), []string{"55.00 20.00", "-25.25 0.00 051"}},
		"fixed product tax":   {canontest.Sale().Row("Fridge", "3", "250", "750", "150", "0").Total("913.50"), []string{"750.00 20.00", "13.50 0.00 002"}},
		"a fee with its tax":  {fee, []string{"250.00 20.00", "3.50 20.00 002"}},
	})
	for inv, says := range map[*canon.Invoice]string{&card: "72.00 was paid otherwise", &fee: "3.50 and a tax of 0.70 is charged by no line"} {
		_, _, err := build(t, *inv, testPolicy(), provider.Reference{})
		f := failureIn(t, err)
		require.Equal(t, "missing_mapping", f.Reason)
		require.Equal(t, provider.CodeValidation, f.Code, "as on the other wire")
		require.Contains(t, f.Message, says)
	}
}

func TestCases_exchange_rate_is_sent_only_from_the_ledgers_currency(t *testing.T) {
	t.Parallel()
	inv := canontest.Sale().Row("Hat", "1", "60", "60", "0", "0").In("USD", "1.25").Total("60")
	ref := provider.Reference{Organisation: provider.Organisation{BaseCurrency: "GBP"}}
	for base, want := range map[string]string{"": "", "EUR": "", "GBP": "0.8"} {
		pol := testPolicy()
		pol.ShopBaseCurrency.Code = base
		doc, body := mustBuild(t, inv, pol, ref)
		require.Equal(t, want, body.ExchangeRate, base)
		require.Equal(t, want == "", strings.Contains(strings.Join(doc.Notes, "\n"), "no exchange rate is sent"), base)
	}
}

func TestCases_rates(t *testing.T) {
	t.Parallel()
	requirePosted(t, map[string]salesCase{
		"three decimals": {canontest.Sale().Row("NYC", "5", "300", "1500", "133.13", "0").Row("NJ", "2", "400", "800", "53", "0").Total("2486.13"), []string{"1500.00 8.875", "800.00 6.625"}},
		"shipping in proportion": {canontest.Sale().Row("Pan", "1", "70", "70", "14", "0").Row("Book", "1", "30", "30", "1.50", "0").Shipping("8.90", "1.38", "0").Total("125.78"),
			[]string{"70.00 20.00", "30.00 5.00", "6.23 20.00", "2.67 5.00"}},
		"of the country": {canontest.Sale().Row("Wine", "1", "30", "30", "3.90", "0").To("AT").Total("33.90"), []string{"30.00 13.00"}},
	})
	_, _, err := build(t, canontest.Sale().Row("Wine", "1", "30", "30", "3.90", "0").To("GB").Total("33.90"), everyAccount(), provider.Reference{})
	require.Equal(t, "tax_rate_not_mapped", failureIn(t, err).Reason, "the key is another country's")
}

// GST and PST each rounded up come to a penny or two more than the one rate gives:
// the tax is corrected to what the buyer was charged.
func TestCases_two_taxes_under_one_rate(t *testing.T) {
	t.Parallel()
	doc, body, err := build(t, canontest.Sale().Row("Axe", "1", "250.01", "250.01", "30.02", "0").Total("280.03"), everyAccount(), provider.Reference{})
	require.NoError(t, err)
	require.Equal(t, "12.00", body.Items[0].SalesTaxRate)
	requireEqual(t, dec("30.02"), doc.TotalTax)
	requireEqual(t, dec("280.03"), doc.Total)
}

func TestCases_grand_total_of_more_decimals_is_rounded_half_up(t *testing.T) {
	t.Parallel()
	for want, inv := range map[string]canon.Invoice{
		"24.77": canontest.Sale().Row("Tape", "1", "20.6375", "20.6375", "4.1275", "0").Total("24.765"),
		"3.61":  canontest.Sale().Row("A", "1", "1.004", "1.004", "0.2008", "0").Row("B", "1", "1.004", "1.004", "0.2008", "0").Row("C", "1", "1.004", "1.004", "0.2008", "0").Total("3.6144"),
	} {
		doc, _, err := build(t, inv, testPolicy(), provider.Reference{})
		require.NoError(t, err)
		require.Equal(t, want, doc.Total.StringFixed(2))
	}
}

// One number in two stores: each store has its prefix.
func TestCases_number_has_the_prefix_of_its_store(t *testing.T) {
	t.Parallel()
	inv, pol := canontest.Sale().Row("Cup", "1", "30", "30", "6", "0").Total("36"), testPolicy()
	pol.NumberPrefixByStore = map[string]string{"2": "B-"}
	for store, want := range map[canon.Int]string{1: "700000007", 2: "B-700000007"} {
		inv.StoreID = store
		doc, body := mustBuild(t, inv, pol, provider.Reference{})
		require.Equal(t, []string{want, want}, []string{doc.Number, body.Reference})
	}
}

// The module computes a row's total in binary floats: of a free gift noise is left.
func TestCases_free_gift_with_float_noise_is_posted(t *testing.T) {
	t.Parallel()
	raw := canon.EncodeInvoice(canontest.Sale().Row("Paid", "1", "25", "25", "5", "0").Row("Gift", "1", "8.29", "8.29", "0", "8.29").Total("30"))
	noisy := strings.Replace(string(raw), `"line_total":0,`, `"line_total":1.7763568394002505e-15,`, 1)
	require.NotEqual(t, string(raw), noisy)
	inv, err := canon.DecodeInvoice([]byte(noisy))
	require.NoError(t, err)
	requirePosted(t, map[string]salesCase{"gift": {inv, []string{"25.00 20.00", "0.00 0.00"}}})
}

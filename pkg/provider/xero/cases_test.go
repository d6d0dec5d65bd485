package xero_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// withAccounts sets what no line shows to accounts of its own, and maps the rates
// of two countries and of two cities.
func withAccounts(p *policy.Policy, r *provider.Reference) {
	p.PaidOtherwiseAccount, p.ChargesAccount = "850", "270"
	p.TaxRateMap = map[string]string{
		"20.00": "OUTPUT2", "5.00": "RROUTPUT", "0.00": "ZERORATEDOUTPUT", "10.00": "TAX10", "15.00": "TAX15",
		"8.875": "NYC", "6.625": "NJ", "12.00": "GSTPST", "AT:20.00": "AT20", "AT:0.00": "ATZERO",
	}
	r.Organisation.CountryCode = "GB"
	r.Accounts = append(r.Accounts,
		provider.Account{Code: "850", Name: "Gift cards", Type: "CURRLIAB", Status: "ACTIVE"},
		provider.Account{Code: "270", Name: "Fees", Type: "REVENUE", Status: "ACTIVE"})
	for taxType, percent := range map[string]string{"TAX10": "10", "TAX15": "15", "NYC": "8.875", "NJ": "6.625", "GSTPST": "12", "AT20": "20", "ATZERO": "0"} {
		r.TaxRates = append(r.TaxRates, provider.TaxRate{TaxType: taxType, EffectiveRate: dec(percent), Status: "ACTIVE", CanApplyToRevenue: true})
	}
}

// posted is each line as "net tax type account".
func posted(t *testing.T, doc provider.Document) []string {
	t.Helper()
	var list []string
	for _, l := range show(t, doc).LineItems {
		net := dec(l.Quantity.String()).Mul(dec(l.UnitAmount.String()))
		if l.DiscountAmount != "" {
			net = net.Sub(dec(l.DiscountAmount.String()))
		}
		list = append(list, strings.Join([]string{net.StringFixed(2), dec(l.TaxAmount.String()).StringFixed(2), l.TaxType, l.AccountCode}, " "))
	}
	return list
}

type salesCase struct {
	inv  canon.Invoice
	want []string // posted
}

func requirePosted(t *testing.T, cases map[string]salesCase) {
	t.Helper()
	for name, c := range cases {
		doc, err := tryBuild(c.inv, withAccounts)
		require.NoError(t, err, name)
		require.Equal(t, c.want, posted(t, doc), name)
		require.Equal(t, c.inv.GrandTotal.StringFixed(2), doc.Total.StringFixed(2), name)
		require.Equal(t, c.inv.TaxAmount.StringFixed(2), doc.TotalTax.StringFixed(2), name)
	}
}

// At half the price 20 % on what is left is 10 % on the whole; what the document
// says is the former, whatever the neighbours bear.
func Test_Rate_on_the_net_that_is_posted_comes_first(t *testing.T) {
	t.Parallel()
	requirePosted(t, map[string]salesCase{
		"half price beside 10 %": {canontest.Sale().Row("Chair", "1", "240", "240", "24", "120").Row("Map", "1", "35", "35", "3.50", "0").Total("182.50"),
			[]string{"120.00 24.00 OUTPUT2 200", "35.00 3.50 TAX10 200"}},
		"alone": {canontest.Sale().Row("Chair", "2", "60", "120", "12", "60").Total("72"), []string{"60.00 12.00 OUTPUT2 200"}},
		"a third off at 15 %": {canontest.Sale().Row("Rug", "1", "90", "90", "9", "30").Row("Map", "2", "20", "40", "4", "0").Total("113"),
			[]string{"60.00 9.00 TAX15 200", "40.00 4.00 TAX10 200"}},
		"three quarters off beside 5 %": {canontest.Sale().Row("Coat", "1", "80", "80", "4", "60").Row("Seat", "1", "50", "50", "2.50", "0").Total("76.50"),
			[]string{"20.00 4.00 OUTPUT2 200", "50.00 2.50 RROUTPUT 200"}},
		"a line that is taxed before the discount decides": {
			canontest.Sale().Row("Chair", "1", "240", "240", "24", "120").Row("Lamp", "1", "55", "55", "11", "20").Total("190"),
			[]string{"120.00 24.00 TAX10 200", "35.00 11.00 OUTPUT2 200"}},
	})
}

// Coupons on prices with tax: the tax within the discount is in no field.
func Test_Coupon_on_prices_with_tax_is_posted_without_its_tax(t *testing.T) {
	t.Parallel()
	requirePosted(t, map[string]salesCase{
		"15 % off 96.00":         {canontest.Sale().Row("Jug", "1", "80", "80", "13.60", "14.40").Total("81.60"), []string{"68.00 13.60 OUTPUT2 200"}},
		"two rates, shipping":    {canontest.Sale().Row("Jug", "2", "50", "100", "18", "12").Row("Tea", "4", "10", "40", "1.80", "4.20").Shipping("6", "1.20", "0").Total("153"), []string{"90.00 18.00 OUTPUT2 200", "36.00 1.80 RROUTPUT 200", "6.00 1.20 OUTPUT2 425"}},
		"all off":                {canontest.Sale().Row("Jug", "1", "23.29", "23.29", "0", "27.95").Total("0"), []string{"0.00 0.00 OUTPUT2 200"}},
		"small":                  {canontest.Sale().Row("Pin", "1", "1.67", "1.67", "0.30", "0.20").Total("1.80"), []string{"1.50 0.30 OUTPUT2 200"}},
		"smaller":                {canontest.Sale().Row("Pin", "1", "2.91", "2.91", "0.55", "0.17").Total("3.32"), []string{"2.77 0.55 OUTPUT2 200"}},
		"beside an undiscounted": {canontest.Sale().Row("Jug", "1", "100", "100", "15", "30").Row("Mug", "1", "10", "10", "2", "0").Total("102"), []string{"75.00 15.00 OUTPUT2 200", "10.00 2.00 OUTPUT2 200"}},
		"shipping too":           {canontest.Sale().Row("Jug", "1", "100", "100", "18", "12").Shipping("10", "1.80", "1.20").Total("118.80"), []string{"90.00 18.00 OUTPUT2 200", "9.00 1.80 OUTPUT2 425"}},
		"and a gift card": {canontest.Sale().Row("Jug", "1", "100", "100", "18", "12").Total("58"),
			[]string{"90.00 18.00 OUTPUT2 200", "-50.00 0.00 NONE 850"}},
	})
	doc, err := tryBuild(canontest.Sale().Row("Pin", "1", "1.67", "1.67", "0.30", "0.20").Total("1.80"), withAccounts)
	require.NoError(t, err)
	require.True(t, doc.Rounding.IsZero(), "the buyer's money for a good is no rounding")
	require.Contains(t, strings.Join(doc.Notes, "\n"), "0.03 of it is tax")
}

func Test_What_a_gift_card_paid_is_taken_off_the_whole_sale(t *testing.T) {
	t.Parallel()
	all := canontest.Sale().Row("Bag", "1", "55", "55", "11", "0").Shipping("5", "1", "0").Total("0")
	part := canontest.Sale().Row("Bag", "1", "55", "55", "11", "0").Total("40.75")
	requirePosted(t, map[string]salesCase{
		"all":  {all, []string{"55.00 11.00 OUTPUT2 200", "5.00 1.00 OUTPUT2 425", "-72.00 0.00 NONE 850"}},
		"part": {part, []string{"55.00 11.00 OUTPUT2 200", "-25.25 0.00 NONE 850"}},
		"a discount before tax too": {canontest.Sale().Row("Bag", "1", "100", "100", "18", "10").Total("8"),
			[]string{"90.00 18.00 OUTPUT2 200", "-100.00 0.00 NONE 850"}},
	})
	for inv, amount := range map[*canon.Invoice]string{&all: "72.00", &part: "25.25"} {
		_, err := tryBuild(*inv)
		f := failure(t, err)
		require.Equal(t, "missing_mapping", f.Reason)
		require.Contains(t, f.Message, amount+" was paid otherwise")
		require.Contains(t, f.Message, "paid_otherwise_account_code")
	}
}

func Test_Charges_of_no_line_are_a_line_of_their_own(t *testing.T) {
	t.Parallel()
	fpt := canontest.Sale().Row("Fridge", "3", "250", "750", "150", "0").Total("913.50")
	fee := canontest.Sale().Row("Fridge", "1", "250", "250", "50", "0").Tax("0.70").Total("304.20")
	requirePosted(t, map[string]salesCase{
		"fixed product tax":   {fpt, []string{"750.00 150.00 OUTPUT2 200", "13.50 0.00 ZERORATEDOUTPUT 270"}},
		"a fee with its tax":  {fee, []string{"250.00 50.00 OUTPUT2 200", "3.50 0.70 OUTPUT2 270"}},
		"a fee of 5 % beside": {canontest.Sale().Row("Fridge", "1", "250", "250", "50", "0").Tax("0.20").Total("304.20"), []string{"250.00 50.00 OUTPUT2 200", "4.00 0.20 RROUTPUT 270"}},
		"pennies are no rounding": {canontest.Sale().Row("Fridge", "1", "250", "250", "50", "0").Total("300.04"),
			[]string{"250.00 50.00 OUTPUT2 200", "0.04 0.00 ZERORATEDOUTPUT 270"}},
	})
	_, err := tryBuild(fpt)
	require.Contains(t, failure(t, err).Message, "13.50 is charged by no line")
	_, err = tryBuild(fee)
	require.Contains(t, failure(t, err).Message, "3.50 and a tax of 0.70 is charged by no line")
	require.Contains(t, failure(t, err).Message, "charges_account_code")
	_, err = tryBuild(canontest.Sale().Row("Fridge", "1", "250", "250", "50", "0").Tax("0.70").Total("200"), withAccounts)
	require.Equal(t, "total_mismatch", failure(t, err).Reason, "a fee and a gift card at once")
	require.Contains(t, failure(t, err).Message, "cannot be told apart")
}

// The shop's rate counts from its website's base currency, which is not always the
// organisation's.
func Test_Currency_rate_is_sent_only_from_the_organisations_currency(t *testing.T) {
	t.Parallel()
	inv := canontest.Sale().Row("Hat", "1", "60", "60", "0", "0").In("USD", "1.12").Total("60")
	for base, want := range map[string]string{`null`: "", `"EUR"`: "", `"GBP"`: "1.12", `{"1":"GBP"}`: "1.12", `{"2":"GBP"}`: "", `{"1":"EUR"}`: "", `"USD"`: ""} {
		parsed, faults, err := policy.Parse([]byte(`{"shop_base_currency":` + base + `}`))
		require.NoError(t, err)
		require.Empty(t, faults)
		doc, err := tryBuild(inv, func(p *policy.Policy, r *provider.Reference) {
			p.ShopBaseCurrency = parsed.ShopBaseCurrency
			r.Currencies = append(r.Currencies, "USD")
		})
		require.NoError(t, err)
		require.Equal(t, want, show(t, doc).CurrencyRate.String(), base)
		if want == "" {
			require.Contains(t, strings.Join(doc.Notes, "\n"), "no currency rate is sent, Xero takes the day's: ", base)
			require.Contains(t, strings.Join(doc.Notes, "\n"), "shop_base_currency", base)
		}
	}
}

func Test_Rates_of_three_decimals_are_told_apart(t *testing.T) {
	t.Parallel()
	inv := canontest.Sale().Row("NYC", "5", "300", "1500", "133.13", "0").Row("NJ", "2", "400", "800", "53", "0").Total("2486.13")
	requirePosted(t, map[string]salesCase{"both": {inv, []string{"1500.00 133.13 NYC 200", "800.00 53.00 NJ 200"}}})
	doc, err := tryBuild(inv, withAccounts, func(p *policy.Policy, _ *provider.Reference) {
		p.TaxRateMap = map[string]string{"8.88": "NYC", "6.63": "NJ"} // the ledger's, rounded
	})
	require.NoError(t, err)
	require.Equal(t, []string{"1500.00 133.13 NYC 200", "800.00 53.00 NJ 200"}, posted(t, doc))
	_, err = tryBuild(inv, withAccounts, func(p *policy.Policy, _ *provider.Reference) { p.TaxRateMap = map[string]string{"8.875": "NYC"} })
	require.Contains(t, failure(t, err).Message, `add "6.625" (NJ) to tax_rate_map`)
}

func Test_Grand_total_of_more_decimals_is_rounded_half_up(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		inv             canon.Invoice
		total, rounding string
	}{
		"three decimals": {canontest.Sale().Row("Tape", "1", "20.6375", "20.6375", "4.1275", "0").Total("24.765"), "24.77", "0"},
		"four decimals":  {canontest.Sale().Row("Tape", "3", "7.0625", "21.1875", "4.2375", "0").Total("25.425"), "25.43", "0"},
		"rows that lose": {canontest.Sale().Row("A", "1", "1.004", "1.004", "0.2008", "0").Row("B", "1", "1.004", "1.004", "0.2008", "0").Row("C", "1", "1.004", "1.004", "0.2008", "0").Total("3.6144"), "3.61", "0.01"},
	} {
		doc, err := tryBuild(c.inv)
		require.NoError(t, err, name)
		require.Equal(t, c.total, doc.Total.StringFixed(2), name)
		require.Equal(t, dec(c.rounding).String(), doc.Rounding.String(), name)
		require.Equal(t, c.inv.TaxAmount.Round(2).StringFixed(2), doc.TotalTax.StringFixed(2), name)
	}
}

func Test_Shipping_under_two_rates_and_two_taxes_under_one(t *testing.T) {
	t.Parallel()
	requirePosted(t, map[string]salesCase{
		"shipping in proportion": {canontest.Sale().Row("Pan", "1", "70", "70", "14", "0").Row("Book", "1", "30", "30", "1.50", "0").Shipping("8.90", "1.38", "0").Total("125.78"),
			[]string{"70.00 14.00 OUTPUT2 200", "30.00 1.50 RROUTPUT 200", "6.23 1.25 OUTPUT2 425", "2.67 0.13 RROUTPUT 425"}},
		"shipping beside what bears no tax": {canontest.Sale().Row("Pan", "1", "75", "75", "15", "0").Row("Seeds", "1", "25", "25", "0", "0").Shipping("10", "1.50", "0").Total("126.50"),
			[]string{"75.00 15.00 OUTPUT2 200", "25.00 0.00 ZERORATEDOUTPUT 200", "10.00 1.50 TAX15 425"}},
		"GST and PST, each rounded up": {canontest.Sale().Row("Axe", "1", "250.01", "250.01", "30.02", "0").Total("280.03"), []string{"250.01 30.02 GSTPST 200"}},
		"on little":                    {canontest.Sale().Row("Axe", "1", "13.01", "13.01", "1.58", "0").Total("14.59"), []string{"13.01 1.58 GSTPST 200"}},
	})
	_, err := tryBuild(canontest.Sale().Row("Pan", "1", "70", "70", "14", "0").Row("Book", "1", "30", "30", "1.50", "0").Shipping("8.90", "0.99", "0").Total("125.39"), withAccounts)
	require.Equal(t, "tax_rate_not_mapped", failure(t, err).Reason)
	require.Contains(t, failure(t, err).Message, "no one tax rate")
}

func Test_Rate_of_the_country_of_delivery_comes_first(t *testing.T) {
	t.Parallel()
	sale := func(country string) canon.Invoice {
		return canontest.Sale().Row("Cup", "1", "30", "30", "6", "0").Row("Seeds", "1", "5", "5", "0", "0").To(country).Total("41")
	}
	requirePosted(t, map[string]salesCase{
		"Austria":          {sale("AT"), []string{"30.00 6.00 AT20 200", "5.00 0.00 ATZERO 200"}},
		"home":             {sale("GB"), []string{"30.00 6.00 OUTPUT2 200", "5.00 0.00 ZERORATEDOUTPUT 200"}},
		"no other country": {sale("FR"), []string{"30.00 6.00 OUTPUT2 200", "5.00 0.00 ZERORATEDOUTPUT 200"}},
	})
	doc, err := tryBuild(sale("FR"), withAccounts)
	require.NoError(t, err)
	require.Contains(t, strings.Join(doc.Notes, "\n"), `delivered to FR and taxed as OUTPUT2 (20.00 %)`)
	require.Contains(t, strings.Join(doc.Notes, "\n"), `"FR:20.00" in tax_rate_map`)
	doc, err = tryBuild(sale("GB"), withAccounts)
	require.NoError(t, err)
	require.NotContains(t, strings.Join(doc.Notes, "\n"), "delivered to")
}

// The module computes a row's total in binary floats: of a free gift noise is left.
func Test_Free_gift_with_float_noise_is_posted(t *testing.T) {
	t.Parallel()
	raw := canon.EncodeInvoice(canontest.Sale().Row("Paid", "1", "25", "25", "5", "0").Row("Gift", "1", "8.29", "8.29", "1.66", "9.95").Total("30"))
	noisy := strings.Replace(string(raw), `"line_total":0,`, `"line_total":8.881784197001252e-16,`, 1)
	require.NotEqual(t, string(raw), noisy)
	inv, err := canon.DecodeInvoice([]byte(noisy))
	require.NoError(t, err)
	requirePosted(t, map[string]salesCase{"gift": {inv, []string{"25.00 5.00 OUTPUT2 200", "0.00 1.66 OUTPUT2 200", "-1.66 0.00 OUTPUT2 200"}}})
}

// One number in two stores: each store has its prefix.
func Test_Document_has_the_prefix_of_its_store(t *testing.T) {
	t.Parallel()
	inv := canontest.Sale().Row("Cup", "1", "30", "30", "6", "0").Total("36")
	for store, want := range map[canon.Int]string{1: "700000007", 2: "B-700000007"} {
		inv.StoreID = store
		body, _ := build(t, inv, func(p *policy.Policy, _ *provider.Reference) { p.NumberPrefixByStore = map[string]string{"2": "B-"} })
		require.Equal(t, want, body.InvoiceNumber)
	}
}

package xero_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
)

const someContact = "c0ffee00-0000-4000-8000-000000000001"

// ukReference is what a UK organisation says of itself.
func ukReference() provider.Reference {
	rate := func(taxType, percent string) provider.TaxRate {
		return provider.TaxRate{TaxType: taxType, EffectiveRate: dec(percent), Status: "ACTIVE", CanApplyToRevenue: true}
	}
	return provider.Reference{
		Organisation: provider.Organisation{BaseCurrency: "GBP", Timezone: "GMTSTANDARDTIME"},
		Accounts: []provider.Account{
			{Code: "200", Name: "Sales", Status: "ACTIVE"}, {Code: "425", Name: "Shipping", Status: "ACTIVE"},
			{Code: "860", Status: "ACTIVE", SystemAccount: "ROUNDING", TaxType: "NONE"},
		},
		TaxRates: []provider.TaxRate{
			rate("OUTPUT2", "20"), rate("TAX19", "19"), rate("TAX18", "18"), rate("RROUTPUT", "5"), rate("ZERORATEDOUTPUT", "0"),
			rate("EXEMPTOUTPUT", "0"), rate("NONE", "0"),
		},
		Currencies: []string{"GBP", "EUR"},
	}
}

// shown is a body as a reader sees it; numbers are text.
type shown struct {
	Date, DueDate, InvoiceNumber, Reference, Url, CurrencyCode, Status, BrandingThemeID, LineAmountTypes string
	CurrencyRate                                                                                         json.Number
	LineItems                                                                                            []struct {
		Description, AccountCode, TaxType               string
		Quantity, UnitAmount, DiscountAmount, TaxAmount json.Number
		Tracking                                        []struct{ Name, Option string }
	}
}

func show(t *testing.T, doc provider.Document) shown {
	t.Helper()
	var body struct{ Invoices []shown }
	require.NoError(t, json.Unmarshal(doc.Body, &body))
	require.Len(t, body.Invoices, 1)
	return body.Invoices[0]
}

func build(t *testing.T, inv canon.Invoice, change ...func(*policy.Policy, *provider.Reference)) (shown, provider.Document) {
	t.Helper()
	doc, err := tryBuild(inv, change...)
	require.NoError(t, err)
	require.True(t, doc.Total.Equal(inv.GrandTotal), "%s, not %s", doc.Total, inv.GrandTotal)
	return show(t, doc), doc
}

func tryBuild(inv canon.Invoice, change ...func(*policy.Policy, *provider.Reference)) (provider.Document, error) {
	pol, ref := samplePolicy(), ukReference()
	for _, c := range change {
		c(&pol, &ref)
	}
	return xero.Build(inv, pol, ref, someContact, runURL)
}

// invoice is a small one that adds up; discounts and tax are the lines'.
func invoice(lines ...canon.Line) canon.Invoice {
	inv := canon.Invoice{MagentoID: 1, IncrementID: "1", OrderIncrementID: "2", Currency: "GBP", CreatedAt: time.Date(2026, 4, 29, 9, 0, 0, 0, time.UTC), Lines: lines}
	for _, l := range lines {
		inv.Subtotal = inv.Subtotal.Add(l.LineSubtotal)
		inv.TaxAmount = inv.TaxAmount.Add(l.LineTax)
		inv.DiscountAmount = inv.DiscountAmount.Sub(l.Discount())
		inv.GrandTotal = inv.GrandTotal.Add(l.LineTotal)
	}
	return inv
}

func row(qty, price, subtotal, tax, total string) canon.Line {
	return canon.Line{SKU: "S", Name: "Widget", Qty: dec(qty), UnitPrice: dec(price), LineSubtotal: dec(subtotal), LineTax: dec(tax), LineTotal: dec(total)}
}

func plain(t *testing.T) canon.Invoice { return canontest.Named(t, "plain_vat").Invoice }

func Test_Lines_multiply_out_or_carry_the_quantity_in_the_text(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name                          string
		line                          canon.Line
		text                          string
		quantity, unit, discount, tax json.Number
	}{
		{"plain", row("2", "10.00", "20.00", "4.00", "24.00"), "Widget (S)", "2", "10.00", "", "4.00"},
		{"four decimals", row("3", "10.3333", "31.00", "6.20", "37.20"), "Widget (S)", "3", "10.3333", "", "6.20"},
		{"fractional quantity", row("1.2345", "10.00", "12.35", "2.47", "14.82"), "Widget (S), 1.2345 x 10", "1", "12.35", "", "2.47"},
		{"fractional quantity, exact", row("1.25", "10.00", "12.50", "2.50", "15.00"), "Widget (S)", "1.25", "10.00", "", "2.50"},
		{"an exact half", row("5", "639.575", "3197.88", "639.58", "3837.46"), "Widget (S), 5 x 639.575", "1", "3197.88", "", "639.58"},
		{"row rounded from gross", row("3", "8.33", "25.00", "5.00", "30.00"), "Widget (S), 3 x 8.33", "1", "25.00", "", "5.00"},
		{"five decimals of quantity", row("0.33333", "3.00", "1.00", "0.20", "1.20"), "Widget (S), 0.33333 x 3", "1", "1.00", "", "0.20"},
		{"long quantity", row("1234567890.1234", "0.0001", "123456.79", "24691.36", "148148.15"), "Widget (S), 1234567890.1234 x 0.0001", "1", "123456.79", "", "24691.36"},
		{"discount before tax", row("5", "404.34", "2021.70", "363.91", "2183.44"), "Widget (S)", "5", "404.34", "202.17", "363.91"},
		{"discount after tax", row("4", "891.82", "3567.28", "713.46", "3745.65"), "Widget (S)", "4", "891.82", "535.09", "713.46"},
		{"whole discount", row("3", "10.00", "30.00", "0.00", "0.00"), "Widget (S)", "3", "10.00", "30.00", "0.00"},
		{"discount that no product gives", row("3", "8.33", "25.00", "4.50", "27.00"), "Widget (S), 3 x 8.33", "1", "25.00", "2.50", "4.50"},
		{"surcharge on the row", row("1", "10.00", "10.00", "2.20", "13.20"), "Widget (S)", "1", "11.00", "", "2.20"},
		{"no quantity", row("0", "10.00", "10.00", "2.00", "12.00"), "Widget (S), 0 x 10", "1", "10.00", "", "2.00"},
	}
	for _, c := range cases {
		body, _ := build(t, invoice(c.line))
		require.Len(t, body.LineItems, 1, c.name)
		got := body.LineItems[0]
		require.Equal(t, c.text, got.Description, c.name)
		require.Equal(t, []json.Number{c.quantity, c.unit, c.discount, c.tax}, []json.Number{got.Quantity, got.UnitAmount, got.DiscountAmount, got.TaxAmount}, c.name)
	}
}

// A discount of 100 % off the price with tax takes more than the net.
func Test_Discount_beyond_the_net_becomes_a_line_of_its_own(t *testing.T) {
	t.Parallel()
	body, _ := build(t, invoice(row("1", "100.00", "100.00", "20.00", "0.00"), row("1", "10.00", "10.00", "2.00", "12.00")))
	require.Len(t, body.LineItems, 3)
	require.Equal(t, json.Number("100.00"), body.LineItems[0].DiscountAmount)
	require.Equal(t, json.Number("20.00"), body.LineItems[0].TaxAmount)
	require.Equal(t, "Discount on Widget (S)", body.LineItems[1].Description)
	require.Equal(t, json.Number("-20.00"), body.LineItems[1].UnitAmount)
	require.Equal(t, json.Number("0.00"), body.LineItems[1].TaxAmount)
}

func Test_Zero_child_rows_are_folded_and_free_products_kept(t *testing.T) {
	t.Parallel()
	parent, child := row("2", "10.00", "20.00", "4.00", "24.00"), row("2", "0", "0", "0", "0")
	gift := row("1", "0", "0", "0", "0")
	gift.SKU, gift.Name = "GIFT", "Sticker"
	body, _ := build(t, invoice(parent, child, gift))
	require.Len(t, body.LineItems, 2)
	require.Equal(t, "Sticker (GIFT)", body.LineItems[1].Description)
}

func Test_Shipping_carries_its_own_tax_and_the_discount_that_lines_do_not(t *testing.T) {
	t.Parallel()
	withShipping := func(amount, tax, discount string) canon.Invoice {
		inv := invoice(row("1", "100.00", "100.00", "18.00", "108.00")) // discount 10.00
		inv.ShippingAmount, inv.ShippingTax = dec(amount), dec(tax)
		inv.TaxAmount = inv.TaxAmount.Add(inv.ShippingTax)
		inv.DiscountAmount = inv.DiscountAmount.Sub(dec(discount))
		inv.GrandTotal = inv.Subtotal.Add(inv.TaxAmount).Add(inv.ShippingAmount).Add(inv.DiscountAmount)
		return inv
	}
	body, _ := build(t, withShipping("10.00", "1.80", "1.00"))
	shipping := body.LineItems[1]
	require.Equal(t, "Shipping", shipping.Description)
	require.Equal(t, "425", shipping.AccountCode)
	require.Equal(t, "OUTPUT2", shipping.TaxType)
	require.Equal(t, json.Number("1.00"), shipping.DiscountAmount)
	require.Equal(t, json.Number("10.00"), body.LineItems[0].DiscountAmount)

	body, _ = build(t, withShipping("10.00", "0", "0"))
	require.Equal(t, "ZERORATEDOUTPUT", body.LineItems[1].TaxType, "untaxed shipping")

	body, _ = build(t, withShipping("10.00", "0", "12.50"))
	require.Equal(t, json.Number("10.00"), body.LineItems[1].DiscountAmount, "free by a coupon")
	require.Equal(t, "Discount", body.LineItems[2].Description, "a cart discount beyond shipping")
	require.Equal(t, json.Number("-2.50"), body.LineItems[2].UnitAmount)

	body, _ = build(t, withShipping("10.00", "2.00", "0"), func(p *policy.Policy, _ *provider.Reference) { p.ShippingAccountCode = "" })
	require.Equal(t, "200", body.LineItems[1].AccountCode)
}

func Test_Descriptions_are_clean_and_within_4000_characters(t *testing.T) {
	t.Parallel()
	describe := func(name, sku string) string {
		line := row("3", "8.33", "25.00", "5.00", "30.00")
		line.Name, line.SKU = name, sku
		body, _ := build(t, invoice(line))
		return body.LineItems[0].Description
	}
	require.Equal(t, "Über Widget (S-1), 3 x 8.33", describe("Über\x07\n\t Widget", "S-1"))
	require.Equal(t, "(S-1), 3 x 8.33", describe("", "S-1"))
	require.Equal(t, "a b (S-1), 3 x 8.33", describe("a\xff b", "S-1"))
	long := describe(strings.Repeat("🙂", 4000), "S-1")
	require.True(t, utf8.ValidString(long))
	require.True(t, strings.HasSuffix(long, "🙂 (S-1), 3 x 8.33"))
	require.LessOrEqual(t, 2*strings.Count(long, "🙂")+len(" (S-1), 3 x 8.33"), 4000)
	require.Greater(t, 2*strings.Count(long, "🙂")+len(" (S-1), 3 x 8.33"), 3996)
	line := row("1", "1.00", "1.00", "0.20", "1.20")
	line.Name, line.SKU = "\x00", " "
	body, _ := build(t, invoice(line))
	require.Equal(t, "Item", body.LineItems[0].Description)
}

func Test_Rounding_line_closes_pennies_on_the_ROUNDING_account(t *testing.T) {
	t.Parallel()
	off := func(pennies string) canon.Invoice {
		inv := plain(t)
		inv.GrandTotal = inv.GrandTotal.Add(dec(pennies))
		return inv
	}
	for pennies, want := range map[string]json.Number{"0.01": "0.01", "-0.01": "-0.01"} {
		body, doc := build(t, off(pennies))
		last := body.LineItems[len(body.LineItems)-1]
		require.Equal(t, "Rounding", last.Description)
		require.Equal(t, want, last.UnitAmount)
		require.Equal(t, "860", last.AccountCode)
		require.Equal(t, "NONE", last.TaxType)
		require.True(t, doc.Rounding.Equal(dec(pennies)))
	}
	_, doc := build(t, plain(t))
	require.True(t, doc.Rounding.IsZero())

	_, err := tryBuild(off("0.01"), func(p *policy.Policy, _ *provider.Reference) { p.RoundingTolerance = dec("0") })
	f := failure(t, err)
	require.Equal(t, "total_mismatch", f.Reason)
	require.Contains(t, f.Message, "come to 4840.86 and the shop's grand total to 4840.87: a difference of 0.01")
	require.Contains(t, f.Message, "set rounding_tolerance to 0.01")
}

// Two pennies are no rounding: the shop's own figures add up to the penny, so they
// are money of somebody's.
func Test_What_is_no_rounding_is_no_rounding_line(t *testing.T) {
	t.Parallel()
	for pennies, says := range map[string]string{
		"0.02": "0.02 is charged by no line", "-0.05": "0.05 was paid otherwise", "100": "100.00 is charged by no line",
	} {
		inv := plain(t)
		inv.GrandTotal = inv.GrandTotal.Add(dec(pennies))
		_, err := tryBuild(inv, func(p *policy.Policy, _ *provider.Reference) { p.RoundingTolerance = dec("1.00") })
		f := failure(t, err)
		require.Equal(t, "missing_mapping", f.Reason)
		require.Contains(t, f.Message, says)
	}
}

func Test_Rounding_without_a_ROUNDING_account_is_held(t *testing.T) {
	t.Parallel()
	inv := plain(t)
	inv.GrandTotal = inv.GrandTotal.Add(dec("0.01"))
	for name, accounts := range map[string][]provider.Account{
		"unknown": nil, "none": {}, "archived": {{Code: "860", Status: "ARCHIVED", SystemAccount: "ROUNDING"}},
	} {
		_, err := tryBuild(inv, func(_ *policy.Policy, r *provider.Reference) { r.Accounts = accounts })
		f := failure(t, err)
		require.Equal(t, "missing_mapping", f.Reason, name)
		require.Contains(t, f.Message, "ROUNDING")
	}
}

func Test_Document_that_cannot_be_made_says_why(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		inv    canon.Invoice
		change func(*policy.Policy, *provider.Reference)
		kind   provider.Kind
		reason string
		says   string
	}{
		{"no account", plain(t), func(p *policy.Policy, _ *provider.Reference) { p.RevenueAccountCode = "" }, provider.Held, "missing_mapping", "default_xero_revenue_account_code"},
		{"currency", canontest.Named(t, "eur_export_no_tax").Invoice, func(_ *policy.Policy, r *provider.Reference) { r.Currencies = []string{"GBP"} }, provider.Held, "currency_not_enabled", "EUR"},
		{"number", plain(t), func(p *policy.Policy, _ *provider.Reference) { p.InvoiceNumberPrefix = ptr("№") }, provider.Refused, "", "printable ASCII"},
		{"long number", plain(t), func(p *policy.Policy, _ *provider.Reference) { p.InvoiceNumberPrefix = ptr(strings.Repeat("x", 250)) }, provider.Refused, "", "255"},
		{"no lines", invoice(), nil, provider.Refused, "", "no lines"},
		{"negative", canon.Invoice{IncrementID: "1", Currency: "GBP", GrandTotal: dec("-1")}, nil, provider.Refused, "", "negative"},
	}
	for _, c := range cases {
		_, err := tryBuild(c.inv, func(p *policy.Policy, r *provider.Reference) {
			if c.change != nil {
				c.change(p, r)
			}
		})
		f := failure(t, err)
		require.Equal(t, c.kind, f.Kind, c.name)
		require.Equal(t, c.reason, f.Reason, c.name)
		require.Contains(t, f.Message, c.says, c.name)
	}
}

func Test_Notes_explain_every_line(t *testing.T) {
	t.Parallel()
	_, doc := build(t, canontest.Named(t, "four_decimal_unit_price").Invoice)
	require.Len(t, doc.Notes, 5)
	require.Contains(t, doc.Notes[0], "quantity in the text: 5 x 639.575")
	require.Contains(t, doc.Notes[1], "1 x 241.4833 = 241.48 on 200, tax 48.30 as OUTPUT2 (20.00 %)")
}

func Test_Same_invoice_gives_the_same_bytes(t *testing.T) {
	t.Parallel()
	_, first := build(t, canontest.Named(t, "mixed_rates").Invoice)
	for range 20 {
		_, again := build(t, canontest.Named(t, "mixed_rates").Invoice)
		require.Equal(t, first.Hash(), again.Hash())
	}
	require.True(t, decimal.Sum(first.SubTotal, first.TotalTax).Equal(first.Total))
}

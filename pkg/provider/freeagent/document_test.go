package freeagent

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// build makes a document without a ledger; the body comes back decoded.
func build(t *testing.T, inv canon.Invoice, pol policy.Policy, ref provider.Reference) (provider.Document, invoiceBody, error) {
	t.Helper()
	doc, err := clientOf(t, http.NotFoundHandler()).Document(inv, pol, ref, "https://l.test/v2/contacts/1", "https://towpath.test/runs/1")
	var body invoiceEnvelope
	if err == nil {
		require.NoError(t, json.Unmarshal(doc.Body, &body))
	}
	return doc, body.Invoice, err
}

func mustBuild(t *testing.T, inv canon.Invoice, pol policy.Policy, ref provider.Reference) (provider.Document, invoiceBody) {
	t.Helper()
	doc, body, err := build(t, inv, pol, ref)
	require.NoError(t, err)
	return doc, body
}

func TestDocument_header(t *testing.T) {
	t.Parallel()
	pol := testPolicy()
	prefix := "WEB-"
	pol.InvoiceNumberPrefix = &prefix
	pol.V2PaymentTermsDays = 0
	inv := sample(t, "paid_b2b_purchase_order")
	doc, body := mustBuild(t, inv, pol, provider.Reference{})
	require.Equal(t, "WEB-"+inv.IncrementID, doc.Number)
	require.Equal(t, doc.Number, body.Reference)
	require.Equal(t, "https://l.test/v2/contacts/1", body.Contact)
	require.Equal(t, "Purchase Order: PO-7781", body.Comments)
	require.Equal(t, "GBP", body.Currency)
	require.Empty(t, body.ExchangeRate)
	require.Equal(t, "Draft", doc.Status)
	require.NotContains(t, string(doc.Body), `"status"`, "a status in the body would be ignored")
	require.Contains(t, string(doc.Body), `"payment_terms_in_days":0`, "0 must be sent")
	require.NotContains(t, string(doc.Body), "towpath.test", "a link in the comments would be printed for the buyer")
	requireEqual(t, inv.GrandTotal, doc.Total)
}

func TestDocument_dated_on_the_companys_day(t *testing.T) {
	t.Parallel()
	inv := sample(t, "plain_vat")
	inv.CreatedAt = time.Date(2026, 7, 31, 23, 30, 0, 0, time.UTC)
	for zone, want := range map[string]string{"Europe/London": "2026-08-01", "UTC": "2026-07-31", "": "2026-07-31", "Mars/Olympus": "2026-07-31"} {
		_, body := mustBuild(t, inv, testPolicy(), provider.Reference{Organisation: provider.Organisation{Timezone: zone}})
		require.Equal(t, want, body.DatedOn, zone)
	}
}

// 1.1634 euros for a pound: an euro is worth 0.8595 pounds, and the wire
// converts the invoice's euros into pounds.
func TestDocument_exchange_rate_is_what_the_invoices_currency_is_worth(t *testing.T) {
	t.Parallel()
	inv := sample(t, "eur_export_no_tax")
	pol := testPolicy()
	pol.ShopBaseCurrency.Code = "GBP"
	for base, want := range map[string]string{"GBP": "0.8595496", "EUR": "", "": ""} {
		_, body := mustBuild(t, inv, pol, provider.Reference{Organisation: provider.Organisation{BaseCurrency: base}})
		require.Equal(t, want, body.ExchangeRate, base)
	}
	inv.BaseToOrderRate = nil
	_, body := mustBuild(t, inv, pol, provider.Reference{Organisation: provider.Organisation{BaseCurrency: "GBP"}})
	require.Empty(t, body.ExchangeRate)
}

func TestDocument_category(t *testing.T) {
	t.Parallel()
	one := []provider.IncomeCategory{{URL: "https://l.test/v2/categories/001"}}
	two := append(one, provider.IncomeCategory{URL: "https://l.test/v2/categories/002"})
	pol := testPolicy()
	pol.V2IncomeCategoryURL = nil
	_, body := mustBuild(t, sample(t, "plain_vat"), pol, provider.Reference{Categories: one})
	require.Equal(t, one[0].URL, body.Items[0].Category)
	for _, categories := range [][]provider.IncomeCategory{nil, {}, two} {
		_, _, err := build(t, sample(t, "plain_vat"), pol, provider.Reference{Categories: categories})
		f := failureIn(t, err)
		require.Equal(t, "missing_mapping", f.Reason)
		require.Contains(t, f.Message, "default_income_category_url")
	}
}

func TestDocument_refused_with_a_negative_total_whatever_the_status(t *testing.T) {
	t.Parallel()
	inv := sample(t, "zero_value")
	inv.GrandTotal = dec("-1")
	for _, status := range []string{"Draft", "Sent", ""} {
		pol := testPolicy()
		pol.V2InvoiceStatus = status
		_, _, err := build(t, inv, pol, provider.Reference{})
		f := failureIn(t, err)
		require.Equal(t, provider.Refused, f.Kind, status)
		require.Equal(t, provider.CodeValidation, f.Code, status)
		require.Contains(t, f.Message, "negative", status)
	}
}

func TestDocument_refused_without_lines(t *testing.T) {
	t.Parallel()
	inv := sample(t, "zero_value")
	inv.Lines = nil
	_, _, err := build(t, inv, testPolicy(), provider.Reference{})
	require.Equal(t, provider.Refused, failureIn(t, err).Kind)
}

func TestDocument_held_beyond_the_tolerance_with_both_sums(t *testing.T) {
	t.Parallel()
	inv := sample(t, "plain_vat")
	inv.GrandTotal = inv.GrandTotal.Add(dec("0.01"))
	pol := testPolicy()
	for tolerance, held := range map[string]bool{"0.01": false, "0": true} {
		pol.RoundingTolerance = dec(tolerance)
		doc, _, err := build(t, inv, pol, provider.Reference{})
		if !held {
			require.NoError(t, err)
			requireEqual(t, dec("0.01"), doc.Rounding)
			continue
		}
		f := failureIn(t, err)
		require.Equal(t, provider.Held, f.Kind)
		require.Equal(t, "total_mismatch", f.Reason)
		require.Contains(t, f.Message, "4840.86")
		require.Contains(t, f.Message, "4840.87")
		require.Contains(t, f.Message, "set rounding_tolerance to 0.01")
	}
}

func TestDocument_rounding_item_has_no_tax_and_no_unit(t *testing.T) {
	t.Parallel()
	inv := sample(t, "plain_vat")
	inv.GrandTotal = inv.GrandTotal.Sub(dec("0.01"))
	_, body := mustBuild(t, inv, testPolicy(), provider.Reference{})
	last := body.Items[len(body.Items)-1]
	require.Equal(t, itemBody{Position: len(body.Items), Quantity: "1.0", Description: "Rounding", Price: "-0.01",
		SalesTaxRate: "0.00", Category: testBase + "/v2/categories/001"}, last)
}

// cart is the simplest invoice around one item.
func cart(item magentosim.Item) magentosim.Cart {
	if item.Qty.IsZero() {
		item.Qty = dec("1")
	}
	return magentosim.Cart{Items: []magentosim.Item{item}}
}

func invoiceOf(c magentosim.Cart) canon.Invoice { return c.Invoice(1, testNow()) }

// 200 pieces of 0.13 at 20 % rounded by unit: the shop charges 6.00 of tax, the
// ledger would compute 5.20.
func TestDocument_tax_by_unit_corrected_exactly(t *testing.T) {
	t.Parallel()
	c := cart(magentosim.Item{SKU: "A", Name: "Screw", Price: dec("0.13"), Qty: dec("200"), TaxPercent: dec("20")})
	c.Calculation = magentosim.UnitBased
	inv := invoiceOf(c)
	requireEqual(t, dec("6.00"), inv.TaxAmount)
	doc, body := mustBuild(t, inv, testPolicy(), provider.Reference{})
	requireEqual(t, dec("32.00"), doc.Total)
	requireEqual(t, dec("6.00"), doc.TotalTax)
	requireEqual(t, dec("26.00"), doc.SubTotal)
	require.True(t, doc.Rounding.IsZero())
	require.Equal(t, []string{"0.13 20.00", "4.00 20.00", "-4.00 0.00"}, prices(body))
}

func prices(body invoiceBody) []string {
	var list []string
	for _, i := range body.Items {
		list = append(list, i.Price+" "+i.SalesTaxRate)
	}
	return list
}

func TestDocument_lines(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		item magentosim.Item
		want itemBody
	}{
		"Quantity_and_price_kept": {
			magentosim.Item{SKU: "A", Name: "Tea", Price: dec("3.50"), Qty: dec("3"), TaxPercent: dec("20")},
			itemBody{ItemType: "Products", Quantity: "3.0", Price: "3.50", Description: "Tea (A)", SalesTaxRate: "20.00"}},
		"Fractional_quantity_kept_where_exact": {
			magentosim.Item{SKU: "A", Name: "Tea", Price: dec("3.50"), Qty: dec("0.5"), TaxPercent: dec("5")},
			itemBody{ItemType: "Products", Quantity: "0.5", Price: "3.50", Description: "Tea (A)", SalesTaxRate: "5.00"}},
		"One_of_the_whole_where_the_price_has_four_decimals": {
			magentosim.Item{SKU: "A", Name: "Tea", Price: dec("3.3333"), Qty: dec("3")},
			itemBody{ItemType: "Products", Quantity: "1.0", Price: "10.00", Description: "Tea (A), 3 x 3.3333", SalesTaxRate: "0.00"}},
		"One_of_the_whole_where_the_quantity_has_three_decimals": {
			magentosim.Item{SKU: "A", Name: "Tea", Price: dec("8"), Qty: dec("0.125")},
			itemBody{ItemType: "Products", Quantity: "1.0", Price: "1.00", Description: "Tea (A), 0.125 x 8", SalesTaxRate: "0.00"}},
		"Discounted_price_where_it_divides": {
			magentosim.Item{SKU: "A", Name: "Tea", Price: dec("10"), Qty: dec("3"), TaxPercent: dec("20"), DiscountPercent: dec("10")},
			itemBody{ItemType: "Products", Quantity: "3.0", Price: "9.00", Description: "Tea (A), less discount 3.00", SalesTaxRate: "20.00"}},
		"One_of_the_whole_where_the_discounted_price_does_not_divide": {
			magentosim.Item{SKU: "A", Name: "Tea", Price: dec("9.99"), Qty: dec("3"), TaxPercent: dec("20"), DiscountPercent: dec("25")},
			itemBody{ItemType: "Products", Quantity: "1.0", Price: "22.48", Description: "Tea (A), 3 x 9.99, less discount 7.49", SalesTaxRate: "20.00"}},
		"Given_away": {
			magentosim.Item{SKU: "A", Name: "Tea", Price: dec("9.99"), Qty: dec("2"), TaxPercent: dec("20"), DiscountPercent: dec("100")},
			itemBody{ItemType: "Products", Quantity: "2.0", Price: "0.00", Description: "Tea (A), less discount 19.98", SalesTaxRate: "0.00"}},
		"Services_for_what_is_not_shipped": {
			magentosim.Item{SKU: "A", Name: "Tea", Price: dec("1"), ProductType: "downloadable"},
			itemBody{ItemType: "Services", Quantity: "1.0", Price: "1.00", Description: "Tea (A)", SalesTaxRate: "0.00"}},
		"Type_of_the_policy": {
			magentosim.Item{SKU: "A", Name: "Tea", Price: dec("1"), ProductType: "giftcard"},
			itemBody{ItemType: "Training", Quantity: "1.0", Price: "1.00", Description: "Tea (A)", SalesTaxRate: "0.00"}},
		"Described_by_the_SKU_without_a_name": {
			magentosim.Item{SKU: "A", Name: "\u0007 \n", Price: dec("1")},
			itemBody{ItemType: "Products", Quantity: "1.0", Price: "1.00", Description: "A", SalesTaxRate: "0.00"}},
		"Described_somehow_without_either": {
			magentosim.Item{Price: dec("1")},
			itemBody{ItemType: "Products", Quantity: "1.0", Price: "1.00", Description: "Item", SalesTaxRate: "0.00"}},
		"Text_cleaned": {
			magentosim.Item{SKU: "A", Name: "Ü\u0007ber\u200b\n <b>Tea</b>", Price: dec("1")},
			itemBody{ItemType: "Products", Quantity: "1.0", Price: "1.00", Description: "Ü ber <b>Tea</b> (A)", SalesTaxRate: "0.00"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pol := testPolicy()
			pol.V2ItemTypeMap = map[string]string{"giftcard": "Training"}
			inv := invoiceOf(cart(row.item))
			doc, body := mustBuild(t, inv, pol, provider.Reference{})
			row.want.Position, row.want.Category = 1, *pol.V2IncomeCategoryURL
			require.Len(t, body.Items, 1)
			require.Equal(t, row.want, body.Items[0])
			requireEqual(t, inv.GrandTotal, doc.Total)
		})
	}
}

func TestDocument_long_text_cut_on_a_rune(t *testing.T) {
	t.Parallel()
	_, body := mustBuild(t, invoiceOf(cart(magentosim.Item{SKU: "A", Name: strings.Repeat("€", 9000), Price: dec("1")})), testPolicy(), provider.Reference{})
	require.Equal(t, strings.Repeat("€", maxDescription-200)+" (A)", body.Items[0].Description)
}

func TestDocument_shipping_discount(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		after   bool
		percent string
		prices  []string
	}{
		"Lowers_the_price_where_it_lowered_the_tax": {false, "50", []string{"10.00 20.00", "4.00 20.00"}},
		"An_item_without_tax_where_it_did_not":      {true, "50", []string{"10.00 20.00", "8.00 20.00", "-4.00 0.00"}},
		"An_item_without_tax_though_both_would_do":  {true, "0.5", []string{"10.00 20.00", "8.00 20.00", "-0.04 0.00"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cart(magentosim.Item{SKU: "A", Name: "Tea", Price: dec("10"), TaxPercent: dec("20")})
			c.Shipping, c.ShippingTaxPercent, c.ShippingDiscount, c.DiscountAfterTax = dec("8"), dec("20"), dec(row.percent), row.after
			inv := invoiceOf(c)
			doc, body := mustBuild(t, inv, testPolicy(), provider.Reference{})
			require.Equal(t, row.prices, prices(body))
			requireEqual(t, inv.GrandTotal, doc.Total)
		})
	}
}

func TestDocument_free_gift_kept_child_row_folded(t *testing.T) {
	t.Parallel()
	c := magentosim.Cart{Items: []magentosim.Item{
		{SKU: "A", Name: "Shirt", Price: dec("10"), Qty: dec("1"), TaxPercent: dec("20"), Configurable: true},
		{SKU: "B", Name: "Gift", Price: dec("0"), Qty: dec("1")},
	}}
	_, body := mustBuild(t, invoiceOf(c), testPolicy(), provider.Reference{})
	require.Equal(t, []string{"10.00 20.00", "0.00 0.00"}, prices(body))
}

// Where a discount makes 20 % look like 18, and 18 is known too, the discount
// before the tax is the likelier shop.
func TestDocument_true_rate_behind_a_discount(t *testing.T) {
	t.Parallel()
	pol := testPolicy()
	pol.TaxRateMap["18.00"] = "OTHER"
	c := cart(magentosim.Item{SKU: "A", Name: "Tea", Price: dec("100"), TaxPercent: dec("20"), DiscountPercent: dec("10")})
	_, body := mustBuild(t, invoiceOf(c), pol, provider.Reference{})
	require.Equal(t, []string{"90.00 20.00"}, prices(body))
}

// A few pence fit several rates: the one that the rest of the invoice has is
// taken, be it the higher or the lower.
func TestDocument_small_line_takes_the_rate_of_the_others(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ price, rate, want string }{{"0.04", "20", "0.04 20.00"}, {"0.05", "25", "0.05 25.00"}} {
		pol := testPolicy()
		pol.TaxRateMap["25.00"] = "OTHER"
		c := magentosim.Cart{Items: []magentosim.Item{
			{SKU: "A", Name: "Bead", Price: dec(row.price), Qty: dec("1"), TaxPercent: dec(row.rate)},
			{SKU: "B", Name: "Tea", Price: dec("100"), Qty: dec("1"), TaxPercent: dec(row.rate)},
		}}
		_, body := mustBuild(t, invoiceOf(c), pol, provider.Reference{})
		require.Equal(t, row.want, prices(body)[0])
	}
}

func TestDocument_discount_larger_than_the_shipping_is_an_item_of_its_own(t *testing.T) {
	t.Parallel()
	inv := invoiceOf(cart(magentosim.Item{SKU: "A", Name: "Tea", Price: dec("10")}))
	inv.ShippingAmount, inv.DiscountAmount, inv.GrandTotal = dec("4.99"), dec("-7"), dec("7.99")
	_, body := mustBuild(t, inv, testPolicy(), provider.Reference{})
	require.Equal(t, []string{"10.00 0.00", "0.00 0.00", "-2.01 0.00"}, prices(body))
}

func TestDocument_shipping_as_it_is_where_the_lines_have_more_discount_than_the_header(t *testing.T) {
	t.Parallel()
	inv := invoiceOf(cart(magentosim.Item{SKU: "A", Name: "Tea", Price: dec("10")}))
	inv.Lines[0].LineTotal = dec("9.99")
	inv.ShippingAmount, inv.GrandTotal = dec("4.99"), dec("14.99")
	_, body := mustBuild(t, inv, testPolicy(), provider.Reference{})
	require.Equal(t, []string{"9.99 0.00", "4.99 0.00", "0.01 0.00"}, prices(body))
}

func TestDocument_line_without_a_quantity_is_one_of_the_whole(t *testing.T) {
	t.Parallel()
	for _, qty := range []string{"0", "-2"} {
		inv := invoiceOf(cart(magentosim.Item{SKU: "A", Name: "Fee", Price: dec("10")}))
		inv.Lines[0].Qty = dec(qty)
		_, body := mustBuild(t, inv, testPolicy(), provider.Reference{})
		require.Equal(t, "1.0", body.Items[0].Quantity)
		require.Equal(t, "10.00", body.Items[0].Price)
	}
}

func TestDocument_rates(t *testing.T) {
	t.Parallel()
	nineteen := []provider.TaxRate{taxRate(decimal.NewFromInt(19)), taxRate(decimal.Zero)}
	for name, row := range map[string]struct {
		mapped []string
		ref    []provider.TaxRate
		rate   string
		held   string
	}{
		"Posted_by_the_policys_map":                 {mapped: []string{"19.00"}, rate: "19"},
		"Posted_by_the_companys_rates":              {ref: nineteen, rate: "19"},
		"Posted_by_Britains_where_nobody_tells":     {rate: "20"},
		"Held_when_nobody_mapped_it":                {mapped: []string{"20.00"}, rate: "19", held: "19.00 %"},
		"Held_when_not_Britains_and_nobody_tells":   {rate: "19", held: "19.00 %"},
		"Held_when_the_company_has_no_such_rate":    {mapped: []string{"20.00"}, ref: nineteen, rate: "20", held: "20.00 %"},
		"Held_when_the_company_charges_no_tax":      {ref: []provider.TaxRate{}, rate: "20", held: "20.00 %"},
		"Posted_without_tax_whatever_is_known":      {ref: []provider.TaxRate{}, rate: "0"},
		"Posted_without_tax_though_not_in_the_map":  {mapped: []string{"20.00"}, rate: "0"},
		"Posted_by_a_rate_with_a_fraction_of_a_per": {mapped: []string{"9.50"}, rate: "9.5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pol := testPolicy()
			pol.TaxRateMap = map[string]string{}
			for _, key := range row.mapped {
				pol.TaxRateMap[key] = "T"
			}
			inv := invoiceOf(cart(magentosim.Item{SKU: "A", Name: "Tea", Price: dec("100"), TaxPercent: dec(row.rate)}))
			doc, body, err := build(t, inv, pol, provider.Reference{TaxRates: row.ref})
			if row.held == "" {
				require.NoError(t, err)
				requireEqual(t, dec(row.rate), dec(body.Items[0].SalesTaxRate))
				requireEqual(t, inv.GrandTotal, doc.Total)
				return
			}
			f := failureIn(t, err)
			require.Equal(t, "tax_rate_not_mapped", f.Reason)
			require.Contains(t, f.Message, row.held)
		})
	}
}

func TestDocument_held_when_the_shippings_tax_is_unknown(t *testing.T) {
	t.Parallel()
	inv := sample(t, "plain_vat")
	inv.ShippingTax = dec("0.50")
	_, _, err := build(t, inv, testPolicy(), provider.Reference{})
	f := failureIn(t, err)
	require.Equal(t, "tax_rate_not_mapped", f.Reason)
	require.Contains(t, f.Message, "Shipping")
	require.Contains(t, f.Message, `add "10.00" to tax_rate_map`)
}

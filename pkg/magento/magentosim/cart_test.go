package magentosim_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/magento/magentosim"
)

var at = time.Date(2026, 4, 29, 9, 59, 58, 0, time.UTC)

// Each sample's prices, quantities and rates, put into a cart with the settings
// that its name tells, come to the sample's amounts, all of them.
func Test_Cart_rebuilds_the_samples(t *testing.T) {
	t.Parallel()
	settings := map[string]func(*magentosim.Cart){
		"discount_before_tax":    discounted(10),
		"discount_after_tax":     func(c *magentosim.Cart) { discounted(15)(c); c.DiscountAfterTax = true },
		"tax_on_total":           func(c *magentosim.Cart) { c.Calculation = magentosim.TotalBased },
		"two_hundred_lines":      func(c *magentosim.Cart) { c.Calculation = magentosim.TotalBased },
		"unit_based_tax":         func(c *magentosim.Cart) { c.Calculation = magentosim.UnitBased },
		"header_two_pennies_off": func(c *magentosim.Cart) { c.HeaderTaxOnTotal = true },
		"prices_include_tax": func(c *magentosim.Cart) {
			c.PricesIncludeTax = true
			for i, gross := range []string{"112.66", "91.57", "722.27", "741.16", "826.58"} {
				c.Items[i].Price = dec(gross)
			}
		},
	}
	for _, sample := range canontest.Samples(t) {
		t.Run(sample.Name, func(t *testing.T) {
			t.Parallel()
			want := sample.Invoice
			cart := cartOf(want)
			if set := settings[sample.Name]; set != nil {
				set(&cart)
			}
			require.Equal(t, plain(t, want), plain(t, cart.Invoice(int64(want.MagentoID), at)))
		})
	}
}

// Without its setting a sample that is about rounding comes out differently:
// the test above would notice a setting that does nothing.
func Test_Cart_settings_matter(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"discount_before_tax", "discount_after_tax", "tax_on_total", "two_hundred_lines", "unit_based_tax", "header_two_pennies_off"} {
		want := canontest.Named(t, name).Invoice
		require.NotEqual(t, plain(t, want), plain(t, cartOf(want).Invoice(int64(want.MagentoID), at)), name)
	}
}

func Test_Cart_gross_rows_keep_the_gross_total(t *testing.T) {
	t.Parallel()
	cart := magentosim.Cart{
		PricesIncludeTax: true, GrossRows: true,
		Items: []magentosim.Item{{SKU: "A", Price: dec("91.57"), Qty: dec("4"), TaxPercent: dec("20")}},
	}
	for calculation, want := range map[magentosim.Calculation]string{
		magentosim.RowBased: "305.23", magentosim.UnitBased: "305.24",
	} {
		cart.Calculation = calculation
		inv := cart.Invoice(1, at)
		require.Equal(t, want, inv.Subtotal.String(), calculation)
		require.Equal(t, "366.28", inv.GrandTotal.String(), calculation)
		require.Equal(t, "76.31", inv.Lines[0].UnitPrice.String(), calculation)
	}
}

func Test_Cart_discounts_shipping_in_the_header_only(t *testing.T) {
	t.Parallel()
	cart := magentosim.Cart{
		Items:    []magentosim.Item{{SKU: "A", Price: dec("100"), Qty: dec("1.5"), TaxPercent: dec("20"), DiscountPercent: dec("10")}},
		Shipping: dec("10"), ShippingTaxPercent: dec("20"), ShippingDiscount: dec("50"),
	}
	inv := cart.Invoice(1, at)
	require.Equal(t, "-20", inv.DiscountAmount.String())
	require.Equal(t, "1", inv.ShippingTax.String(), "taxed after its discount")
	require.Equal(t, "15", inv.Lines[0].Discount().String())
	require.Equal(t, "168", inv.GrandTotal.String(), "135 + 27 + 5 + 1")
}

func Test_Cart_discount_on_gross_may_exceed_the_net_row(t *testing.T) {
	t.Parallel()
	cart := magentosim.Cart{
		DiscountAfterTax: true, DiscountOnGross: true,
		Items: []magentosim.Item{{SKU: "A", Price: dec("10"), Qty: dec("1"), TaxPercent: dec("20"), DiscountPercent: dec("100")}},
	}
	inv := cart.Invoice(1, at)
	require.Equal(t, "12", inv.Lines[0].Discount().String())
	require.True(t, inv.GrandTotal.IsZero())
	require.Equal(t, "2", inv.TaxAmount.String())
}

func Test_Cart_with_a_coupon_for_all_never_comes_to_less_than_nothing(t *testing.T) {
	t.Parallel()
	cart := magentosim.Cart{
		PricesIncludeTax: true, GrossRows: true, DiscountAfterTax: true, DiscountOnGross: true, HeaderTaxOnTotal: true,
		Items: []magentosim.Item{{SKU: "A", Price: dec("0.0275"), Qty: dec("2"), TaxPercent: dec("9.5"), DiscountPercent: dec("100")}},
	}
	require.Equal(t, "0", cart.Invoice(1, at).GrandTotal.String(), "the tax of the total, 0.00, would make it -0.01")
}

func Test_CanonicalJSON_writes_money_as_numbers(t *testing.T) {
	t.Parallel()
	raw := magentosim.CanonicalJSON(canontest.Named(t, "four_decimal_unit_price").Invoice)
	var doc struct {
		GrandTotal any `json:"grand_total"`
		Lines      []struct {
			UnitPrice json.RawMessage `json:"unit_price"`
		} `json:"lines"`
	}
	require.NoError(t, json.Unmarshal(raw, &doc))
	require.IsType(t, float64(0), doc.GrandTotal)
	require.Equal(t, "241.4833", string(doc.Lines[1].UnitPrice))
}

// cartOf is the cart of an invoice under the plain settings: net prices, tax by
// row, no discount, each rate as the line or the shipping shows it.
func cartOf(inv canon.Invoice) magentosim.Cart {
	cart := magentosim.Cart{
		Currency: inv.Currency, State: inv.State, BaseToOrderRate: inv.BaseToOrderRate,
		Customer: inv.Customer, BillingAddress: inv.BillingAddress, ShippingAddress: inv.ShippingAddress,
		Shipping: inv.ShippingAmount,
	}
	if inv.PaymentMethod != nil {
		cart.PaymentMethod = *inv.PaymentMethod
	}
	if inv.PONumber != nil {
		cart.PONumber = *inv.PONumber
	}
	if !inv.ShippingTax.IsZero() {
		cart.ShippingTaxPercent = dec("20")
	}
	for i, line := range inv.Lines {
		if i > 0 && line.SKU == inv.Lines[i-1].SKU {
			continue // the child of a configurable product
		}
		item := magentosim.Item{
			SKU: line.SKU, Name: line.Name, Price: line.UnitPrice, Qty: line.Qty,
			Configurable: *line.ProductType == "configurable",
		}
		if line.TaxRate != nil {
			item.TaxPercent = dec("5")
			if line.TaxRate.GreaterThan(dec("0.1")) {
				item.TaxPercent = dec("20") // 0.18 where discounted, 0.1923 on a line of 26 pence
			}
		}
		cart.Items = append(cart.Items, item)
	}
	return cart
}

func discounted(percent int64) func(*magentosim.Cart) {
	return func(c *magentosim.Cart) {
		for i := range c.Items {
			c.Items[i].DiscountPercent = decimal.NewFromInt(percent)
		}
	}
}

// plain is inv as generic JSON, in which 2, 2.0 and 2.00 are one number.
func plain(t *testing.T, inv canon.Invoice) any {
	t.Helper()
	var doc any
	require.NoError(t, json.Unmarshal(magentosim.CanonicalJSON(inv), &doc))
	return doc
}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

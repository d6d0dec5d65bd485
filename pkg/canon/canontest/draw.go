package canontest

import (
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
	"towpath/pkg/magento/magentosim"
)

// Rates are the tax rates in percent that DrawInvoice puts on lines and shipping.
func Rates() []decimal.Decimal {
	var rates []decimal.Decimal
	for _, percent := range []string{"0", "5", "8.875", "9.5", "19", "20", "21", "25"} {
		rates = append(rates, decimal.RequireFromString(percent))
	}
	return rates
}

// DrawInvoice is any invoice that a shop can compute: 1 to 30 items at any mix
// of Rates, up to four decimals, fractional quantities, every tax setting,
// discounts before and after tax and on prices with tax, gift cards, charges,
// shipping in proportion, three and four decimals, two countries. It went through the shop's JSON, so it is
// exactly what DecodeInvoice gives. It shrinks to one plain item of a penny.
func DrawInvoice(t *rapid.T) canon.Invoice {
	return Invoice(t, DrawCart(t))
}

// Invoice is the invoice of a drawn cart, as DecodeInvoice gives it.
func Invoice(t *rapid.T, cart magentosim.Cart) canon.Invoice {
	id := rapid.Int64Range(1, 999_999).Draw(t, "id")
	minutes := rapid.IntRange(0, 2*365*24*60).Draw(t, "minutes")
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
	inv, err := canon.DecodeInvoice(magentosim.CanonicalJSON(cart.Invoice(id, at)))
	if err != nil {
		t.Fatalf("a shop's own invoice is refused: %v", err)
	}
	return inv
}

// DrawCart is the cart behind DrawInvoice.
func DrawCart(t *rapid.T) magentosim.Cart {
	cart := magentosim.Cart{
		Customer:         DrawContact(t),
		PaymentMethod:    rapid.SampledFrom([]string{"checkmo", "", "purchaseorder"}).Draw(t, "payment method"),
		PONumber:         rapid.SampledFrom([]string{"", "PO-7781"}).Draw(t, "po"),
		State:            rapid.SampledFrom([]string{canon.StateOpen, canon.StatePaid}).Draw(t, "state"),
		Calculation:      rapid.SampledFrom([]magentosim.Calculation{magentosim.RowBased, magentosim.UnitBased, magentosim.TotalBased}).Draw(t, "calculation"),
		PricesIncludeTax: rapid.Bool().Draw(t, "prices include tax"),
		GrossRows:        rapid.Bool().Draw(t, "gross rows"),
		DiscountAfterTax: rapid.Bool().Draw(t, "discount after tax"),
		HeaderTaxOnTotal: rapid.Bool().Draw(t, "header tax on total"),
	}
	discounted := rapid.Bool().Draw(t, "discounted")
	if discounted && cart.DiscountAfterTax {
		cart.DiscountOnGross = rapid.Bool().Draw(t, "discount on gross")
	}
	if discounted && cart.PricesIncludeTax && !cart.DiscountAfterTax {
		cart.CouponOnGross = rapid.Bool().Draw(t, "coupon on gross")
	}
	drawCurrency(t, &cart)
	drawShipping(t, &cart, discounted)
	for range rapid.IntRange(1, 30).Draw(t, "items") {
		cart.Items = append(cart.Items, drawItem(t, discounted))
	}
	drawExtras(t, &cart)
	return cart
}

// drawExtras draws what no line shows, at most one of it, and where it goes.
func drawExtras(t *rapid.T, cart *magentosim.Cart) {
	switch rapid.IntRange(0, 9).Draw(t, "extra") {
	case 6:
		cart.PaidOtherwise = rapid.OneOf(rapid.Just(decimal.NewFromInt(100)), rapid.Map(rapid.Int64Range(1, 10_000), cents)).Draw(t, "paid otherwise")
	case 7:
		cart.Charge = rapid.Map(rapid.Int64Range(2, 3_000), cents).Draw(t, "charge")
		cart.ChargeTaxPercent = rapid.SampledFrom(Rates()).Draw(t, "charge's rate")
	case 8:
		cart.ShippingInProportion = true
	case 9:
		cart.Decimals = rapid.Int32Range(3, 4).Draw(t, "decimals")
	}
	if country := rapid.SampledFrom([]string{"", "GB", "AT"}).Draw(t, "country"); country != "" {
		cart.ShippingAddress = &canon.Address{Kind: "shipping", Street: []string{"1 Test Street"}, City: "Town", CountryID: country}
	}
}

// Kept are the items of a cart that have a line of their own in a document: a row
// without money after one of the same SKU looks like a configurable's child.
func Kept(cart magentosim.Cart, inv canon.Invoice) []magentosim.Item {
	var kept []magentosim.Item
	eachKept(cart, inv, func(item magentosim.Item, _ canon.Line) { kept = append(kept, item) })
	return kept
}

// KeptRows are the rows of Kept.
func KeptRows(cart magentosim.Cart, inv canon.Invoice) []canon.Line {
	var kept []canon.Line
	eachKept(cart, inv, func(_ magentosim.Item, l canon.Line) { kept = append(kept, l) })
	return kept
}

func eachKept(cart magentosim.Cart, inv canon.Invoice, do func(magentosim.Item, canon.Line)) {
	row := 0
	for _, item := range cart.Items {
		if row == 0 || !inv.Lines[row].IsZero() || inv.Lines[row].SKU != inv.Lines[row-1].SKU {
			do(item, inv.Lines[row])
		}
		row++
		if item.Configurable {
			row++
		}
	}
}

// DrawContact is a buyer: a guest or not, a company, a person or nobody by name.
func DrawContact(t *rapid.T) canon.Contact {
	c := canon.Contact{
		MagentoID: canon.Int(rapid.Int64Range(0, 5000).Draw(t, "customer")),
		Email:     rapid.SampledFrom([]string{"buyer@example.com", "Buyer+x@Example.com", ""}).Draw(t, "email"),
		FirstName: optional(t, "first name", "Ada", "李", "Zoë", "  "),
		LastName:  optional(t, "last name", "Lovelace", "雷", "O'Brien", "<>"),
		Company:   optional(t, "company", "Analytical Ltd", "Enterprise & Sons <Ltd>", " "),
		Phone:     optional(t, "phone", "+44 20 7946 0000"),
		Addresses: []canon.Address{},
	}
	if c.MagentoID > 0 {
		c.WebsiteID = 1
		group := canon.Int(rapid.Int64Range(0, 3).Draw(t, "group"))
		c.GroupID = &group
	}
	return c
}

func drawItem(t *rapid.T, discounted bool) magentosim.Item {
	item := magentosim.Item{
		SKU:          rapid.StringMatching(`[A-Z]{2}-[0-9]{3}`).Draw(t, "sku"),
		Name:         rapid.SampledFrom([]string{"Widget", "Widget №1 \"large\" <b>", "", "Ü\u0007ber\nWidget"}).Draw(t, "name"),
		Price:        drawPrice(t),
		Qty:          drawQty(t),
		TaxPercent:   rapid.SampledFrom(Rates()).Draw(t, "rate"),
		ProductType:  rapid.SampledFrom([]string{"simple", "virtual", "downloadable"}).Draw(t, "type"),
		Configurable: rapid.IntRange(0, 9).Draw(t, "configurable") == 9,
	}
	if discounted {
		item.DiscountPercent = rapid.OneOf(
			rapid.SampledFrom([]decimal.Decimal{decimal.NewFromInt(10), decimal.Zero, decimal.NewFromInt(100), decimal.New(125, -1)}),
			rapid.Map(rapid.Int64Range(0, 10_000), cents),
		).Draw(t, "discount")
	}
	return item
}

func drawPrice(t *rapid.T) decimal.Decimal {
	return rapid.OneOf(
		rapid.Map(rapid.Int64Range(1, 100_000), cents),
		rapid.Map(rapid.Int64Range(1, 10_000_000), fourDecimals),
		rapid.Map(rapid.Int64Range(0, 100), cents), // also free
	).Draw(t, "price")
}

func drawQty(t *rapid.T) decimal.Decimal {
	return rapid.OneOf(
		rapid.Map(rapid.Int64Range(1, 10), decimal.NewFromInt),
		rapid.Map(rapid.Int64Range(1, 50_000), fourDecimals),
		rapid.Map(rapid.Int64Range(1, 1_000), decimal.NewFromInt),
	).Draw(t, "qty")
}

func drawShipping(t *rapid.T, cart *magentosim.Cart, discounted bool) {
	cart.Shipping = rapid.OneOf(
		rapid.Just(decimal.Zero),
		rapid.Map(rapid.Int64Range(1, 5_000), cents),
	).Draw(t, "shipping")
	cart.ShippingTaxPercent = rapid.SampledFrom(Rates()).Draw(t, "shipping rate")
	if discounted && rapid.IntRange(0, 3).Draw(t, "shipping discounted") == 3 {
		cart.ShippingDiscount = rapid.Map(rapid.Int64Range(1, 10_000), cents).Draw(t, "shipping discount")
	}
}

func drawCurrency(t *rapid.T, cart *magentosim.Cart) {
	rate := decimal.NewFromInt(1)
	cart.Currency = rapid.SampledFrom([]string{"GBP", "EUR"}).Draw(t, "currency")
	if cart.Currency == "EUR" {
		rate = rapid.Map(rapid.Int64Range(5_000, 20_000), fourDecimals).Draw(t, "base to order rate")
	} else if rapid.Bool().Draw(t, "no rate") {
		return
	}
	cart.BaseToOrderRate = &rate
}

func cents(n int64) decimal.Decimal { return decimal.New(n, -2) }

func fourDecimals(n int64) decimal.Decimal { return decimal.New(n, -4) }

func optional(t *rapid.T, label string, some ...string) *string {
	n := rapid.IntRange(-1, len(some)-1).Draw(t, label)
	if n < 0 {
		return nil
	}
	return &some[n]
}

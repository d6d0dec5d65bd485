package magentosim

import (
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
)

// Calculation is the shop's setting "Tax Calculation Method Based On": where the
// tax is rounded to two decimals.
type Calculation string

// The three settings; the zero value is RowBased.
const (
	UnitBased  Calculation = "unit"  // per piece, then times the quantity
	RowBased   Calculation = "row"   // per line
	TotalBased Calculation = "total" // per line too, each line's residue carried on to the next of that rate
)

// Cart is what is bought and under which settings. Its Invoice is computed as
// Magento's tax calculation does: exact in between, half up to two decimals at
// the places that the setting names. Percentages are 20 for 20 %. Amounts are in
// Currency.
type Cart struct {
	Currency        string           // empty: GBP
	BaseToOrderRate *decimal.Decimal // nil: the shop sends null
	Customer        canon.Contact    // MagentoID 0: a guest
	BillingAddress  *canon.Address
	ShippingAddress *canon.Address
	PaymentMethod   string // empty: null
	GatewayTxn      string // the order's last transaction; empty: none
	PONumber        string // empty: null
	State           string // empty: open
	WebsiteID       int64  // 0: 1
	StoreID         int64  // 0: 1

	Items       []Item
	Calculation Calculation
	// PricesIncludeTax: an item's Price is gross. Its net price is rounded to two
	// decimals and then multiplied; with GrossRows the line's net is what the gross
	// row leaves after its tax, so that quantity x unit price may miss it by pennies.
	PricesIncludeTax bool
	GrossRows        bool
	DiscountAfterTax bool // tax is on the undiscounted amount
	DiscountOnGross  bool // only with DiscountAfterTax: the discount is a share of net plus tax
	// CouponOnGross, with PricesIncludeTax and without DiscountAfterTax: the coupon
	// comes off the price with tax, and the grand total is higher by the tax within
	// it (Magento's discount tax compensation), which no field shows.
	CouponOnGross bool
	// Decimals that the shop rounds to; 0: two.
	Decimals int32

	Shipping           decimal.Decimal // net
	ShippingTaxPercent decimal.Decimal
	ShippingDiscount   decimal.Decimal // percent; shows only in the header's discount_amount
	// ShippingInProportion: the shipping is taxed as the items are, in proportion to
	// their net amounts; ShippingTaxPercent is not read.
	ShippingInProportion bool
	// Charge is of no line: a fixed product tax or a payment fee.
	Charge, ChargeTaxPercent decimal.Decimal
	// PaidOtherwise is the percentage of the grand total that a gift card paid.
	PaidOtherwise decimal.Decimal
	// HeaderTaxOnTotal: the header's tax is computed on the sum of a rate's lines,
	// while each line keeps its own; they may miss each other by pennies.
	HeaderTaxOnTotal bool
}

// Item is one position of a Cart.
type Item struct {
	SKU, Name       string
	Price           decimal.Decimal // up to four decimals
	Qty             decimal.Decimal // above zero, up to four decimals
	TaxPercent      decimal.Decimal
	DiscountPercent decimal.Decimal
	ProductType     string // empty: simple
	// Configurable gives two lines with one SKU: the configurable with the money,
	// then its simple child all zero.
	Configurable bool
}

// Invoice is the canonical invoice of the cart. Its numbers follow from id.
func (c Cart) Invoice(id int64, createdAt time.Time) canon.Invoice {
	return c.Sale(id, createdAt).Invoice
}

// Sale is the invoice of the cart with what a refund of it needs.
func (c Cart) Sale(id int64, createdAt time.Time) *Sale {
	inv := canon.Invoice{
		MagentoID:        canon.Int(id),
		IncrementID:      fmt.Sprintf("%09d", 100_000_000+id),
		OrderID:          canon.Int(5000 + id),
		OrderIncrementID: fmt.Sprintf("%09d", 200_000_000+id),
		WebsiteID:        canon.Int(max(c.WebsiteID, 1)),
		StoreID:          canon.Int(max(c.StoreID, 1)),
		Currency:         or(c.Currency, "GBP"),
		State:            or(c.State, canon.StateOpen),
		Customer:         c.Customer,
		CreatedAt:        createdAt.UTC().Truncate(time.Second),
		PaymentMethod:    optional(c.PaymentMethod),
		BillingAddress:   c.BillingAddress,
		ShippingAddress:  c.ShippingAddress,
		PONumber:         optional(c.PONumber),
		BaseToOrderRate:  c.BaseToOrderRate,
	}
	return c.compute(inv)
}

// CanonicalJSON is inv as the shop answers it: money as JSON numbers.
func CanonicalJSON(inv canon.Invoice) []byte { return canon.EncodeInvoice(inv) }

func (c Cart) compute(inv canon.Invoice) *Sale {
	inv.Lines = []canon.Line{}
	sale := &Sale{places: max(c.Decimals, 2), paidOtherwise: c.PaidOtherwise}
	carried := map[string]decimal.Decimal{} // by rate: what rounding left over so far
	taxed := map[string]decimal.Decimal{}   // by rate: the sum that its tax is due on
	rates := map[string]decimal.Decimal{}
	itemTax, discounts, compensation := decimal.Zero, decimal.Zero, decimal.Zero
	for _, item := range c.Items {
		line, ofTax := c.line(item, carried)
		compensation = compensation.Add(ofTax)
		inv.Lines = append(inv.Lines, line)
		sale.left = append(sale.left, partOf(line, ofTax))
		if item.Configurable {
			inv.Lines = append(inv.Lines, child(line))
			sale.left = append(sale.left, partOf(child(line), decimal.Zero))
		}
		key := item.TaxPercent.String()
		rates[key] = ratio(item.TaxPercent)
		taxed[key] = taxed[key].Add(line.LineSubtotal)
		if !c.DiscountAfterTax {
			taxed[key] = taxed[key].Sub(line.Discount()).Add(ofTax)
		}
		inv.Subtotal = inv.Subtotal.Add(line.LineSubtotal)
		itemTax = itemTax.Add(line.LineTax)
		discounts = discounts.Add(line.Discount())
	}
	if c.HeaderTaxOnTotal {
		onTotal := decimal.Zero
		for key, sum := range taxed {
			onTotal = onTotal.Add(c.round(sum.Mul(rates[key])))
		}
		// A coupon for the whole of lines with their own tax may be a penny more than
		// with this one; an invoice does not come to less than nothing for it.
		if !inv.Subtotal.Add(onTotal).Add(compensation).LessThan(discounts) {
			itemTax = onTotal
		}
	}
	shippingDiscount, ofTax := c.ship(&inv, taxed, rates)
	chargeTax := c.round(c.Charge.Mul(ratio(c.ChargeTaxPercent)))
	inv.TaxAmount = itemTax.Add(inv.ShippingTax).Add(chargeTax)
	inv.DiscountAmount = discounts.Add(shippingDiscount).Neg()
	inv.GrandTotal = inv.Subtotal.Add(inv.TaxAmount).Add(inv.ShippingAmount).Add(inv.DiscountAmount).
		Add(compensation).Add(ofTax).Add(c.Charge)
	inv.GrandTotal = inv.GrandTotal.Sub(c.round(inv.GrandTotal.Mul(ratio(c.PaidOtherwise))))
	sale.Invoice = inv
	sale.shipping = part{qty: one, subtotal: inv.ShippingAmount, tax: inv.ShippingTax, discount: shippingDiscount, hidden: ofTax}
	return sale
}

// ship sets the shipping and its tax, and tells its discount and the tax within it.
func (c Cart) ship(inv *canon.Invoice, taxed, rates map[string]decimal.Decimal) (discount, ofTax decimal.Decimal) {
	inv.ShippingAmount = c.Shipping
	rate := ratio(c.ShippingTaxPercent)
	if c.ShippingInProportion {
		total, tax := decimal.Zero, decimal.Zero
		for key, sum := range taxed {
			total = total.Add(sum)
			tax = tax.Add(sum.Mul(rates[key]))
		}
		if rate = decimal.Zero; total.IsPositive() {
			rate = tax.DivRound(total, 16)
		}
	}
	before := c.round(c.Shipping.Mul(rate))
	share := ratio(c.ShippingDiscount)
	switch {
	case c.DiscountAfterTax:
		inv.ShippingTax = before
		return c.round(c.Shipping.Mul(share)), decimal.Zero
	case c.couponOnGross():
		gross := c.Shipping.Add(before)
		discount = c.round(gross.Mul(share))
		inv.ShippingTax = c.within(gross.Sub(discount), rate)
		return discount, before.Sub(inv.ShippingTax)
	}
	discount = c.round(c.Shipping.Mul(share))
	inv.ShippingTax = c.round(c.Shipping.Sub(discount).Mul(rate))
	return discount, decimal.Zero
}

func (c Cart) couponOnGross() bool {
	return c.CouponOnGross && c.PricesIncludeTax && !c.DiscountAfterTax
}

// within is the tax in an amount that includes it.
func (c Cart) within(gross, rate decimal.Decimal) decimal.Decimal {
	return c.round(gross.Sub(gross.DivRound(one.Add(rate), 12)))
}

var one = decimal.NewFromInt(1)

// grossLine is a line under CouponOnGross, with the tax within its discount.
func (c Cart) grossLine(item Item, line canon.Line) (canon.Line, decimal.Decimal) {
	rate := ratio(item.TaxPercent)
	gross := c.round(item.Price.Mul(item.Qty))
	discount := c.round(gross.Mul(ratio(item.DiscountPercent)))
	before, after := c.within(gross, rate), c.within(gross.Sub(discount), rate)
	if c.Calculation == UnitBased {
		ofUnit := item.Price.Sub(discount.DivRound(item.Qty, 12))
		before = c.round(c.within(item.Price, rate).Mul(item.Qty))
		after = c.round(c.within(ofUnit, rate).Mul(item.Qty))
	}
	line.LineSubtotal, line.LineTax = gross.Sub(before), after
	line.UnitPrice = line.LineSubtotal.DivRound(item.Qty, max(c.Decimals, 2))
	line.LineTotal = line.LineSubtotal.Add(after).Sub(discount)
	return line, before.Sub(after)
}

func (c Cart) line(item Item, carried map[string]decimal.Decimal) (canon.Line, decimal.Decimal) {
	line := canon.Line{
		SKU: item.SKU, Name: item.Name, Qty: item.Qty,
		ProductType: optional(or(item.ProductType, "simple")),
	}
	if item.Configurable {
		line.ProductType = optional("configurable")
	}
	if c.couponOnGross() {
		line, ofTax := c.grossLine(item, line)
		setRate(&line)
		return line, ofTax
	}
	line.UnitPrice, line.LineSubtotal = c.net(item)
	share := ratio(item.DiscountPercent)
	discount := decimal.Zero
	if !c.DiscountAfterTax {
		discount = c.round(line.LineSubtotal.Mul(share))
	}
	line.LineTax = c.tax(item, line.UnitPrice, line.LineSubtotal, discount, carried)
	if c.DiscountAfterTax {
		discount = c.round(line.LineSubtotal.Mul(share))
		if c.DiscountOnGross {
			discount = c.round(line.LineSubtotal.Add(line.LineTax).Mul(share))
		}
	}
	line.LineTotal = line.LineSubtotal.Add(line.LineTax).Sub(discount)
	setRate(&line)
	return line, decimal.Zero
}

// setRate is the ratio that the shop tells of a line; too low where a discount
// lowered its tax.
func setRate(line *canon.Line) {
	if !line.LineTax.IsZero() && !line.LineSubtotal.IsZero() {
		rate := line.LineTax.DivRound(line.LineSubtotal, 4)
		line.TaxRate = &rate
	}
}

// net is the unit price without tax and the row's.
func (c Cart) net(item Item) (unit, row decimal.Decimal) {
	if !c.PricesIncludeTax {
		return item.Price, c.round(item.Price.Mul(item.Qty))
	}
	divisor := one.Add(ratio(item.TaxPercent))
	if !c.GrossRows {
		unit = item.Price.DivRound(divisor, 2)
		return unit, c.round(unit.Mul(item.Qty))
	}
	gross := c.round(item.Price.Mul(item.Qty))
	row = gross.Sub(c.round(gross.Sub(gross.DivRound(divisor, 12))))
	if c.Calculation == UnitBased {
		unitTax := c.round(item.Price.Sub(item.Price.DivRound(divisor, 12)))
		row = gross.Sub(c.round(unitTax.Mul(item.Qty)))
	}
	return row.DivRound(item.Qty, 2), row
}

// tax is that of one line after discount; carried is read and written only
// where tax is calculated on the total.
func (c Cart) tax(item Item, unit, row, discount decimal.Decimal, carried map[string]decimal.Decimal) decimal.Decimal {
	rate := ratio(item.TaxPercent)
	if c.PricesIncludeTax && c.GrossRows && discount.IsZero() && c.Calculation != TotalBased {
		return c.round(item.Price.Mul(item.Qty)).Sub(row)
	}
	exact := row.Sub(discount).Mul(rate)
	switch c.Calculation {
	case UnitBased:
		taxable := unit.Sub(discount.DivRound(item.Qty, 12))
		return c.round(c.round(taxable.Mul(rate)).Mul(item.Qty))
	case TotalBased:
		key := item.TaxPercent.String()
		exact = exact.Add(carried[key])
		rounded := c.round(exact)
		carried[key] = exact.Sub(rounded)
		return rounded
	}
	return c.round(exact)
}

// child is the simple product that was chosen of a configurable one.
func child(parent canon.Line) canon.Line {
	return canon.Line{SKU: parent.SKU, Name: parent.Name, Qty: parent.Qty, ProductType: optional("simple")}
}

// round is half up to the shop's decimals, also below zero: a residue of minus
// half a penny carried to a line without money gives no negative tax.
func (c Cart) round(d decimal.Decimal) decimal.Decimal {
	places := max(c.Decimals, 2)
	return d.Add(decimal.New(5, -places-1)).RoundFloor(places)
}

func ratio(percent decimal.Decimal) decimal.Decimal { return percent.Shift(-2) }

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

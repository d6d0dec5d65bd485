package canon

import (
	"time"

	"github.com/shopspring/decimal"
)

// The states of an invoice.
const (
	StateOpen      = "open"
	StatePaid      = "paid"
	StateCancelled = "cancelled"
)

// Invoice is the shop's canonical invoice, as GET /rest/V1/byte8/invoice/{id}
// answers it. Amounts are in Currency, with two to four decimals.
type Invoice struct {
	MagentoID        Int             `json:"magento_id"`
	IncrementID      string          `json:"increment_id"`
	OrderID          Int             `json:"order_id"`
	OrderIncrementID string          `json:"order_increment_id"`
	WebsiteID        Int             `json:"website_id"`
	StoreID          Int             `json:"store_id"`
	Currency         string          `json:"currency"`
	State            string          `json:"state"` // open, paid or cancelled
	Customer         Contact         `json:"customer"`
	Lines            []Line          `json:"lines"`
	Subtotal         decimal.Decimal `json:"subtotal"`
	TaxAmount        decimal.Decimal `json:"tax_amount"` // includes ShippingTaxAmount
	ShippingAmount   decimal.Decimal `json:"shipping_amount"`
	ShippingTax      decimal.Decimal `json:"shipping_tax_amount"`
	DiscountAmount   decimal.Decimal `json:"discount_amount"` // negative or zero
	GrandTotal       decimal.Decimal `json:"grand_total"`
	CreatedAt        time.Time       `json:"created_at"`
	PaymentMethod    *string         `json:"payment_method"`
	BillingAddress   *Address        `json:"billing_address"`
	ShippingAddress  *Address        `json:"shipping_address"`
	PONumber         *string         `json:"po_number"`
	// BaseToOrderRate is how many units of Currency one unit of the shop's base
	// currency buys; nil or 1 means a single currency.
	BaseToOrderRate *decimal.Decimal `json:"base_to_order_rate"`
}

// Line is one invoice line. LineSubtotal is Qty x UnitPrice before discount and
// without tax; LineTotal is LineSubtotal + LineTax - discount.
type Line struct {
	SKU          string           `json:"sku"`
	Name         string           `json:"name"`
	Qty          decimal.Decimal  `json:"qty"`
	UnitPrice    decimal.Decimal  `json:"unit_price"`
	LineSubtotal decimal.Decimal  `json:"line_subtotal"`
	LineTax      decimal.Decimal  `json:"line_tax"`
	LineTotal    decimal.Decimal  `json:"line_total"`
	TaxRate      *decimal.Decimal `json:"tax_rate"` // a ratio, misleading on discounted lines
	TaxClass     *string          `json:"tax_class"`
	ProductType  *string          `json:"product_type"`
}

// Discount is what was taken off the line: the shop has no field for it.
func (l Line) Discount() decimal.Decimal {
	return l.LineSubtotal.Add(l.LineTax).Sub(l.LineTotal)
}

// IsZero reports whether the line carries no money at all, as the child row of
// a configurable product does.
func (l Line) IsZero() bool {
	return l.LineSubtotal.IsZero() && l.LineTax.IsZero() && l.LineTotal.IsZero()
}

// Contact is the buyer. MagentoID 0 is a guest, who has no customer document.
type Contact struct {
	MagentoID Int       `json:"magento_id"`
	Email     string    `json:"email"`
	FirstName *string   `json:"first_name"`
	LastName  *string   `json:"last_name"`
	Company   *string   `json:"company"`
	Phone     *string   `json:"phone"`
	WebsiteID Int       `json:"website_id"`
	GroupID   *Int      `json:"group_id"`
	Addresses []Address `json:"addresses"`
}

// Address is a postal address; CountryID is ISO 3166-1 alpha-2.
type Address struct {
	Kind      string   `json:"kind"` // billing or shipping
	Street    []string `json:"street"`
	City      string   `json:"city"`
	Region    *string  `json:"region"`
	Postcode  *string  `json:"postcode"`
	CountryID string   `json:"country_id"`
	Telephone *string  `json:"telephone"`
}

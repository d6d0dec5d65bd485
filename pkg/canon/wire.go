package canon

import (
	"strings"

	"github.com/shopspring/decimal"
)

// wireInvoice is Invoice as it stands in JSON, in the contract's order.
type wireInvoice struct {
	MagentoID        Int                 `json:"magento_id"`
	IncrementID      text                `json:"increment_id"`
	OrderID          Int                 `json:"order_id"`
	OrderIncrementID text                `json:"order_increment_id"`
	WebsiteID        Int                 `json:"website_id"`
	StoreID          Int                 `json:"store_id"`
	Currency         text                `json:"currency"`
	State            text                `json:"state"`
	Customer         object[wireContact] `json:"customer"`
	Lines            list[wireLine]      `json:"lines"`
	Subtotal         amount              `json:"subtotal"`
	TaxAmount        amount              `json:"tax_amount"`
	ShippingAmount   amount              `json:"shipping_amount"`
	ShippingTax      amount              `json:"shipping_tax_amount"`
	DiscountAmount   amount              `json:"discount_amount"`
	GrandTotal       amount              `json:"grand_total"`
	CreatedAt        timestamp           `json:"created_at"`
	PaymentMethod    *text               `json:"payment_method"`
	BillingAddress   object[wireAddress] `json:"billing_address"`
	ShippingAddress  object[wireAddress] `json:"shipping_address"`
	PONumber         *text               `json:"po_number"`
	BaseToOrderRate  *amount             `json:"base_to_order_rate"`
}

type wireLine struct {
	SKU          text    `json:"sku"`
	Name         text    `json:"name"`
	Qty          amount  `json:"qty"`
	UnitPrice    amount  `json:"unit_price"`
	LineSubtotal amount  `json:"line_subtotal"`
	LineTax      amount  `json:"line_tax"`
	LineTotal    amount  `json:"line_total"`
	TaxRate      *amount `json:"tax_rate"`
	TaxClass     *text   `json:"tax_class"`
	ProductType  *text   `json:"product_type"`
}

type wireContact struct {
	MagentoID Int               `json:"magento_id"`
	Email     text              `json:"email"`
	FirstName *text             `json:"first_name"`
	LastName  *text             `json:"last_name"`
	Company   *text             `json:"company"`
	Phone     *text             `json:"phone"`
	WebsiteID Int               `json:"website_id"`
	GroupID   *Int              `json:"group_id"`
	Addresses list[wireAddress] `json:"addresses"`
}

type wireAddress struct {
	Kind      text   `json:"kind"`
	Street    street `json:"street"`
	City      text   `json:"city"`
	Region    *text  `json:"region"`
	Postcode  *text  `json:"postcode"`
	CountryID text   `json:"country_id"`
	Telephone *text  `json:"telephone"`
}

func (w wireInvoice) invoice() Invoice {
	inv := Invoice{
		MagentoID: w.MagentoID, IncrementID: string(w.IncrementID),
		OrderID: w.OrderID, OrderIncrementID: string(w.OrderIncrementID),
		WebsiteID: w.WebsiteID, StoreID: w.StoreID,
		Currency: strings.ToUpper(string(w.Currency)), State: state(string(w.State)),
		Lines:    make([]Line, 0, len(w.Lines)),
		Subtotal: w.Subtotal.money(), TaxAmount: w.TaxAmount.money(),
		ShippingAmount: w.ShippingAmount.money(), ShippingTax: w.ShippingTax.money(),
		DiscountAmount: w.DiscountAmount.money(), GrandTotal: w.GrandTotal.money(),
		CreatedAt: w.CreatedAt.Time, PaymentMethod: (*string)(w.PaymentMethod),
		BillingAddress: addressOf(w.BillingAddress), ShippingAddress: addressOf(w.ShippingAddress),
		PONumber: (*string)(w.PONumber), BaseToOrderRate: rate(w.BaseToOrderRate),
	}
	if w.Customer.value != nil {
		inv.Customer = w.Customer.value.contact()
	}
	for _, l := range w.Lines {
		inv.Lines = append(inv.Lines, l.line())
	}
	return inv
}

func (w wireLine) line() Line {
	return Line{
		SKU: string(w.SKU), Name: string(w.Name),
		Qty: w.Qty.money(), UnitPrice: w.UnitPrice.money(),
		LineSubtotal: w.LineSubtotal.money(), LineTax: w.LineTax.money(), LineTotal: w.LineTotal.money(),
		TaxRate: rate(w.TaxRate), TaxClass: (*string)(w.TaxClass), ProductType: (*string)(w.ProductType),
	}
}

func (w wireContact) contact() Contact {
	c := Contact{
		MagentoID: w.MagentoID, Email: string(w.Email),
		FirstName: (*string)(w.FirstName), LastName: (*string)(w.LastName),
		Company: (*string)(w.Company), Phone: (*string)(w.Phone),
		WebsiteID: w.WebsiteID, GroupID: w.GroupID,
		Addresses: make([]Address, 0, len(w.Addresses)),
	}
	for _, a := range w.Addresses {
		c.Addresses = append(c.Addresses, a.address())
	}
	return c
}

func (w wireAddress) address() Address {
	a := Address{
		Kind: string(w.Kind), Street: make([]string, 0, len(w.Street)), City: string(w.City),
		Region: (*string)(w.Region), Postcode: (*string)(w.Postcode),
		CountryID: string(w.CountryID), Telephone: (*string)(w.Telephone),
	}
	for _, s := range w.Street {
		a.Street = append(a.Street, string(s))
	}
	return a
}

func addressOf(o object[wireAddress]) *Address {
	if o.value == nil {
		return nil
	}
	a := o.value.address()
	return &a
}

func rate(a *amount) *decimal.Decimal {
	if a == nil || !a.set {
		return nil
	}
	return &a.Decimal
}

// state takes Magento's own spelling for the contract's.
func state(s string) string {
	if s == "canceled" {
		return StateCancelled
	}
	return s
}

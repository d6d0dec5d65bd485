package canon

import (
	"encoding/json"

	"github.com/shopspring/decimal"
)

// EncodeInvoice writes inv as the shop does, money as JSON numbers. What it
// writes, DecodeInvoice reads back unchanged.
func EncodeInvoice(inv Invoice) []byte {
	raw, err := json.Marshal(wireOf(inv))
	if err != nil {
		panic(err) // unreachable: the wire form holds nothing that JSON cannot
	}
	return raw
}

func wireOf(inv Invoice) wireInvoice {
	contact := wireContactOf(inv.Customer)
	w := wireInvoice{
		MagentoID: inv.MagentoID, IncrementID: text(inv.IncrementID),
		OrderID: inv.OrderID, OrderIncrementID: text(inv.OrderIncrementID),
		WebsiteID: inv.WebsiteID, StoreID: inv.StoreID, Currency: text(inv.Currency), State: text(inv.State),
		Customer: object[wireContact]{&contact}, Lines: wireLinesOf(inv.Lines),
		Subtotal: amountOf(inv.Subtotal), TaxAmount: amountOf(inv.TaxAmount),
		ShippingAmount: amountOf(inv.ShippingAmount), ShippingTax: amountOf(inv.ShippingTax),
		DiscountAmount: amountOf(inv.DiscountAmount), GrandTotal: amountOf(inv.GrandTotal),
		CreatedAt: timestamp{inv.CreatedAt.UTC()}, PaymentMethod: (*text)(inv.PaymentMethod),
		PONumber: (*text)(inv.PONumber), BaseToOrderRate: amountPtr(inv.BaseToOrderRate),
	}
	if inv.BillingAddress != nil {
		w.BillingAddress = wireAddressOf(*inv.BillingAddress)
	}
	if inv.ShippingAddress != nil {
		w.ShippingAddress = wireAddressOf(*inv.ShippingAddress)
	}
	return w
}

func wireContactOf(c Contact) wireContact {
	w := wireContact{
		MagentoID: c.MagentoID, Email: text(c.Email),
		FirstName: (*text)(c.FirstName), LastName: (*text)(c.LastName),
		Company: (*text)(c.Company), Phone: (*text)(c.Phone),
		WebsiteID: c.WebsiteID, GroupID: c.GroupID, Addresses: list[wireAddress]{},
	}
	for _, a := range c.Addresses {
		w.Addresses = append(w.Addresses, *wireAddressOf(a).value)
	}
	return w
}

func wireAddressOf(a Address) object[wireAddress] {
	w := wireAddress{
		Kind: text(a.Kind), Street: street{}, City: text(a.City), Region: (*text)(a.Region),
		Postcode: (*text)(a.Postcode), CountryID: text(a.CountryID), Telephone: (*text)(a.Telephone),
	}
	for _, s := range a.Street {
		w.Street = append(w.Street, text(s))
	}
	return object[wireAddress]{&w}
}

func amountOf(d decimal.Decimal) amount { return amount{d, true} }

func amountPtr(d *decimal.Decimal) *amount {
	if d == nil {
		return nil
	}
	a := amountOf(*d)
	return &a
}

// EncodeCreditMemo writes memo as the shop does. What it writes, DecodeCreditMemo
// reads back unchanged.
func EncodeCreditMemo(memo CreditMemo) []byte {
	contact := wireContactOf(memo.Customer)
	w := wireCreditMemo{
		MagentoID: memo.MagentoID, IncrementID: text(memo.IncrementID),
		InvoiceID: memo.InvoiceID, InvoiceIncrementID: (*text)(memo.InvoiceIncrementID),
		WebsiteID: memo.WebsiteID, Currency: text(memo.Currency), Customer: object[wireContact]{&contact}, Lines: wireLinesOf(memo.Lines),
		AdjustmentPositive: amountOf(memo.AdjustmentPositive), AdjustmentNegative: amountOf(memo.AdjustmentNegative),
		GrandTotal: amountOf(memo.GrandTotal), ShippingAmount: amountOf(memo.ShippingAmount), ShippingTax: amountOf(memo.ShippingTax),
		Reason: (*text)(memo.Reason), CreatedAt: timestamp{memo.CreatedAt.UTC()}, BaseToOrderRate: amountPtr(memo.BaseToOrderRate),
	}
	if memo.InvoiceCreatedAt != nil {
		w.InvoiceCreatedAt = &timestamp{memo.InvoiceCreatedAt.UTC()}
	}
	raw, err := json.Marshal(w)
	if err != nil {
		panic(err) // unreachable: the wire form holds nothing that JSON cannot
	}
	return raw
}

func wireLinesOf(lines []Line) list[wireLine] {
	all := list[wireLine]{}
	for _, l := range lines {
		all = append(all, wireLine{
			SKU: text(l.SKU), Name: text(l.Name), Qty: amountOf(l.Qty), UnitPrice: amountOf(l.UnitPrice),
			LineSubtotal: amountOf(l.LineSubtotal), LineTax: amountOf(l.LineTax), LineTotal: amountOf(l.LineTotal),
			TaxRate: amountPtr(l.TaxRate), TaxClass: (*text)(l.TaxClass), ProductType: (*text)(l.ProductType),
		})
	}
	return all
}

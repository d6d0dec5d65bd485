package freeagent

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// linesOf makes the items of an invoice: one for each line, one for shipping,
// and one without tax for discounts that did not lower the tax.
func linesOf(inv canon.Invoice, pol policy.Policy, ref provider.Reference) (*lines, error) {
	known := knownRates(pol, ref)
	taxed, err := explain(inv, known)
	if err != nil {
		return nil, err
	}
	made := &lines{}
	var afterTax decimal.Decimal
	seen := map[string]bool{}
	for i, line := range inv.Lines {
		if line.IsZero() && seen[line.SKU] {
			made.notes = append(made.notes, fmt.Sprintf("%s: a child row without amounts, folded into its parent", line.SKU))
			continue
		}
		seen[line.SKU] = true
		net := line.LineSubtotal
		if taxed.discountFirst {
			net = net.Sub(line.Discount())
		} else {
			afterTax = afterTax.Add(line.Discount())
		}
		product, note := productItem(line, net, taxed.rates[i])
		product.itemType = itemType(line, pol)
		made.add(product, note)
	}
	if err := addShipping(made, inv, known, taxed, afterTax); err != nil {
		return nil, err
	}
	for _, i := range made.items {
		if err := allowedBy(ref, i.rate); err != nil {
			return nil, err
		}
	}
	if len(made.items) == 0 {
		return nil, &provider.Failure{Kind: provider.Refused, Code: provider.CodeValidation, Message: "the invoice has no lines"}
	}
	return made, nil
}

// productItem is a line with its net amount after any discount before tax.
// Quantity and price stay the shop's where the net is exactly quantity x a price
// of two decimals; else the item is one unit of the whole and its text has the
// quantity. Quantities with more than two decimals count as the latter: the wire
// does not say how many it keeps.
func productItem(line canon.Line, net, rate decimal.Decimal) (item, string) {
	made := item{quantity: decimal.NewFromInt(1), price: net.Round(2), rate: rate, shopTax: line.LineTax, description: describe(line)}
	note := "as it is"
	discounted := !net.Equal(line.LineSubtotal)
	if price, ok := unitPrice(net, line.Qty); ok {
		made.quantity, made.price = line.Qty, price
		if discounted {
			note = "price after discount"
		}
	} else {
		made.description = cleanText(fmt.Sprintf("%s, %s x %s", made.description, line.Qty, line.UnitPrice), maxDescription)
		note = "one unit of the whole, since the net is no quantity x price"
	}
	if discounted {
		taken := line.LineSubtotal.Sub(net).StringFixed(2)
		made.description = cleanText(made.description+", less discount "+taken, maxDescription)
	}
	return made, fmt.Sprintf("%s: %s x %s at %s %%, %s", line.SKU, made.quantity, made.price.StringFixed(2), rate.StringFixed(2), note)
}

// unitPrice is net / qty where that has two decimals.
func unitPrice(net, qty decimal.Decimal) (decimal.Decimal, bool) {
	if !qty.IsPositive() || !qty.Equal(qty.Round(2)) {
		return decimal.Zero, false
	}
	price := net.DivRound(qty, 2)
	return price, qty.Mul(price).Equal(net)
}

func describe(line canon.Line) string {
	name, sku := cleanText(line.Name, maxDescription-200), cleanText(line.SKU, 100)
	switch {
	case name == "" && sku == "":
		return "Item"
	case name == "":
		return sku
	case sku == "" || strings.Contains(name, sku):
		return name
	}
	return name + " (" + sku + ")"
}

// itemType is the wire's unit for a line: item_type_map by the shop's product
// type, where it has none Services for what is not shipped and Products for all
// else.
func itemType(line canon.Line, pol policy.Policy) string {
	product := text(line.ProductType)
	if mapped, ok := pol.V2ItemTypeMap[product]; ok {
		return mapped
	}
	switch product {
	case "virtual", "downloadable":
		return "Services"
	}
	return "Products"
}

// addShipping adds shipping with its own tax, and what the header has in
// discounts beyond the lines': that is a discount on shipping. It lowers the
// shipping's price where the tax says that it was taken first, else it goes
// with the lines' discounts after tax.
func addShipping(made *lines, inv canon.Invoice, known []decimal.Decimal, taxed taxation, afterTax decimal.Decimal) error {
	off := inv.DiscountAmount.Neg()
	for _, line := range inv.Lines {
		off = off.Sub(line.Discount())
	}
	off = decimal.Max(off, decimal.Zero)
	if !inv.ShippingAmount.IsZero() || !inv.ShippingTax.IsZero() {
		net, rate, err := shippingNet(inv, known, taxed.rates, off)
		if err != nil {
			return err
		}
		off = off.Sub(inv.ShippingAmount.Sub(net))
		made.add(item{description: "Shipping", quantity: decimal.NewFromInt(1), price: net.Round(2), rate: rate, shopTax: inv.ShippingTax},
			fmt.Sprintf("shipping: %s at %s %%", net.StringFixed(2), rate.StringFixed(2)))
	}
	if afterTax = afterTax.Add(off); !afterTax.Round(2).IsZero() {
		made.add(item{itemType: "Discount", description: "Discount", quantity: decimal.NewFromInt(1), price: afterTax.Round(2).Neg()},
			fmt.Sprintf("discount: %s without tax, since it did not lower the shop's tax", afterTax.StringFixed(2)))
	}
	return nil
}

func shippingNet(inv canon.Invoice, known, used []decimal.Decimal, off decimal.Decimal) (net, rate decimal.Decimal, err error) {
	one := decimal.NewFromInt(1)
	reduced := inv.ShippingAmount.Sub(off)
	fullRate, fullMiss, full := rateFor(inv.ShippingAmount, inv.ShippingTax, one, known, used)
	lessRate, lessMiss, less := rateFor(reduced, inv.ShippingTax, one, known, used)
	less = less && !reduced.IsNegative()
	switch {
	case less && (!full || lessMiss.LessThanOrEqual(fullMiss)):
		return reduced, lessRate, nil
	case full:
		return inv.ShippingAmount, fullRate, nil
	}
	return net, rate, rateUnknown("shipping", inv.ShippingAmount, inv.ShippingTax)
}

func (l *lines) bodies(category string) []itemBody {
	bodies := make([]itemBody, 0, len(l.items))
	for i, made := range l.items {
		bodies = append(bodies, itemBody{
			Position:     i + 1,
			ItemType:     made.itemType,
			Quantity:     decimalText(made.quantity),
			Description:  made.description,
			Price:        made.price.StringFixed(2),
			SalesTaxRate: made.rate.StringFixed(2),
			Category:     category,
		})
	}
	return bodies
}

// decimalText is d without needless zeros, but with one decimal at least as the
// wire itself writes: "2.0".
func decimalText(d decimal.Decimal) string {
	if s := d.String(); strings.Contains(s, ".") {
		return s
	}
	return d.String() + ".0"
}

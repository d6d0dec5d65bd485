package freeagent

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/pricing"
	"towpath/pkg/provider"
)

// linesOf makes the items of an invoice: one for each priced line, and one without
// tax for discounts that did not lower the tax.
func linesOf(priced pricing.Priced, pol policy.Policy, ref provider.Reference, categories categories) (*lines, error) {
	made := &lines{notes: priced.Notes}
	afterTax := decimal.Zero
	for _, p := range priced.Lines {
		if err := allowedBy(ref, p.Rate.Percent.Decimal); err != nil {
			return nil, err
		}
		if p.Kind == pricing.Discount && p.Tax.IsZero() {
			afterTax = afterTax.Sub(p.Net())
			continue
		}
		afterTax = afterTax.Add(p.Untaxed)
		next, note := itemOf(p)
		next.category = categories.of(p.Kind)
		if p.Kind == pricing.Product {
			next.itemType = itemType(p, pol)
		}
		made.add(next, note)
	}
	if !afterTax.IsZero() {
		made.add(item{itemType: "Discount", description: "Discount", quantity: one, price: afterTax.Neg(), category: categories.income},
			fmt.Sprintf("discount: %s without tax, since it did not lower the shop's tax", afterTax.StringFixed(2)))
	}
	return made, nil
}

// itemOf is a line with the net amount that its tax is on. Quantity and price stay
// the shop's where that is exactly quantity x a price of two decimals; else the
// item is one unit of the whole and its text has the quantity. Quantities with
// more than two decimals count as the latter: the wire does not say how many it
// keeps.
func itemOf(p pricing.Line) (item, string) {
	net := p.Net().Add(p.Untaxed)
	made := item{quantity: one, price: net, rate: p.Rate.Percent.Decimal, shopTax: p.Tax, description: describe(p)}
	note := "as it is"
	taken := p.Gross.Sub(net)
	if price, ok := unitPrice(net, p.Quantity); ok {
		made.quantity, made.price = p.Quantity, price
		if !taken.IsZero() {
			note = "price after discount"
		}
	} else {
		made.description = cleanText(fmt.Sprintf("%s, %s x %s", made.description, p.Quantity, p.Unit), maxDescription)
		note = "one unit of the whole, since the net is no quantity x price"
	}
	if !taken.IsZero() {
		made.description = cleanText(made.description+", less discount "+taken.StringFixed(2), maxDescription)
	}
	if p.Why != "" {
		note += "; " + p.Why
	}
	return made, fmt.Sprintf("%s: %s x %s at %s %%, %s", cleanText(named(p), maxDescription), made.quantity, made.price.StringFixed(2), rateText(made.rate), note)
}

func named(p pricing.Line) string {
	if p.SKU != "" {
		return p.SKU
	}
	return strings.ToLower(p.Name)
}

// unitPrice is net / qty where that has two decimals.
func unitPrice(net, qty decimal.Decimal) (decimal.Decimal, bool) {
	if !qty.IsPositive() || !qty.Equal(qty.Round(2)) {
		return decimal.Zero, false
	}
	price := net.DivRound(qty, 2)
	return price, qty.Mul(price).Equal(net)
}

func describe(p pricing.Line) string {
	name, sku := cleanText(p.Name, maxDescription-200), cleanText(p.SKU, 100)
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
func itemType(p pricing.Line, pol policy.Policy) string {
	if mapped, ok := pol.V2ItemTypeMap[p.ProductType]; ok {
		return mapped
	}
	switch p.ProductType {
	case "virtual", "downloadable":
		return "Services"
	}
	return "Products"
}

// price is the sale as the shop's arithmetic has it, with this policy's rates.
func price(inv canon.Invoice, sale pricing.Sale, pol policy.Policy, ref provider.Reference) (pricing.Priced, error) {
	return pricing.Price(sale, pricing.Settings{
		Rates: ratesFor(inv, pol, ref), Tolerance: pol.RoundingTolerance,
		Charges: pol.ChargesAccount != "", PaidOtherwise: pol.PaidOtherwiseAccount != "",
	})
}

func (l *lines) bodies() []itemBody {
	bodies := make([]itemBody, 0, len(l.items))
	for i, made := range l.items {
		bodies = append(bodies, itemBody{
			Position:     i + 1,
			ItemType:     made.itemType,
			Quantity:     decimalText(made.quantity),
			Description:  made.description,
			Price:        made.price.StringFixed(2),
			SalesTaxRate: rateText(made.rate),
			Category:     made.category,
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

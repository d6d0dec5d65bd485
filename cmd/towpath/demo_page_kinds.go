package main

import (
	"net/http"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/xero/xerosim"
)

// demoKind is one kind of invoice that the page can raise.
type demoKind struct {
	Name, Label, Hint string

	cart    func(n int) magentosim.Cart // n: how many invoices there are
	faults  func() []xerosim.Fault      // for the next calls of the simulated Xero
	sending magentosim.SendFault        // for the next webhook
}

// troubled reports whether something is made to go wrong for the invoice.
func (k demoKind) troubled() bool { return k.faults != nil || k.sending != 0 }

// demoWrite is the call that creates the document.
const demoWrite = "PUT /Invoices"

const demoRefusal = `{"ErrorNumber":10,"Type":"ValidationException","Message":"A validation exception occurred",` +
	`"Elements":[{"ValidationErrors":[{"Message":"Email address must be valid."}]}]}`

// demoKinds are in the order of the menu; the first is the button itself.
func demoKinds() []demoKind {
	return []demoKind{
		{Name: "plain", Label: "Submit Invoice", Hint: "An ordinary order: synced.", cart: demoOrders},
		{Name: "free", Label: "A free order", Hint: "It comes to zero, and the policy leaves such invoices out: skipped.", cart: demoFree},
		{
			Name: "lost", Label: "Xero's answer is lost", Hint: "Xero creates the document, then the line drops in the middle of its answer. The retry finds it by number and adopts it: one document.",
			cart: demoOrders, faults: func() []xerosim.Fault {
				return []xerosim.Fault{{Operation: demoWrite, When: xerosim.After, Half: true}}
			},
		},
		{
			Name: "offline", Label: "Xero is offline for a moment", Hint: "Tried again with growing waits until it answers, then synced.",
			cart: demoOrders, faults: func() []xerosim.Fault {
				return []xerosim.Fault{{Operation: demoWrite, Status: http.StatusServiceUnavailable, Body: "The Xero API is temporarily unavailable", Times: 4}}
			},
		},
		{Name: "twice", Label: "The webhook arrives twice", Hint: "Same token, same key: one run, one document.", cart: demoOrders, sending: magentosim.SendTwice},
		{
			Name: "refused", Label: "Xero refuses the data", Hint: "Failed, with Xero's own words. The run's page has a Retry.",
			cart: demoOrders, faults: func() []xerosim.Fault {
				return []xerosim.Fault{{Operation: demoWrite, Status: http.StatusBadRequest, Body: demoRefusal}}
			},
		},
		{Name: "francs", Label: "An order in Swiss francs", Hint: "Not enabled in Xero: held, nothing lost. It stays Pending in the shop.", cart: demoFrancs},
	}
}

func demoKindNamed(name string) (demoKind, bool) {
	for _, kind := range demoKinds() {
		if kind.Name == name {
			return kind, true
		}
	}
	return demoKind{}, false
}

// demoOrders takes turns: a company, a guest with a discount, a buyer abroad
// who pays in euro, a lower rate of tax.
func demoOrders(n int) magentosim.Cart {
	dec := decimal.RequireFromString
	cart := demoCart()
	switch n % 4 {
	case 1:
		cart.Customer, cart.BillingAddress = demoBuyer(0, "grace@example.com", "Grace", "Hopper", "", "5 Compiler Lane", "Leeds", "LS1 4AP", "GB")
		for i := range cart.Items {
			cart.Items[i].DiscountPercent = dec("10")
		}
	case 2:
		cart.Customer, cart.BillingAddress = demoBuyer(1043, "einkauf@example.de", "Konrad", "Zuse", "Nordlicht Bootsbau GmbH", "Hafenstraße 3", "Hamburg", "20459", "DE")
		rate := dec("1.1652")
		cart.Currency, cart.BaseToOrderRate, cart.ShippingTaxPercent = "EUR", &rate, decimal.Zero
		for i := range cart.Items {
			cart.Items[i].TaxPercent = decimal.Zero
		}
	case 3:
		cart.Customer, cart.BillingAddress = demoBuyer(1044, "dot@example.com", "Dorothy", "Vaughan", "", "17 Lock Street", "Bath", "BA1 1UD", "GB")
		cart.Items = []magentosim.Item{
			{SKU: "COAL-20", Name: "Smokeless coal, 20 kg", Price: dec("14.95"), Qty: dec("4"), TaxPercent: dec("5")},
			{SKU: "FENDER", Name: "Rope fender", Price: dec("32.4167"), Qty: dec("2"), TaxPercent: dec("20")},
		}
	}
	return cart
}

// demoFree is a replacement sent for nothing.
func demoFree(int) magentosim.Cart {
	cart := demoCart()
	for i := range cart.Items {
		cart.Items[i].Price = decimal.Zero
	}
	cart.Shipping, cart.PaymentMethod = decimal.Zero, "free"
	return cart
}

// demoFrancs is in a currency that the organisation has not enabled.
func demoFrancs(int) magentosim.Cart {
	cart := demoOrders(2)
	cart.Customer, cart.BillingAddress = demoBuyer(1045, "kasse@example.ch", "Urs", "Graf", "Seewerft AG", "Quai 9", "Zürich", "8001", "CH")
	rate := decimal.RequireFromString("1.1180")
	cart.Currency, cart.BaseToOrderRate = "CHF", &rate
	return cart
}

func demoBuyer(id int64, email, first, last, company, street, city, postcode, country string) (canon.Contact, *canon.Address) {
	address := canon.Address{Kind: "billing", Street: []string{street}, City: city, Postcode: &postcode, CountryID: country}
	buyer := canon.Contact{
		MagentoID: canon.Int(id), Email: email, FirstName: &first, LastName: &last, WebsiteID: 1, Addresses: []canon.Address{address},
	}
	if company != "" {
		buyer.Company = &company
	}
	return buyer, &address
}

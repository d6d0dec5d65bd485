package demo

import (
	"net/http"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/xero/xerosim"
)

// scenario is one kind of invoice that the page can raise.
type scenario struct {
	Name, Label, Hint string

	cart    func(n int) magentosim.Cart // n: how many invoices there are
	faults  func() []xerosim.Fault      // for the next calls of the simulated Xero
	sending magentosim.SendFault        // for the next webhook
}

// troubled reports whether something is made to go wrong for the invoice.
func (k scenario) troubled() bool { return k.faults != nil || k.sending != 0 }

// write is the call that creates the document.
const write = "PUT /Invoices"

const refusal = `{"ErrorNumber":10,"Type":"ValidationException","Message":"A validation exception occurred",` +
	`"Elements":[{"ValidationErrors":[{"Message":"Email address must be valid."}]}]}`

// scenarios are in the order of the menu; the first is the button itself.
func scenarios() []scenario {
	return []scenario{
		{Name: "plain", Label: "Submit Invoice", Hint: "An ordinary order: synced.", cart: orders},
		{Name: "free", Label: "A free order", Hint: "It comes to zero, and the policy leaves such invoices out: skipped.", cart: free},
		{
			Name: "lost", Label: "Xero's answer is lost", Hint: "Xero creates the document, then the line drops in the middle of its answer. The retry finds it by number and adopts it: one document.",
			cart: orders, faults: func() []xerosim.Fault {
				return []xerosim.Fault{{Operation: write, When: xerosim.After, Half: true}}
			},
		},
		{
			Name: "offline", Label: "Xero is offline for a moment", Hint: "Tried again with growing waits until it answers, then synced.",
			cart: orders, faults: func() []xerosim.Fault {
				return []xerosim.Fault{{Operation: write, Status: http.StatusServiceUnavailable, Body: "The Xero API is temporarily unavailable", Times: 4}}
			},
		},
		{Name: "twice", Label: "The webhook arrives twice", Hint: "Same token, same key: one run, one document.", cart: orders, sending: magentosim.SendTwice},
		{
			Name: "refused", Label: "Xero refuses the data", Hint: "Failed, with Xero's own words. The run's page has a Retry.",
			cart: orders, faults: func() []xerosim.Fault {
				return []xerosim.Fault{{Operation: write, Status: http.StatusBadRequest, Body: refusal}}
			},
		},
		{Name: "francs", Label: "An order in Swiss francs", Hint: "Not enabled in Xero: held, nothing lost. It stays Pending in the shop.", cart: francs},
	}
}

func scenarioNamed(name string) (scenario, bool) {
	for _, kind := range scenarios() {
		if kind.Name == name {
			return kind, true
		}
	}
	return scenario{}, false
}

// orders takes turns: a company, a guest with a discount, a buyer abroad
// who pays in euro, a lower rate of tax.
func orders(n int) magentosim.Cart {
	dec := decimal.RequireFromString
	cart := Cart()
	switch n % 4 {
	case 1:
		cart.Customer, cart.BillingAddress = buyer(0, "grace@example.com", "Grace", "Hopper", "", "5 Compiler Lane", "Leeds", "LS1 4AP", "GB")
		for i := range cart.Items {
			cart.Items[i].DiscountPercent = dec("10")
		}
	case 2:
		cart.Customer, cart.BillingAddress = buyer(1043, "einkauf@example.de", "Konrad", "Zuse", "Nordlicht Bootsbau GmbH", "Hafenstraße 3", "Hamburg", "20459", "DE")
		rate := dec("1.1652")
		cart.Currency, cart.BaseToOrderRate, cart.ShippingTaxPercent = "EUR", &rate, decimal.Zero
		for i := range cart.Items {
			cart.Items[i].TaxPercent = decimal.Zero
		}
	case 3:
		cart.Customer, cart.BillingAddress = buyer(1044, "dot@example.com", "Dorothy", "Vaughan", "", "17 Lock Street", "Bath", "BA1 1UD", "GB")
		cart.Items = []magentosim.Item{
			{SKU: "COAL-20", Name: "Smokeless coal, 20 kg", Price: dec("14.95"), Qty: dec("4"), TaxPercent: dec("5")},
			{SKU: "FENDER", Name: "Rope fender", Price: dec("32.4167"), Qty: dec("2"), TaxPercent: dec("20")},
		}
	}
	return cart
}

// free is a replacement sent for nothing.
func free(int) magentosim.Cart {
	cart := Cart()
	for i := range cart.Items {
		cart.Items[i].Price = decimal.Zero
	}
	cart.Shipping, cart.PaymentMethod = decimal.Zero, "free"
	return cart
}

// francs is in a currency that the organisation has not enabled.
func francs(int) magentosim.Cart {
	cart := orders(2)
	cart.Customer, cart.BillingAddress = buyer(1045, "kasse@example.ch", "Urs", "Graf", "Seewerft AG", "Quai 9", "Zürich", "8001", "CH")
	rate := decimal.RequireFromString("1.1180")
	cart.Currency, cart.BaseToOrderRate = "CHF", &rate
	return cart
}

func buyer(id int64, email, first, last, company, street, city, postcode, country string) (canon.Contact, *canon.Address) {
	address := canon.Address{Kind: "billing", Street: []string{street}, City: city, Postcode: &postcode, CountryID: country}
	buyer := canon.Contact{
		MagentoID: canon.Int(id), Email: email, FirstName: &first, LastName: &last, WebsiteID: 1, Addresses: []canon.Address{address},
	}
	if company != "" {
		buyer.Company = &company
	}
	return buyer, &address
}

package demo

import (
	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/policy"
)

// OrgID and Token are the one organisation and token of the simulated Xero.
const (
	OrgID = "8b7f6a54-0c1d-4e2f-9a3b-5c6d7e8f9012"
	Token = "demo-access-token"
)

// Policy leaves out invoices that come to nothing, so that a skip can be seen.
func Policy() policy.Policy {
	p := policy.Default()
	p.SyncZeroValueInvoices = false
	p.RevenueAccountCode = "200"
	p.TaxRateMap = map[string]string{"20.00": "OUTPUT2", "5.00": "RROUTPUT", "0.00": "ZERORATEDOUTPUT"}
	prefix := "M-"
	p.InvoiceNumberPrefix = &prefix
	return p
}

// Cart is what a customer of the demo shop buys.
func Cart() magentosim.Cart {
	first, last, company, postcode := "Ada", "Lovelace", "Analytical Engines Ltd", "N1 1AA"
	address := canon.Address{Kind: "billing", Street: []string{"12 Dorset Street"}, City: "London", Postcode: &postcode, CountryID: "GB"}
	dec := decimal.RequireFromString
	return magentosim.Cart{
		Customer: canon.Contact{MagentoID: 1042, Email: "ada@example.com", FirstName: &first, LastName: &last, Company: &company, WebsiteID: 1,
			Addresses: []canon.Address{address}},
		BillingAddress: &address, PaymentMethod: "checkmo",
		Items: []magentosim.Item{
			{SKU: "ROPE-10", Name: "Mooring rope, 10 m", Price: dec("18.95"), Qty: dec("2"), TaxPercent: dec("20")},
			{SKU: "WINDLASS", Name: "Windlass key", Price: dec("24.5833"), Qty: dec("3"), TaxPercent: dec("20")},
			{SKU: "GUIDE-7", Name: "Canal guide, volume 7", Price: dec("12.99"), Qty: dec("1"), TaxPercent: dec("0")},
		},
		Shipping: dec("4.99"), ShippingTaxPercent: dec("20"),
	}
}

package policy

import (
	"bytes"
	"encoding/json"
	"slices"

	"towpath/pkg/provider"
)

// Field is one setting: the one place that says its name, what it means and how it is
// read. Parse, the form on the pages and the documentation's test go by it.
type Field struct {
	Name    string // in the JSON; of a nested one without its object's
	Label   string // what people call it
	Meaning string // what it does; whole sentences
	Group   string // the heading that it stands under
	Wire    string // the only wire that uses it; empty: all do
	Kind    Kind
	Choices []string // of Choice, and of the values of TypeByKey
	Carries []string // of Account: the types that may carry it
	Fields  []Field  // of Nested

	read func(o object, p *Policy)
}

// Kind is how a setting is written, and what it may refer to.
type Kind int

// The kinds of settings.
const (
	Switch        Kind = iota // true or false
	Text                      // one line
	Days                      // a whole number of days
	Amount                    // a sum of money
	Choice                    // one of Choices
	Moment                    // a date, or a moment
	IDs                       // ids of the shop
	Account                   // the code of an account; on wire v2 a category
	TaxType                   // a tax type of the ledger
	Bank                      // the id of an account that takes payments
	Theme                     // the id of a branding theme
	Category                  // an income category of wire v2
	Tracking                  // options of tracking categories
	Currency                  // a currency code, or one by website
	TaxTypeByRate             // rate -> tax type
	DaysByKey                 // id -> number
	TextByKey                 // id -> text, which may be empty
	BankByKey                 // payment method -> account, or null
	TypeByKey                 // product type -> one of Choices
	Nested                    // an object with Fields
)

// ByKey reports whether the setting is a map.
func (k Kind) ByKey() bool {
	return slices.Contains([]Kind{TaxTypeByRate, DaysByKey, TextByKey, BankByKey, TypeByKey}, k)
}

// The headings.
const (
	groupWhich    = "What is synced"
	groupAccounts = "Accounts and tax"
	groupDocument = "The document"
	groupBuyers   = "Buyers"
	groupMoney    = "Payments and refunds"
)

// Fields are all settings, in the order in which a person meets them.
func Fields() []Field {
	return slices.Concat(whichFields(), accountFields(), documentFields(), buyerFields(), moneyFields())
}

func whichFields() []Field {
	return under(groupWhich, []Field{
		{Name: "sync_unpaid_invoices", Label: "Unpaid invoices too", Kind: Switch,
			Meaning: "Off: only invoices that are paid when they are raised.",
			read:    func(o object, p *Policy) { o.bool("sync_unpaid_invoices", &p.SyncUnpaidInvoices) }},
		{Name: "sync_zero_value_invoices", Label: "Invoices of zero too", Kind: Switch,
			Meaning: "Off: not those of which subtotal, tax, shipping and total are zero. One that a gift card paid, or a coupon took off whole, is a sale.",
			read:    func(o object, p *Policy) { o.bool("sync_zero_value_invoices", &p.SyncZeroValueInvoices) }},
		{Name: "sync_since", Label: "Since", Kind: Moment,
			Meaning: "Only invoices created since: a date, which begins at midnight UTC, or a moment such as 2026-04-01T08:00:00Z. Empty: all.",
			read:    func(o object, p *Policy) { readSince(o, "sync_since", &p.SyncSince) }},
		{Name: "website_filter", Label: "Websites", Kind: IDs,
			Meaning: "Only these websites, by their ids with commas between. Empty: all.",
			read:    func(o object, p *Policy) { readIDs(o, "website_filter", &p.WebsiteFilter) }},
		{Name: "store_filter", Label: "Stores", Kind: IDs,
			Meaning: "Only these stores, by their ids with commas between. Empty: all.",
			read:    func(o object, p *Policy) { readIDs(o, "store_filter", &p.StoreFilter) }},
		{Name: "sync_products", Label: "Products", Kind: Switch, Wire: provider.WireAccounting,
			Meaning: "Products are written to the ledger's price list, never with quantities.",
			read:    func(o object, p *Policy) { o.bool("sync_products", &p.SyncProducts) }},
		{Name: "sync_customers", Label: "Customers who have not bought yet", Kind: Switch,
			Meaning: "They get a contact too. One that the ledger has already is kept up to date in any case.",
			read:    func(o object, p *Policy) { o.bool("sync_customers", &p.SyncCustomers) }},
	})
}

func accountFields() []Field {
	return under(groupAccounts, []Field{
		{Name: "default_xero_revenue_account_code", Label: "Revenue account", Kind: Account, Carries: revenueTypes(), Wire: provider.WireAccounting,
			Meaning: "The account of the lines. Without it every document is held.",
			read: func(o object, p *Policy) {
				o.text("default_xero_revenue_account_code", &p.RevenueAccountCode, maxAccountCode)
			}},
		{Name: "shipping_account_code", Label: "Shipping account", Kind: Account, Carries: shippingTypes(), Wire: provider.WireAccounting,
			Meaning: "The account of shipping. Empty: the revenue account.",
			read:    func(o object, p *Policy) { o.text("shipping_account_code", &p.ShippingAccountCode, maxAccountCode) }},
		{Name: "paid_otherwise_account_code", Label: "Paid otherwise", Kind: Account, Carries: otherTypes(),
			Meaning: "The account of what a gift card, store credit or points paid: a line without tax of minus that amount. Without it such an invoice is held.",
			read: func(o object, p *Policy) {
				o.text("paid_otherwise_account_code", &p.PaidOtherwiseAccount, maxReference)
			}},
		{Name: "charges_account_code", Label: "Charges of no line", Kind: Account, Carries: otherTypes(),
			Meaning: "The account of charges that no line shows: a fixed product tax, a payment fee. Without it an invoice with such a charge is held.",
			read:    func(o object, p *Policy) { o.text("charges_account_code", &p.ChargesAccount, maxReference) }},
		{Name: "default_income_category_url", Label: "Income category", Kind: Category, Wire: provider.WireV2,
			Meaning: "The category of the lines.",
			read:    func(o object, p *Policy) { readURL(o, "default_income_category_url", &p.V2IncomeCategoryURL) }},
		{Name: "item_type_map", Label: "Item types", Kind: TypeByKey, Choices: itemTypes(), Wire: provider.WireV2,
			Meaning: "What a line of a product type of the shop, such as virtual, is called in the ledger.",
			read:    func(o object, p *Policy) { readItemTypeMap(o, "item_type_map", p.V2ItemTypeMap) }},
		{Name: "default_xero_tax_type", Label: "Tax type otherwise", Kind: TaxType, Wire: provider.WireAccounting,
			Meaning: "The tax type where the rates below have none to offer.",
			read:    func(o object, p *Policy) { o.text("default_xero_tax_type", &p.TaxType, maxTaxType) }},
		{Name: "tax_rate_map", Label: "Tax rates", Kind: TaxTypeByRate, Wire: provider.WireAccounting,
			Meaning: "The tax type of each rate of the shop, in percent with two to four decimals: 20.00. With the country of the delivery before it, AT:20.00, it is asked first for what goes there.",
			read:    func(o object, p *Policy) { readTaxRateMap(o, "tax_rate_map", p.TaxRateMap) }},
		{Name: "shop_base_currency", Label: "Base currency of the shop", Kind: Currency,
			Meaning: "What the shop's exchange rates count from: GBP, or by website id 1=GBP, 2=EUR. Only where it is the ledger's base currency is the shop's rate sent; else the ledger takes its own of the day.",
			read:    func(o object, p *Policy) { readBaseCurrency(o, "shop_base_currency", &p.ShopBaseCurrency) }},
		{Name: "rounding_tolerance", Label: "Largest rounding line", Kind: Amount,
			Meaning: "Only what rounding explains is ever on one; a document that is off by more is held.",
			read: func(o object, p *Policy) {
				o.amount("rounding_tolerance", &p.RoundingTolerance, maxTolerance(), 2)
			}},
	})
}

func documentFields() []Field {
	statuses, v2Statuses := []string{"DRAFT", "SUBMITTED", "AUTHORISED"}, []string{"Draft", "Sent"}
	return under(groupDocument, []Field{
		{Name: "xero_invoice_status_default", Label: "Status", Kind: Choice, Choices: statuses, Wire: provider.WireAccounting,
			Meaning: "What an invoice is written as. A draft takes neither payment nor credit.",
			read:    func(o object, p *Policy) { o.choice("xero_invoice_status_default", &p.InvoiceStatus, statuses...) }},
		{Name: "invoice_status_default", Label: "Status", Kind: Choice, Choices: v2Statuses, Wire: provider.WireV2,
			Meaning: "What an invoice is written as.",
			read:    func(o object, p *Policy) { o.choice("invoice_status_default", &p.V2InvoiceStatus, v2Statuses...) }},
		{Name: "default_xero_payment_terms_days", Label: "Due after days", Kind: Days, Wire: provider.WireAccounting,
			Meaning: "How many days after its date an invoice is due.",
			read: func(o object, p *Policy) {
				o.int("default_xero_payment_terms_days", &p.PaymentTermsDays, 0, maxTerms)
			}},
		{Name: "default_payment_terms_days", Label: "Due after days", Kind: Days, Wire: provider.WireV2,
			Meaning: "How many days after its date an invoice is due.",
			read: func(o object, p *Policy) {
				o.int("default_payment_terms_days", &p.V2PaymentTermsDays, 0, maxTerms)
			}},
		{Name: "payment_terms_by_customer_group", Label: "Due after days, by customer group", Kind: DaysByKey,
			Meaning: "The days of a customer group, by its id in the shop. Guests are group 0.",
			read: func(o object, p *Policy) {
				readTermsByGroup(o, "payment_terms_by_customer_group", p.PaymentTermsByGroup)
			}},
		{Name: "invoice_number_prefix", Label: "Number prefix", Kind: Text,
			Meaning: "Put before the shop's number, never twice. A shop that shares its organisation with another needs one of its own.",
			read:    func(o object, p *Policy) { readPrefix(o, "invoice_number_prefix", &p.InvoiceNumberPrefix) }},
		{Name: "invoice_number_prefix_by_store", Label: "Number prefix, by store", Kind: TextByKey,
			Meaning: "For stores that number alike, by the store's id; it stands instead of the prefix above, an empty one for none.",
			read: func(o object, p *Policy) {
				readPrefixByStore(o, "invoice_number_prefix_by_store", p.NumberPrefixByStore)
			}},
		{Name: "branding_theme_id", Label: "Branding theme", Kind: Theme, Wire: provider.WireAccounting,
			Meaning: "The layout of invoices and credit notes. Empty: the ledger's own.",
			read:    func(o object, p *Policy) { readGUID(o, "branding_theme_id", &p.BrandingThemeID) }},
		{Name: "tracking", Label: "Tracking", Kind: Tracking, Wire: provider.WireAccounting,
			Meaning: "An option of at most two tracking categories, on every line.",
			read:    func(o object, p *Policy) { readTracking(o, "tracking", &p.Tracking) }},
	})
}

func buyerFields() []Field {
	priorities := []string{"company", "person"}
	return under(groupBuyers, []Field{
		{Name: "customer_name_priority", Label: "Contacts are named after", Kind: Choice, Choices: priorities,
			Meaning: "Where a buyer has both, the name that the contact gets.",
			read:    func(o object, p *Policy) { o.choice("customer_name_priority", &p.CustomerNamePriority, priorities...) }},
		{Name: "b2c_consolidation", Label: "One contact for consumers", Kind: Nested, Fields: consolidationFields(),
			Meaning: "Small orders of consumers are booked on one shared contact.",
			read:    func(o object, p *Policy) { readConsolidation(o, "b2c_consolidation", &p.B2CConsolidation) }},
	})
}

// consolidationFields describe what readConsolidation reads.
func consolidationFields() []Field {
	return []Field{
		{Name: "enabled", Label: "Use it", Kind: Switch, Meaning: "Documents go to the one contact below."},
		{Name: "fallback_contact_name", Label: "Its name", Kind: Text, Meaning: "The name of that contact."},
		{Name: "fallback_contact_email", Label: "Its e-mail", Kind: Text, Meaning: "The e-mail address of that contact; it may be empty."},
		{Name: "min_total_for_individual", Label: "Own contact from", Kind: Amount, Meaning: "A document of this total or more keeps its own contact. Empty: none does for its total."},
		{Name: "always_individual_for_b2b", Label: "Companies keep their own", Kind: Switch, Meaning: "A customer with a company keeps its own contact."},
	}
}

func moneyFields() []Field {
	return under(groupMoney, []Field{
		{Name: "payment_method_map", Label: "Accounts of the payment methods", Kind: BankByKey,
			Meaning: "The account that the money of a payment method comes to, and that refunds go back from. Left open: its invoices are not paid here, and what is left of a credit note stays a credit.",
			read:    func(o object, p *Policy) { readPaymentMethodMap(o, "payment_method_map", p.PaymentMethodMap) }},
		{Name: "default_bank_account_id", Label: "Account of all other methods", Kind: Bank,
			Meaning: "For methods that are not above. Empty: their payments are held until an account is set.",
			read: func(o object, p *Policy) {
				o.optional("default_bank_account_id", &p.DefaultBankAccountID, maxReference)
			}},
	})
}

func under(group string, fields []Field) []Field {
	for i := range fields {
		fields[i].Group = group
	}
	return fields
}

// Value is a setting as p has it, in JSON; path is its name, of a nested one behind its
// object's.
func Value(p Policy, path ...string) json.RawMessage {
	value := json.RawMessage(Encode(p))
	for _, name := range path {
		value = fieldsOf(value)[name]
	}
	var line bytes.Buffer
	if json.Compact(&line, value) != nil {
		return nil
	}
	return line.Bytes()
}

package policy

import (
	"time"

	"github.com/shopspring/decimal"
)

// Policy is a binding's settings; the JSON names are those of the merchant's
// settings page and of `towpath binding policy`.
type Policy struct {
	SyncUnpaidInvoices    bool       `json:"sync_unpaid_invoices"`
	SyncZeroValueInvoices bool       `json:"sync_zero_value_invoices"`
	SyncSince             *time.Time `json:"sync_since"` // RFC 3339, or YYYY-MM-DD for midnight UTC
	WebsiteFilter         []int64    `json:"website_filter"`
	StoreFilter           []int64    `json:"store_filter"`
	SyncProducts          bool       `json:"sync_products"`
	SyncCustomers         bool       `json:"sync_customers"`

	RevenueAccountCode  string `json:"default_xero_revenue_account_code"`
	ShippingAccountCode string `json:"shipping_account_code"` // empty: the revenue account
	// The accounts of what no line of the shop shows: an account's code, on wire
	// v2 the nominal code or URL of a category. Empty: what needs one is held.
	PaidOtherwiseAccount string             `json:"paid_otherwise_account_code"`
	ChargesAccount       string             `json:"charges_account_code"`
	TaxType              string             `json:"default_xero_tax_type"`
	TaxRateMap           map[string]string  `json:"tax_rate_map"` // "20.00" -> OUTPUT2; keys are TaxKeys
	ShopBaseCurrency     BaseCurrency       `json:"shop_base_currency"`
	InvoiceStatus        string             `json:"xero_invoice_status_default"`
	PaymentTermsDays     int                `json:"default_xero_payment_terms_days"`
	PaymentTermsByGroup  map[string]int     `json:"payment_terms_by_customer_group"`
	InvoiceNumberPrefix  *string            `json:"invoice_number_prefix"`
	NumberPrefixByStore  map[string]string  `json:"invoice_number_prefix_by_store"` // store id -> prefix, before the one above
	CustomerNamePriority string             `json:"customer_name_priority"`         // company or person
	RoundingTolerance    decimal.Decimal    `json:"rounding_tolerance"`
	BrandingThemeID      *string            `json:"branding_theme_id"`
	Tracking             []TrackingOption   `json:"tracking"`
	B2CConsolidation     B2CConsolidation   `json:"b2c_consolidation"`
	PaymentMethodMap     map[string]*string `json:"payment_method_map"`
	DefaultBankAccountID *string            `json:"default_bank_account_id"`
	V2IncomeCategoryURL  *string            `json:"default_income_category_url"`
	V2PaymentTermsDays   int                `json:"default_payment_terms_days"`
	V2InvoiceStatus      string             `json:"invoice_status_default"` // Draft or Sent
	V2ItemTypeMap        map[string]string  `json:"item_type_map"`
}

// TrackingOption is one option of one tracking category; at most two.
type TrackingOption struct {
	Name   string `json:"name"`
	Option string `json:"option"`
}

// B2CConsolidation books small orders of consumers on one shared contact.
type B2CConsolidation struct {
	Enabled                bool             `json:"enabled"`
	FallbackContactName    string           `json:"fallback_contact_name"`
	FallbackContactEmail   string           `json:"fallback_contact_email"`
	MinTotalForIndividual  *decimal.Decimal `json:"min_total_for_individual"`
	AlwaysIndividualForB2B bool             `json:"always_individual_for_b2b"`
}

// Default is the policy of a binding that has set nothing.
func Default() Policy {
	return Policy{
		SyncUnpaidInvoices:    true,
		SyncZeroValueInvoices: true,
		WebsiteFilter:         []int64{},
		StoreFilter:           []int64{},
		TaxRateMap:            map[string]string{},
		InvoiceStatus:         "AUTHORISED",
		PaymentTermsDays:      14,
		PaymentTermsByGroup:   map[string]int{},
		NumberPrefixByStore:   map[string]string{},
		CustomerNamePriority:  "company",
		RoundingTolerance:     decimal.RequireFromString("0.05"),
		Tracking:              []TrackingOption{},
		PaymentMethodMap:      map[string]*string{},
		V2PaymentTermsDays:    30,
		V2InvoiceStatus:       "Draft",
		V2ItemTypeMap:         map[string]string{},
	}
}

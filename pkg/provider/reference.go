package provider

import (
	"time"

	"github.com/shopspring/decimal"
)

// Reference is what a ledger says about itself: the values that a policy may
// refer to. A nil slice means that the ledger did not tell (or the wire has no
// such thing), so nothing can be checked against it; an empty one means none.
type Reference struct {
	Organisation Organisation       `json:"organisation"`
	Accounts     []Account          `json:"accounts"`
	TaxRates     []TaxRate          `json:"tax_rates"`
	Currencies   []string           `json:"currencies"`
	Themes       []BrandingTheme    `json:"branding_themes"`
	Tracking     []TrackingCategory `json:"tracking"`
	Categories   []IncomeCategory   `json:"categories"` // wire v2
	FetchedAt    time.Time          `json:"fetched_at"`
	// ItemCodes are those of the codes of a document's lines that are on the ledger's
	// price list, as far as they were written there. Not of the ledger's telling, and
	// not stored; nil: the lines carry none.
	ItemCodes map[string]bool `json:"-"`
}

// Organisation is the ledger's company. Dates are calendar days, YYYY-MM-DD,
// empty where there is none; Timezone is in the provider's own spelling.
type Organisation struct {
	ID                string `json:"id"`
	Name              string `json:"name"`
	ShortCode         string `json:"short_code"`
	BaseCurrency      string `json:"base_currency"`
	CountryCode       string `json:"country_code"`
	Timezone          string `json:"timezone"`
	PeriodLockDate    string `json:"period_lock_date"`
	EndOfYearLockDate string `json:"end_of_year_lock_date"`
}

// Account is an account of the chart; Code may be empty on bank accounts.
type Account struct {
	ID             string `json:"id"`
	Code           string `json:"code"`
	Name           string `json:"name"`
	Type           string `json:"type"`
	Status         string `json:"status"`
	TaxType        string `json:"tax_type"`
	SystemAccount  string `json:"system_account"`
	EnablePayments bool   `json:"enable_payments"`
	Currency       string `json:"currency,omitempty"` // of a bank account, where the ledger tells
}

// TaxRate is a tax type with its effective rate in percent.
type TaxRate struct {
	TaxType           string          `json:"tax_type"`
	Name              string          `json:"name"`
	EffectiveRate     decimal.Decimal `json:"effective_rate"`
	Status            string          `json:"status"`
	CanApplyToRevenue bool            `json:"can_apply_to_revenue"`
}

// BrandingTheme is an invoice template.
type BrandingTheme struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// TrackingCategory is a dimension with its active options.
type TrackingCategory struct {
	Name    string   `json:"name"`
	Options []string `json:"options"`
}

// IncomeCategory is wire v2's account: an URL with a nominal code.
type IncomeCategory struct {
	URL         string `json:"url"`
	NominalCode string `json:"nominal_code"`
	Description string `json:"description"`
}

package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxSettings is more than any shop's settings take.
const maxSettings = 256 << 10

// Parse reads settings as a merchant saves them. An absent field, or null, has
// its default. All faults are told at once, ordered by field; where there is one
// the policy is not to be used. The error is for what is no JSON object at all.
func Parse(raw []byte) (Policy, []FieldError, error) {
	p := Default()
	if len(raw) > maxSettings {
		return p, nil, fmt.Errorf("parse policy: larger than %d bytes", maxSettings)
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff")) // editors write a byte order mark
	if !json.Valid(raw) {
		return p, nil, fmt.Errorf("parse policy: %w", syntaxError(raw))
	}
	errs := []FieldError{}
	o, err := newObject(raw, "", &errs)
	if err != nil {
		return p, nil, fmt.Errorf("parse policy: %w", err)
	}
	readFilters(o, &p)
	readMoney(o, &p)
	readDocument(o, &p)
	readPayments(o, &p)
	readV2(o, &p)
	o.rest()
	slices.SortStableFunc(errs, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	if len(errs) == 0 {
		return p, nil, nil
	}
	return p, errs, nil
}

// Encode is the whole effective policy, defaults included, in a stable order;
// Parse gives p back.
func Encode(p Policy) []byte {
	p.WebsiteFilter = orEmpty(p.WebsiteFilter)
	p.StoreFilter = orEmpty(p.StoreFilter)
	p.Tracking = orEmpty(p.Tracking)
	p.TaxRateMap = orEmptyMap(p.TaxRateMap)
	p.PaymentTermsByGroup = orEmptyMap(p.PaymentTermsByGroup)
	p.NumberPrefixByStore = orEmptyMap(p.NumberPrefixByStore)
	p.PaymentMethodMap = orEmptyMap(p.PaymentMethodMap)
	p.V2ItemTypeMap = orEmptyMap(p.V2ItemTypeMap)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(p); err != nil {
		panic(err) // unreachable for a policy that came from Parse or Default
	}
	return out.Bytes()
}

func readFilters(o object, p *Policy) {
	o.bool("sync_unpaid_invoices", &p.SyncUnpaidInvoices)
	o.bool("sync_zero_value_invoices", &p.SyncZeroValueInvoices)
	readSince(o, "sync_since", &p.SyncSince)
	readIDs(o, "website_filter", &p.WebsiteFilter)
	readIDs(o, "store_filter", &p.StoreFilter)
	o.bool("sync_products", &p.SyncProducts)
	o.bool("sync_customers", &p.SyncCustomers)
}

func readMoney(o object, p *Policy) {
	o.text("default_xero_revenue_account_code", &p.RevenueAccountCode, maxAccountCode)
	o.text("shipping_account_code", &p.ShippingAccountCode, maxAccountCode)
	o.text("paid_otherwise_account_code", &p.PaidOtherwiseAccount, maxReference)
	o.text("charges_account_code", &p.ChargesAccount, maxReference)
	o.text("default_xero_tax_type", &p.TaxType, maxTaxType)
	readTaxRateMap(o, "tax_rate_map", p.TaxRateMap)
	readBaseCurrency(o, "shop_base_currency", &p.ShopBaseCurrency)
	o.amount("rounding_tolerance", &p.RoundingTolerance, maxTolerance(), 2)
}

func readDocument(o object, p *Policy) {
	o.choice("xero_invoice_status_default", &p.InvoiceStatus, "DRAFT", "SUBMITTED", "AUTHORISED")
	o.int("default_xero_payment_terms_days", &p.PaymentTermsDays, 0, maxTerms)
	readTermsByGroup(o, "payment_terms_by_customer_group", p.PaymentTermsByGroup)
	readPrefix(o, "invoice_number_prefix", &p.InvoiceNumberPrefix)
	readPrefixByStore(o, "invoice_number_prefix_by_store", p.NumberPrefixByStore)
	o.choice("customer_name_priority", &p.CustomerNamePriority, "company", "person")
	readGUID(o, "branding_theme_id", &p.BrandingThemeID)
	readTracking(o, "tracking", &p.Tracking)
	readConsolidation(o, "b2c_consolidation", &p.B2CConsolidation)
}

func readPayments(o object, p *Policy) {
	readPaymentMethodMap(o, "payment_method_map", p.PaymentMethodMap)
	o.optional("default_bank_account_id", &p.DefaultBankAccountID, maxReference)
}

func readV2(o object, p *Policy) {
	readURL(o, "default_income_category_url", &p.V2IncomeCategoryURL)
	o.int("default_payment_terms_days", &p.V2PaymentTermsDays, 0, maxTerms)
	o.choice("invoice_status_default", &p.V2InvoiceStatus, "Draft", "Sent")
	readItemTypeMap(o, "item_type_map", p.V2ItemTypeMap)
}

// readSince takes a moment, or a day for its midnight in UTC.
func readSince(o object, name string, to **time.Time) {
	s, ok := o.string(name)
	if !ok {
		return
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil && at.UTC().Year() >= 1970 && at.UTC().Year() <= 9999 {
			utc := at.UTC()
			*to = &utc
			return
		}
	}
	o.fail(name, InvalidFormat, "write a date such as 2026-04-01, or 2026-04-01T00:00:00Z")
}

// syntaxError says where raw stops being JSON.
func syntaxError(raw []byte) error {
	var anything any
	err := json.Unmarshal(raw, &anything)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset < 1 || syntax.Offset > int64(len(raw)) {
		return errors.New("not valid JSON")
	}
	before := raw[:syntax.Offset-1]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	if at := raw[syntax.Offset-1]; at == '/' || at == '#' {
		return fmt.Errorf("line %d, column %d: JSON has no comments; take it out", line, column)
	}
	return fmt.Errorf("line %d, column %d: %w", line, column, syntax)
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func orEmptyMap[T any](m map[string]T) map[string]T {
	if m == nil {
		return map[string]T{}
	}
	return m
}

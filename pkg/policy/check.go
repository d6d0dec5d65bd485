package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"towpath/pkg/provider"
)

const active = "ACTIVE"

// Check names the settings that refer to something that the ledger does not
// have, or has but will not take. Only what the binding's wire uses is checked;
// a part of ref that is nil is unknown, and nothing is checked against it. What
// is not set at all is no fault here: the document that needs it is held.
func Check(p Policy, ref provider.Reference, wire string) []FieldError {
	c := checker{ref: ref}
	for _, rate := range slices.Sorted(maps.Keys(p.TaxRateMap)) {
		if key, ok := ParseTaxKey(rate); ok && key.Country != "" && notACountry(key.Country) != "" {
			c.errs = append(c.errs, FieldError{Field: "tax_rate_map." + rate, Code: InvalidFormat, Message: notACountry(key.Country)})
		}
	}
	if check, known := wires()[wire]; known {
		check(&c, p)
	}
	for _, method := range slices.Sorted(maps.Keys(p.PaymentMethodMap)) {
		c.bank("payment_method_map."+method, text(p.PaymentMethodMap[method]))
	}
	c.bank("default_bank_account_id", text(p.DefaultBankAccountID))
	return c.errs
}

// wires are the checks of the settings that one wire uses. Wires answers their names.
func wires() map[string]func(*checker, Policy) {
	return map[string]func(*checker, Policy){provider.WireAccounting: (*checker).accounting, provider.WireV2: (*checker).v2}
}

// Wires are the names of the wires whose settings are checked.
func Wires() []string { return slices.Sorted(maps.Keys(wires())) }

func (c *checker) accounting(p Policy) {
	c.account("default_xero_revenue_account_code", p.RevenueAccountCode, revenueTypes())
	c.account("shipping_account_code", p.ShippingAccountCode, shippingTypes())
	c.account("paid_otherwise_account_code", p.PaidOtherwiseAccount, otherTypes())
	c.account("charges_account_code", p.ChargesAccount, otherTypes())
	c.taxType("default_xero_tax_type", p.TaxType)
	for _, rate := range slices.Sorted(maps.Keys(p.TaxRateMap)) {
		c.mappedRate("tax_rate_map."+rate, rate, p.TaxRateMap[rate])
	}
	c.theme("branding_theme_id", text(p.BrandingThemeID))
	for i, option := range p.Tracking {
		c.tracking("tracking."+strconv.Itoa(i), option)
	}
}

func (c *checker) v2(p Policy) {
	c.category("default_income_category_url", text(p.V2IncomeCategoryURL))
	c.category("paid_otherwise_account_code", p.PaidOtherwiseAccount)
	c.category("charges_account_code", p.ChargesAccount)
}

// revenueTypes are Xero's types of account that carry sales.
func revenueTypes() []string { return []string{"REVENUE", "SALES", "OTHERINCOME"} }

// shippingTypes adds the costs: what buyers pay for carriage is often booked
// against what carriage costs.
func shippingTypes() []string {
	return append(revenueTypes(), "EXPENSE", "OVERHEADS", "DIRECTCOSTS")
}

// otherTypes are those that may carry what is no sale: a gift card's money is a
// liability, a fee is often owed to somebody else.
func otherTypes() []string {
	return append(shippingTypes(), "CURRLIAB", "LIABILITY", "TERMLIAB", "CURRENT", "PREPAYMENT", "EQUITY")
}

// carries reports whether an account can be named for lines of these types.
func carries(a provider.Account, types []string) bool {
	return a.Status == active && slices.Contains(types, a.Type) && a.SystemAccount == ""
}

// sellable reports whether sales may bear a tax rate.
func sellable(r provider.TaxRate) bool { return r.Status == active && r.CanApplyToRevenue }

// takesPayments reports whether payments may be booked to an account.
func takesPayments(a provider.Account) bool {
	return a.Status == active && (a.Type == "BANK" || a.EnablePayments)
}

type checker struct {
	ref  provider.Reference
	errs []FieldError
}

func (c *checker) fail(field, message string, args ...any) {
	c.errs = append(c.errs, FieldError{Field: field, Code: NotInReference, Message: fmt.Sprintf(message, args...)})
}

func (c *checker) account(field, code string, types []string) {
	if code == "" || c.ref.Accounts == nil {
		return
	}
	var usable []string
	for _, a := range c.ref.Accounts {
		fits := carries(a, types)
		switch {
		case fits && a.Code == code:
			return
		case a.Code == code && a.Status != active:
			c.fail(field, "account %q is %s in the ledger; restore it or choose another", code, strings.ToLower(a.Status))
			return
		case a.Code == code:
			c.fail(field, "account %q (%s, %s) cannot carry this; choose an account of type %s", code, a.Name, a.Type, strings.Join(types, ", "))
			return
		case fits && a.Code != "":
			usable = append(usable, a.Code)
		}
	}
	c.fail(field, "the ledger has no account %q; %s", code, choose(usable))
}

// taxType reports whether sales may bear it, and finds it.
func (c *checker) taxType(field, name string) (provider.TaxRate, bool) {
	if name == "" || c.ref.TaxRates == nil {
		return provider.TaxRate{}, false
	}
	var usable []string
	for _, r := range c.ref.TaxRates {
		fits := sellable(r)
		switch {
		case fits && r.TaxType == name:
			return r, true
		case r.TaxType == name:
			c.fail(field, "tax type %s cannot be used on sales (%s); choose another", name, strings.ToLower(r.Status))
			return r, false
		case fits:
			usable = append(usable, r.TaxType)
		}
	}
	c.fail(field, "the ledger has no tax type %s; %s", name, choose(usable))
	return provider.TaxRate{}, false
}

func (c *checker) mappedRate(field, written, name string) {
	rate, ok := c.taxType(field, name)
	if !ok {
		return
	}
	if key, ok := ParseTaxKey(written); !ok || !key.Means(rate.EffectiveRate) {
		c.fail(field, "tax type %s is %s %% in the ledger, not %s %%; choose one of that rate", name, rate.EffectiveRate, key.Percent)
	}
}

func (c *checker) theme(field, id string) {
	if id == "" || c.ref.Themes == nil {
		return
	}
	var names []string
	for _, t := range c.ref.Themes {
		if strings.EqualFold(t.ID, id) {
			return
		}
		names = append(names, t.ID+" ("+t.Name+")")
	}
	c.fail(field, "the ledger has no branding theme %s; %s", id, choose(names))
}

func (c *checker) tracking(field string, want TrackingOption) {
	if c.ref.Tracking == nil {
		return
	}
	var names []string
	for _, category := range c.ref.Tracking {
		if category.Name == want.Name {
			if !slices.Contains(category.Options, want.Option) {
				c.fail(field+".option", "tracking category %q has no option %q; %s", want.Name, want.Option, choose(category.Options))
			}
			return
		}
		names = append(names, category.Name)
	}
	c.fail(field+".name", "the ledger has no tracking category %q; %s", want.Name, choose(names))
}

func (c *checker) bank(field, id string) {
	if id == "" || c.ref.Accounts == nil {
		return
	}
	var usable []string
	for _, a := range c.ref.Accounts {
		fits := takesPayments(a)
		switch {
		case fits && strings.EqualFold(a.ID, id):
			return
		case strings.EqualFold(a.ID, id):
			c.fail(field, "account %q (%s, %s) takes no payments; enable payments to it or choose another", a.Name, a.Type, strings.ToLower(a.Status))
			return
		case fits:
			usable = append(usable, a.ID+" ("+a.Name+")")
		}
	}
	c.fail(field, "the ledger has no account with the id %s; %s", id, choose(usable))
}

// category is named by its URL, or by its nominal code.
func (c *checker) category(field, name string) {
	if name == "" || c.ref.Categories == nil {
		return
	}
	var usable []string
	for _, category := range c.ref.Categories {
		if category.URL == name || category.NominalCode == name {
			return
		}
		usable = append(usable, category.URL+" ("+category.Description+")")
	}
	c.fail(field, "the ledger has no income category %s; %s", name, choose(usable))
}

// choose lists what there is instead, the first five of it.
func choose(from []string) string {
	switch {
	case len(from) == 0:
		return "it has none that fits, add one there first"
	case len(from) > 5:
		return fmt.Sprintf("choose %s or one of %d more", strings.Join(from[:5], ", "), len(from)-5)
	}
	return "choose " + strings.Join(from, ", ")
}

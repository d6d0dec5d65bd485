package xerosim

import (
	"math/big"
	"strings"
)

// organisation is what does not belong to a document: the chart of accounts, the
// rates, the lock dates.
type organisation struct {
	sim        *Sim
	id, name   string
	base       string
	timezone   string
	periodLock string
	endOfYear  string
	accounts   []account
	rates      []taxRate
	currencies []string
	themes     []theme
	categories []category
	hidden     map[string]bool
}

type account struct {
	id, code, name, kind, class, status, taxType, system string
	payments                                             bool
}

type taxRate struct {
	taxType, name, status string
	percent               *big.Rat
	revenue               bool
}

type theme struct{ id, name string }

type category struct {
	id, name string
	options  []string
}

// demoCompany is like Xero's UK demo company.
func demoCompany(s *Sim, cfg Config) organisation {
	o := organisation{
		sim: s, id: cfg.OrgID, name: "Demo Company (UK)", base: cfg.BaseCurrency, timezone: cfg.Timezone,
		currencies: append([]string{cfg.BaseCurrency}, cfg.Currencies...), hidden: map[string]bool{},
	}
	if o.id == "" {
		o.id = s.guid()
	}
	account := func(code, name, kind, class, taxType, system string, payments bool) {
		o.accounts = append(o.accounts, account{s.guid(), code, name, kind, class, "ACTIVE", taxType, system, payments})
	}
	account("090", "Business Bank Account", "BANK", "ASSET", "NONE", "", false)
	account("", "Payment Gateway", "BANK", "ASSET", "NONE", "", false)
	account("200", "Sales", "REVENUE", "REVENUE", "OUTPUT2", "", false)
	account("260", "Other Revenue", "REVENUE", "REVENUE", "OUTPUT2", "", false)
	account("310", "Cost of Goods Sold", "DIRECTCOSTS", "EXPENSE", "INPUT2", "", false)
	account("400", "Advertising & Marketing", "EXPENSE", "EXPENSE", "INPUT2", "", false)
	account("425", "Shipping", "REVENUE", "REVENUE", "OUTPUT2", "", false)
	account("610", "Accounts Receivable", "CURRENT", "ASSET", "NONE", "DEBTORS", false)
	account("800", "Accounts Payable", "CURRLIAB", "LIABILITY", "NONE", "CREDITORS", false)
	account("820", "VAT", "CURRLIAB", "LIABILITY", "NONE", "GST", false)
	account("860", "Rounding", "CURRLIAB", "LIABILITY", "NONE", "ROUNDING", false)
	account("880", "Owner Drawings", "CURRLIAB", "LIABILITY", "NONE", "", true)
	rate := func(taxType, name string, percent int64, revenue bool) {
		o.rates = append(o.rates, taxRate{taxType, name, "ACTIVE", big.NewRat(percent, 1), revenue})
	}
	rate("OUTPUT2", "20% (VAT on Income)", 20, true)
	rate("RROUTPUT", "5% (VAT on Income)", 5, true)
	rate("ZERORATEDOUTPUT", "Zero Rated Income", 0, true)
	rate("EXEMPTOUTPUT", "Exempt Income", 0, true)
	rate("NONE", "No VAT", 0, true)
	rate("INPUT2", "20% (VAT on Expenses)", 20, false)
	rate("RRINPUT", "5% (VAT on Expenses)", 5, false)
	o.themes = []theme{{s.guid(), "Standard"}, {s.guid(), "Very orange invoice!"}}
	o.categories = []category{{s.guid(), "Region", []string{"Eastside", "North", "South", "West Coast"}}}
	return o
}

func (o *organisation) account(code string) *account {
	for i := range o.accounts {
		if o.accounts[i].code == code && code != "" {
			return &o.accounts[i]
		}
	}
	return nil
}

func (o *organisation) rate(taxType string) *taxRate {
	for i := range o.rates {
		if o.rates[i].taxType == taxType {
			return &o.rates[i]
		}
	}
	return nil
}

func (o *organisation) tracks(name, option string) bool {
	for _, c := range o.categories {
		for _, have := range c.options {
			if strings.EqualFold(c.name, name) && strings.EqualFold(have, option) {
				return true
			}
		}
	}
	return false
}

// resource is one of the lists that a client reads to know what may be mapped.
func (o *organisation) resource(name string) (fields, bool) {
	if o.hidden[name] {
		return nil, false
	}
	switch name {
	case "Organisation":
		return fields{"Organisations": []fields{o.show()}}, true
	case "Accounts":
		return fields{"Accounts": o.showAccounts()}, true
	case "TaxRates":
		return fields{"TaxRates": o.showRates()}, true
	case "Currencies":
		list := []fields{}
		for _, code := range o.currencies {
			list = append(list, fields{"Code": code, "Description": code})
		}
		return fields{"Currencies": list}, true
	case "BrandingThemes":
		list := []fields{}
		for i, t := range o.themes {
			list = append(list, fields{"BrandingThemeID": t.id, "Name": t.name, "SortOrder": i, "Type": "INVOICE"})
		}
		return fields{"BrandingThemes": list}, true
	case "TrackingCategories":
		return fields{"TrackingCategories": o.showCategories()}, true
	}
	return nil, false
}

func (o *organisation) show() fields {
	f := fields{
		"OrganisationID": o.id, "Name": o.name, "LegalName": o.name, "ShortCode": "!Sim42", "BaseCurrency": o.base,
		"CountryCode": "GB", "Timezone": o.timezone, "IsDemoCompany": true, "OrganisationStatus": "ACTIVE",
	}
	if o.periodLock != "" {
		f["PeriodLockDate"] = msDay(o.periodLock)
	}
	if o.endOfYear != "" {
		f["EndOfYearLockDate"] = msDay(o.endOfYear)
	}
	return f
}

func (o *organisation) showAccounts() []fields {
	list := []fields{}
	for _, a := range o.accounts {
		f := fields{
			"AccountID": a.id, "Name": a.name, "Type": a.kind, "Class": a.class, "Status": a.status, "TaxType": a.taxType,
			"SystemAccount": a.system, "EnablePaymentsToAccount": o.sim.flag(a.payments), "HasAttachments": false,
		}
		if a.code != "" {
			f["Code"] = a.code
		}
		list = append(list, f)
	}
	return list
}

func (o *organisation) showRates() []fields {
	list := []fields{}
	for _, r := range o.rates {
		list = append(list, fields{
			"Name": r.name, "TaxType": r.taxType, "Status": r.status, "EffectiveRate": o.sim.num(r.percent),
			"DisplayTaxRate": o.sim.num(r.percent), "CanApplyToRevenue": o.sim.flag(r.revenue), "CanApplyToExpenses": o.sim.flag(!r.revenue),
		})
	}
	return list
}

func (o *organisation) showCategories() []fields {
	list := []fields{}
	for _, c := range o.categories {
		options := []fields{}
		for _, name := range c.options {
			options = append(options, fields{"Name": name, "Status": "ACTIVE"})
		}
		list = append(list, fields{"TrackingCategoryID": c.id, "Name": c.name, "Status": "ACTIVE", "Options": options})
	}
	return list
}

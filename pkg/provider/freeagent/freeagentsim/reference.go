package freeagentsim

import "fmt"

// company is the one company. Integers are numbers, decimals strings.
func (s *Server) company(base string) map[string]any {
	company := map[string]any{
		"url": base + "/company", "id": 33870, "name": "Towpath Test Ltd", "subdomain": "towpathtest",
		"type": "UkLimitedCompany", "currency": "GBP", "country": "United Kingdom", "sales_tax_name": "VAT",
		"sales_tax_rates": s.cfg.Rates, "sales_tax_registration_status": "Registered", "sales_tax_is_value_added": true,
		"freeagent_start_date": "2020-05-01", "locked_attributes": []string{},
		"annual_accounting_periods": []map[string]string{{"starts_on": "2026-01-01", "ends_on": "2026-12-31"}},
	}
	if s.cfg.NotRegistered {
		company["sales_tax_registration_status"] = "Not Registered"
	}
	return company
}

type category struct {
	URL         string `json:"url"`
	Code        string `json:"nominal_code"`
	Description string `json:"description"`
	TaxRate     string `json:"auto_sales_tax_rate,omitempty"`
}

// categories is one object of four lists; only the income ones can be sold on.
func categories(base string) map[string][]category {
	one := func(code, description string) category {
		return category{URL: fmt.Sprintf("%s/categories/%s", base, code), Code: code, Description: description, TaxRate: "Standard rate"}
	}
	return map[string][]category{
		"admin_expenses_categories": {one("285", "Accommodation and Meals")},
		"cost_of_sales_categories":  {one("101", "Cost of Sales")},
		"income_categories":         {one("001", "Sales"), one("002", "Shipping"), one("051", "Interest Received")},
		"general_categories":        {one("602", "Computer Equipment")},
	}
}

func isIncome(base, url string) bool {
	for _, c := range categories(base)["income_categories"] {
		if c.URL == url {
			return true
		}
	}
	return false
}

func bankAccounts(base string) []map[string]any {
	return []map[string]any{
		{"url": base + "/bank_accounts/1", "type": "StandardBankAccount", "name": "Business Account", "currency": "GBP",
			"status": "active", "is_primary": true, "current_balance": "957.5", "opening_balance": "1000.0"},
		{"url": base + "/bank_accounts/2", "type": "PaypalAccount", "name": "PayPal", "currency": "GBP", "status": "active", "is_primary": false},
		{"url": base + "/bank_accounts/3", "type": "StandardBankAccount", "name": "Old Account", "currency": "GBP", "status": "hidden", "is_primary": false},
		{"url": base + "/bank_accounts/4", "type": "StandardBankAccount", "name": "Euro Account", "currency": "EUR", "status": "active", "is_primary": false},
	}
}

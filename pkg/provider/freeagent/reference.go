package freeagent

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/shopspring/decimal"

	"towpath/pkg/foreign"
	"towpath/pkg/provider"
)

// Reference reads the company, its sales tax rates, the income categories and
// the bank accounts. What the server does not have (404, 501), and bank
// accounts that the token's user may not see (403), stay nil: unknown. A
// company that is not registered for sales tax has an empty list of rates.
// Dates are days in London for a British company, else in UTC: the wire has no
// time zone.
func (c *Client) Reference(ctx context.Context) (provider.Reference, error) {
	ref := provider.Reference{FetchedAt: c.cfg.Now().UTC()}
	for _, read := range []func(context.Context, *provider.Reference) error{
		c.readCompany, c.readCategories, c.readBankAccounts,
	} {
		if err := read(ctx, &ref); err != nil {
			return provider.Reference{}, err
		}
	}
	return ref, nil
}

func (c *Client) readCompany(ctx context.Context, ref *provider.Reference) error {
	var read struct {
		Company struct {
			ID           json.RawMessage `json:"id"` // a number, in older answers a string
			URL          string          `json:"url"`
			Name         string          `json:"name"`
			Subdomain    string          `json:"subdomain"`
			Currency     string          `json:"currency"`
			Country      string          `json:"country"`
			Registration string          `json:"sales_tax_registration_status"`
			Rates        *[]amount       `json:"sales_tax_rates"`
		} `json:"company"`
	}
	found, err := c.readPart(ctx, opCompany, "/company", &read)
	if err != nil || !found {
		return err
	}
	company := read.Company
	ref.Organisation = provider.Organisation{
		ID: foreign.Text(strings.Trim(string(company.ID), `"`), maxField), Name: foreign.Text(company.Name, maxField),
		ShortCode: foreign.Text(company.Subdomain, maxField), BaseCurrency: foreign.Text(company.Currency, maxField), CountryCode: countryCode(company.Country), Timezone: "UTC",
	}
	if ref.Organisation.CountryCode == "GB" {
		ref.Organisation.Timezone = "Europe/London"
	}
	switch {
	case strings.EqualFold(company.Registration, "Not Registered"):
		ref.TaxRates = []provider.TaxRate{}
	case company.Rates != nil:
		ref.TaxRates = []provider.TaxRate{}
		for _, rate := range *company.Rates {
			if rate.Valid {
				ref.TaxRates = append(ref.TaxRates, taxRate(rate.Decimal))
			}
		}
	}
	return nil
}

// taxRate gives a rate of the company the form that other wires' have. The wire
// has no tax types, so its own name is the percentage.
func taxRate(percent decimal.Decimal) provider.TaxRate {
	return provider.TaxRate{
		TaxType: percent.StringFixed(2), Name: percent.StringFixed(2) + " %",
		EffectiveRate: percent, Status: "ACTIVE", CanApplyToRevenue: true,
	}
}

func (c *Client) readCategories(ctx context.Context, ref *provider.Reference) error {
	var read struct {
		Income []provider.IncomeCategory `json:"income_categories"`
	}
	found, err := c.readPart(ctx, opCategories, "/categories", &read)
	if err == nil && found {
		ref.Categories = append([]provider.IncomeCategory{}, read.Income...)
	}
	return err
}

func (c *Client) readBankAccounts(ctx context.Context, ref *provider.Reference) error {
	type bankAccount struct {
		URL      string `json:"url"`
		Name     string `json:"name"`
		Status   string `json:"status"`
		Currency string `json:"currency"`
	}
	accounts := []provider.Account{}
	err := list(ctx, c, opBankAccounts, "bank_accounts", url.Values{}, func(b bankAccount) bool {
		status := "ACTIVE"
		if strings.EqualFold(b.Status, "hidden") {
			status = "ARCHIVED"
		}
		accounts = append(accounts, provider.Account{ID: b.URL, Name: b.Name, Type: "BANK", Status: status, EnablePayments: true, Currency: b.Currency})
		return true
	})
	if missing(err) || forbidden(err) {
		return nil
	}
	if err != nil {
		return err
	}
	ref.Accounts = accounts
	return nil
}

// readPart reads one resource; found is false where the server has none.
func (c *Client) readPart(ctx context.Context, operation, path string, into any) (found bool, err error) {
	a, err := c.must(ctx, call{operation: operation, method: http.MethodGet, path: path})
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return false, unreadable(operation, err)
	}
	return true, nil
}

// missing reports whether err is an answer that the server has no such thing.
func missing(err error) bool {
	var status statusError
	return errors.As(err, &status) && (status == http.StatusNotFound || status == http.StatusNotImplemented)
}

func forbidden(err error) bool {
	var status statusError
	return errors.As(err, &status) && status == http.StatusForbidden
}

package xero

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"towpath/pkg/provider"
)

// Reference reads what a policy may refer to, in six calls one after another
// (Xero allows five at a time for everybody). A part that this connection may
// not read or this organisation does not have (403, 404, 501) stays nil. Where
// every part is refused with 403, the connection itself is gone: Auth.
func (c *Client) Reference(ctx context.Context) (provider.Reference, error) {
	ref := provider.Reference{FetchedAt: c.now()}
	parts := []func(context.Context, *provider.Reference) error{
		c.readOrganisation, c.readAccounts, c.readTaxRates, c.readCurrencies, c.readThemes, c.readTracking,
	}
	var refused []error
	for _, read := range parts {
		err := read(ctx, &ref)
		var missing *missingPart
		if errors.As(err, &missing) {
			if missing.forbidden {
				refused = append(refused, missing.Unwrap())
			}
			continue
		}
		if err != nil {
			return provider.Reference{}, err
		}
	}
	if len(refused) == len(parts) {
		return provider.Reference{}, refused[0]
	}
	return ref, nil
}

// missingPart is a part of the reference data that the server does not give.
type missingPart struct {
	forbidden bool
	cause     error
}

func (m *missingPart) Error() string { return "part is not available: " + m.cause.Error() }
func (m *missingPart) Unwrap() error { return m.cause }

// read GETs one resource into an answer.
func (c *Client) read(ctx context.Context, operation, path string, into any) error {
	r := request{operation: operation, method: http.MethodGet, path: path}
	body, err := c.do(ctx, r)
	if err != nil {
		switch f := provider.AsFailure(err); {
		case f.Kind == provider.Auth && strings.HasPrefix(f.Detail, operation+" 403"):
			return &missingPart{forbidden: true, cause: err}
		case f.Kind == provider.Gone, strings.HasPrefix(f.Detail, operation+" 501"):
			return &missingPart{cause: err}
		}
		return err
	}
	return decode(r, body, into)
}

func (c *Client) readOrganisation(ctx context.Context, ref *provider.Reference) error {
	var answer struct {
		Organisations list[struct {
			OrganisationID, Name, ShortCode, BaseCurrency, CountryCode, Timezone text
			PeriodLockDate, EndOfYearLockDate                                    day
		}]
	}
	if err := c.read(ctx, opOrganisation, "/Organisation", &answer); err != nil || len(answer.Organisations) == 0 {
		return err
	}
	o := answer.Organisations[0]
	ref.Organisation = provider.Organisation{
		ID: string(o.OrganisationID), Name: string(o.Name), ShortCode: string(o.ShortCode), BaseCurrency: string(o.BaseCurrency),
		CountryCode: string(o.CountryCode), Timezone: string(o.Timezone),
		PeriodLockDate: string(o.PeriodLockDate), EndOfYearLockDate: string(o.EndOfYearLockDate),
	}
	return nil
}

func (c *Client) readAccounts(ctx context.Context, ref *provider.Reference) error {
	var answer struct {
		Accounts list[struct {
			AccountID, Code, Name, Type, Status, TaxType, SystemAccount text
			EnablePaymentsToAccount                                     flag
		}]
	}
	if err := c.read(ctx, opAccounts, "/Accounts", &answer); err != nil {
		return err
	}
	ref.Accounts = []provider.Account{}
	for _, a := range answer.Accounts {
		ref.Accounts = append(ref.Accounts, provider.Account{
			ID: string(a.AccountID), Code: string(a.Code), Name: string(a.Name), Type: string(a.Type), Status: string(a.Status),
			TaxType: string(a.TaxType), SystemAccount: string(a.SystemAccount), EnablePayments: bool(a.EnablePaymentsToAccount),
		})
	}
	return nil
}

func (c *Client) readTaxRates(ctx context.Context, ref *provider.Reference) error {
	var answer struct {
		TaxRates list[struct {
			TaxType, Name, Status text
			EffectiveRate         amount
			CanApplyToRevenue     flag
		}]
	}
	if err := c.read(ctx, opTaxRates, "/TaxRates", &answer); err != nil {
		return err
	}
	ref.TaxRates = []provider.TaxRate{}
	for _, t := range answer.TaxRates {
		ref.TaxRates = append(ref.TaxRates, provider.TaxRate{
			TaxType: string(t.TaxType), Name: string(t.Name), EffectiveRate: t.EffectiveRate.Decimal,
			Status: string(t.Status), CanApplyToRevenue: bool(t.CanApplyToRevenue),
		})
	}
	return nil
}

func (c *Client) readCurrencies(ctx context.Context, ref *provider.Reference) error {
	var answer struct{ Currencies list[struct{ Code text }] }
	if err := c.read(ctx, opCurrencies, "/Currencies", &answer); err != nil {
		return err
	}
	ref.Currencies = []string{}
	for _, currency := range answer.Currencies {
		ref.Currencies = append(ref.Currencies, string(currency.Code))
	}
	return nil
}

func (c *Client) readThemes(ctx context.Context, ref *provider.Reference) error {
	var answer struct {
		BrandingThemes list[struct{ BrandingThemeID, Name text }]
	}
	if err := c.read(ctx, opThemes, "/BrandingThemes", &answer); err != nil {
		return err
	}
	ref.Themes = []provider.BrandingTheme{}
	for _, t := range answer.BrandingThemes {
		ref.Themes = append(ref.Themes, provider.BrandingTheme{ID: string(t.BrandingThemeID), Name: string(t.Name)})
	}
	return nil
}

// readTracking keeps what is active: archived categories cannot be put on a
// new line.
func (c *Client) readTracking(ctx context.Context, ref *provider.Reference) error {
	type option struct{ Name, Status text }
	var answer struct {
		TrackingCategories list[struct {
			Name, Status text
			Options      list[option]
		}]
	}
	if err := c.read(ctx, opTracking, "/TrackingCategories", &answer); err != nil {
		return err
	}
	ref.Tracking = []provider.TrackingCategory{}
	for _, t := range answer.TrackingCategories {
		if t.Status != "ACTIVE" && t.Status != "" {
			continue
		}
		category := provider.TrackingCategory{Name: string(t.Name), Options: []string{}}
		for _, o := range t.Options {
			if o.Status == "ACTIVE" || o.Status == "" {
				category.Options = append(category.Options, string(o.Name))
			}
		}
		ref.Tracking = append(ref.Tracking, category)
	}
	return nil
}

package xero_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

// The sample's day is 2026-04-29.
func Test_Locked_period_holds_what_is_dated_in_it_unless_it_is_a_draft(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, period, year, status, zone string
		says                             string // empty: not held
	}{
		{name: "none"},
		{name: "the day before", period: "2026-04-28"},
		{name: "the very day", period: "2026-04-29", says: "dated 2026-04-29 or before (period lock date)"},
		{name: "later", period: "2026-12-31", says: "2026-12-31 or before (period lock date)"},
		{name: "the year's", year: "2026-04-29", says: "2026-04-29 or before (end of year lock date)"},
		{name: "the later one counts", period: "2026-03-31", year: "2026-05-31", says: "2026-05-31 or before (end of year"},
		{name: "the later one counts, the other way", period: "2026-05-31", year: "2026-03-31", says: "2026-05-31 or before (period"},
		{name: "both before", period: "2026-03-31", year: "2025-12-31"},
		{name: "draft", period: "2026-12-31", year: "2026-12-31", status: "DRAFT"},
		{name: "submitted", period: "2026-04-29", status: "SUBMITTED", says: "period lock date"},
		{name: "authorised", period: "2026-04-29", status: "AUTHORISED", says: "period lock date"},
	}
	for _, c := range cases {
		_, err := tryBuild(plain(t), func(p *policy.Policy, r *provider.Reference) {
			r.Organisation.PeriodLockDate, r.Organisation.EndOfYearLockDate = c.period, c.year
			p.InvoiceStatus = c.status
		})
		if c.says == "" {
			require.NoError(t, err, c.name)
			continue
		}
		f := failure(t, err)
		require.Equal(t, provider.Held, f.Kind, c.name)
		require.Equal(t, "period_locked", f.Reason, c.name)
		for _, part := range []string{c.says, "the invoice is dated 2026-04-29", "move the lock date", "DRAFT", "goes on by itself"} {
			require.Contains(t, f.Message, part, c.name)
		}
	}
}

// The day is the organisation's: late on 29 April in London it is the 30th in
// Sydney.
func Test_Lock_date_is_compared_with_the_organisations_day(t *testing.T) {
	t.Parallel()
	for zone, locked := range map[string]bool{"GMTSTANDARDTIME": true, "AUSEASTERNSTANDARDTIME": false} {
		inv := plain(t)
		inv.CreatedAt = time.Date(2026, 4, 29, 20, 0, 0, 0, time.UTC)
		_, err := tryBuild(inv, func(_ *policy.Policy, r *provider.Reference) {
			r.Organisation.Timezone, r.Organisation.PeriodLockDate = zone, "2026-04-29"
		})
		require.Equal(t, locked, err != nil, zone)
	}
}

func Test_Mapping_that_Xero_would_refuse_is_held_before_anything_is_posted(t *testing.T) {
	t.Parallel()
	account := func(status string) func(*policy.Policy, *provider.Reference) {
		return func(_ *policy.Policy, r *provider.Reference) { r.Accounts[1].Status = status }
	}
	rate := func(status string) func(*policy.Policy, *provider.Reference) {
		return func(_ *policy.Policy, r *provider.Reference) { r.TaxRates[0].Status = status }
	}
	cases := []struct {
		name   string
		change func(*policy.Policy, *provider.Reference)
		reason string // empty: not held
		says   string
	}{
		{"account archived", account("ARCHIVED"), "account_archived", `account "425" (Shipping) of the settings is archived`},
		{"account deleted", account("DELETED"), "account_invalid", `account "425" of the settings is not in Xero's chart`},
		{"account of a state that is new", account("DORMANT"), "", ""},
		{"account without a state", account(""), "", ""},
		{"account not there", func(p *policy.Policy, _ *provider.Reference) { p.RevenueAccountCode = "2000" }, "account_invalid", `"2000"`},
		{"no accounts", func(_ *policy.Policy, r *provider.Reference) { r.Accounts = []provider.Account{} }, "account_invalid", `"200"`},
		{"accounts not told", func(_ *policy.Policy, r *provider.Reference) { r.Accounts = nil }, "", ""},
		{"archived one beside an active one of the same code", func(_ *policy.Policy, r *provider.Reference) {
			r.Accounts = append([]provider.Account{{Code: "425", Status: "ARCHIVED"}}, r.Accounts...)
		}, "", ""},
		{"archived account that the document does not use", func(_ *policy.Policy, r *provider.Reference) {
			r.Accounts = append(r.Accounts, provider.Account{Code: "260", Status: "ARCHIVED"})
		}, "", ""},
		{"rate deleted", rate("DELETED"), "tax_type_invalid", `tax type "OUTPUT2" of the settings is deleted in Xero`},
		{"rate archived", rate("ARCHIVED"), "tax_type_invalid", "is archived in Xero"},
		{"rate without a state", rate(""), "", ""},
		{"rate not there", func(p *policy.Policy, _ *provider.Reference) { p.TaxRateMap["20.00"] = "OUTPUT9" }, "tax_type_invalid", `"OUTPUT9" of the settings is not among`},
		{"no rates", func(_ *policy.Policy, r *provider.Reference) { r.TaxRates = []provider.TaxRate{} }, "tax_type_invalid", "OUTPUT2"},
		{"rates not told", func(_ *policy.Policy, r *provider.Reference) { r.TaxRates = nil }, "", ""},
		{"nothing told", func(_ *policy.Policy, r *provider.Reference) { *r = provider.Reference{} }, "", ""},
	}
	for _, c := range cases {
		_, err := tryBuild(plain(t), c.change)
		if c.reason == "" {
			require.NoError(t, err, c.name)
			continue
		}
		f := failure(t, err)
		require.Equal(t, provider.Held, f.Kind, c.name)
		require.Equal(t, c.reason, f.Reason, c.name)
		require.Contains(t, f.Message, c.says, c.name)
		require.Contains(t, f.Message, "goes on by itself", c.name)
	}
}

// The rounding line's type is Xero's affair, not the merchant's.
func Test_Rounding_line_is_not_held_for_its_tax_type(t *testing.T) {
	t.Parallel()
	inv := plain(t)
	inv.GrandTotal = inv.GrandTotal.Add(dec("0.01"))
	_, err := tryBuild(inv, func(_ *policy.Policy, r *provider.Reference) {
		r.Accounts[2].TaxType, r.TaxRates = "", r.TaxRates[:len(r.TaxRates)-1]
	})
	require.NoError(t, err)
}

// What a hold is about is mended in Xero; one call shows it, and the document is
// built.
func Test_Mended_hold_is_seen_with_one_call(t *testing.T) {
	t.Parallel()
	cases := []struct {
		reason      string
		call        string
		break_, fix func(*xerosim.Sim)
	}{
		{"period_locked", "GET /Organisation", func(s *xerosim.Sim) { _ = s.SetLockDates("2026-04-29", "") }, func(s *xerosim.Sim) { _ = s.SetLockDates("", "2026-04-28") }},
		{"account_archived", "GET /Accounts", func(s *xerosim.Sim) { s.SetAccountStatus("425", "ARCHIVED") }, func(s *xerosim.Sim) { s.SetAccountStatus("425", "ACTIVE") }},
		{"account_invalid", "GET /Accounts", func(s *xerosim.Sim) { s.SetAccountStatus("200", "DELETED") }, func(s *xerosim.Sim) { s.SetAccountStatus("200", "ACTIVE") }},
		{"tax_type_invalid", "GET /TaxRates", func(s *xerosim.Sim) { s.SetTaxRateStatus("OUTPUT2", "DELETED") }, func(s *xerosim.Sim) { s.SetTaxRateStatus("OUTPUT2", "ACTIVE") }},
		{"currency_not_enabled", "GET /Currencies", func(s *xerosim.Sim) { s.SetCurrencies("USD") }, func(s *xerosim.Sim) { s.SetCurrencies("USD", "EUR") }},
	}
	for _, c := range cases {
		b := setup(t)
		inv := plain(t)
		if c.reason == "currency_not_enabled" {
			inv.Currency = "EUR"
		}
		c.break_(b.sim)
		ref := b.reference(t)
		_, err := b.client.Document(inv, samplePolicy(), ref, someContact, runURL)
		require.Equal(t, c.reason, failure(t, err).Reason)

		c.fix(b.sim)
		b.wire.forget()
		fresh, err := b.client.Recheck(b.ctx, ref, c.reason)
		require.NoError(t, err)
		require.Equal(t, []string{c.call}, b.wire.sequence())
		_, err = b.client.Document(inv, samplePolicy(), fresh, someContact, runURL)
		require.NoError(t, err, c.reason)
		_, err = b.client.Document(inv, samplePolicy(), ref, someContact, runURL)
		require.Error(t, err, "what was read before is not changed")
	}
}

func Test_Recheck_reads_only_what_the_reason_is_about(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := provider.Reference{
		Organisation: provider.Organisation{ID: "old"}, Accounts: []provider.Account{}, TaxRates: []provider.TaxRate{},
		Currencies: []string{}, Themes: []provider.BrandingTheme{{ID: "old"}}, FetchedAt: b.clock.Now().Add(-1),
	}
	for reason, part := range map[string]string{
		"period_locked": "organisation", "currency_not_enabled": "currencies", "account_archived": "accounts", "account_invalid": "accounts",
		"missing_mapping": "accounts", "tax_type_invalid": "rates", "tax_rate_not_mapped": "rates",
		"plan_limit": "", "number_taken": "", "total_mismatch": "", "auth": "", "": "",
	} {
		b.wire.forget()
		fresh, err := b.client.Recheck(b.ctx, old, reason)
		require.NoError(t, err)
		require.Len(t, b.wire.sequence(), map[bool]int{true: 1}[part != ""], reason)
		require.Equal(t, part == "organisation", fresh.Organisation != old.Organisation, reason)
		require.Equal(t, part == "currencies", len(fresh.Currencies) > 0, reason)
		require.Equal(t, part == "accounts", len(fresh.Accounts) > 0, reason)
		require.Equal(t, part == "rates", len(fresh.TaxRates) > 0, reason)
		require.Equal(t, old.Themes, fresh.Themes)
		require.Equal(t, old.FetchedAt, fresh.FetchedAt)
	}
}

func Test_Recheck_that_fails_leaves_what_was_known(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]provider.Kind{403: "", 404: "", 501: "", 429: provider.RateLimited, 401: provider.Auth, 500: provider.Temporary} {
		b := setup(t)
		ref := b.reference(t)
		b.sim.Inject(xerosim.Fault{Operation: "GET /Accounts", Status: status})
		again, err := b.client.Recheck(b.ctx, ref, "account_archived")
		require.Equal(t, ref, again)
		if kind == "" {
			require.NoError(t, err, "a part that is not there stays as it was")
			continue
		}
		require.Equal(t, kind, failure(t, err).Kind)
	}
}

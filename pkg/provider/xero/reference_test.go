package xero_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

func Test_Reference_reads_every_part(t *testing.T) {
	t.Parallel()
	for _, quoted := range []bool{false, true} {
		b := setup(t, func(c *xerosim.Config) { c.QuotedNumbers = quoted })
		require.NoError(t, b.sim.SetLockDates("2026-03-31", "2025-12-31"))
		ref := b.reference(t)
		require.Equal(t, provider.Organisation{
			ID: testOrg, Name: "Demo Company (UK)", ShortCode: "!Sim42", BaseCurrency: "GBP", CountryCode: "GB",
			Timezone: "GMTSTANDARDTIME", PeriodLockDate: "2026-03-31", EndOfYearLockDate: "2025-12-31",
		}, ref.Organisation)
		require.Equal(t, []string{"GBP", "EUR", "USD"}, ref.Currencies)
		require.Len(t, ref.Themes, 2)
		require.Equal(t, "Region", ref.Tracking[0].Name)
		require.Contains(t, ref.Tracking[0].Options, "North")
		require.Equal(t, b.clock.Now(), ref.FetchedAt)
		rates := map[string]string{}
		for _, r := range ref.TaxRates {
			if r.CanApplyToRevenue {
				rates[r.TaxType] = r.EffectiveRate.String()
			}
		}
		require.Equal(t, map[string]string{"OUTPUT2": "20", "RROUTPUT": "5", "ZERORATEDOUTPUT": "0", "EXEMPTOUTPUT": "0", "NONE": "0"}, rates)
		byCode := map[string]provider.Account{}
		for _, a := range ref.Accounts {
			byCode[a.Code] = a
		}
		require.Equal(t, "ROUNDING", byCode["860"].SystemAccount)
		require.Equal(t, "BANK", byCode["090"].Type)
		require.True(t, byCode["880"].EnablePayments)
		require.Equal(t, "OUTPUT2", byCode["200"].TaxType)
	}
}

func Test_Part_that_is_not_there_stays_unknown(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 404, 501} {
		b := setup(t)
		b.sim.Inject(
			xerosim.Fault{Operation: "GET /Accounts", Status: status},
			xerosim.Fault{Operation: "GET /TrackingCategories", Status: status},
		)
		ref := b.reference(t)
		require.Nil(t, ref.Accounts)
		require.Nil(t, ref.Tracking)
		require.NotNil(t, ref.TaxRates)
	}
}

func Test_Part_without_elements_is_none_not_unknown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sim.Inject(xerosim.Fault{Operation: "GET /BrandingThemes", Status: 200, Body: `{"BrandingThemes":[]}`})
	require.Equal(t, []provider.BrandingTheme{}, b.reference(t).Themes)
}

func Test_Reference_fails_with_the_calls_that_fail(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]provider.Kind{500: provider.Temporary, 503: provider.Temporary, 429: provider.RateLimited, 401: provider.Auth} {
		b := setup(t)
		b.sim.Inject(xerosim.Fault{Operation: "GET /Currencies", Status: status})
		_, err := b.client.Reference(b.ctx)
		require.Equal(t, kind, failure(t, err).Kind)
	}
}

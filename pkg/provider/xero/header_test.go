package xero_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
	"towpath/pkg/provider/xero/xerosim"
)

// An invoice raised late on 31 March in London is April's in Sydney.
func Test_Date_is_the_day_of_the_organisation(t *testing.T) {
	t.Parallel()
	for timezone, want := range map[string][2]string{
		"GMTSTANDARDTIME":        {"2026-03-31", "2026-04-14"},
		"AUSEASTERNSTANDARDTIME": {"2026-04-01", "2026-04-15"},
		"NEWZEALANDSTANDARDTIME": {"2026-04-01", "2026-04-15"},
		"EASTERNSTANDARDTIME":    {"2026-03-31", "2026-04-14"},
		"UTC":                    {"2026-03-31", "2026-04-14"},
		"":                       {"2026-03-31", "2026-04-14"},
		"NOWHERESTANDARDTIME":    {"2026-03-31", "2026-04-14"},
	} {
		inv := plain(t)
		inv.CreatedAt = time.Date(2026, 3, 31, 20, 30, 0, 0, time.UTC)
		body, _ := build(t, inv, func(_ *policy.Policy, r *provider.Reference) { r.Organisation.Timezone = timezone })
		require.Equal(t, want, [2]string{body.Date, body.DueDate}, timezone)
	}
	inv := plain(t)
	inv.CreatedAt = time.Date(2026, 3, 31, 23, 30, 0, 0, time.UTC)
	body, _ := build(t, inv)
	require.Equal(t, "2026-04-01", body.Date, "British summer time")
}

func Test_Every_zone_that_Xero_knows_is_known(t *testing.T) {
	t.Parallel()
	for name, location := range xero.Zones() {
		require.NotNil(t, location, name)
	}
	require.Len(t, xero.Zones(), 141)
}

func Test_Due_date_follows_the_terms(t *testing.T) {
	t.Parallel()
	inv := plain(t)
	group := canon.Int(3)
	inv.Customer.GroupID = &group
	for days, want := range map[int]string{0: "2026-04-29", 30: "2026-05-29", 365: "2027-04-29"} {
		body, _ := build(t, inv, func(p *policy.Policy, _ *provider.Reference) { p.PaymentTermsByGroup = map[string]int{"3": days} })
		require.Equal(t, want, body.DueDate)
	}
}

// 1 GBP buys 1.1634 EUR: Xero divides the invoice's amount by the rate to reach
// the base currency, so the shop's rate goes in as it is.
func Test_Currency_rate_is_the_shops_rate_the_same_way_round(t *testing.T) {
	t.Parallel()
	eur := canontest.Named(t, "eur_export_no_tax").Invoice
	fromPounds := func(p *policy.Policy, _ *provider.Reference) { p.ShopBaseCurrency.Code = "GBP" }
	body, _ := build(t, eur, fromPounds)
	require.Equal(t, json.Number("1.1634"), body.CurrencyRate)
	inBase := eur.GrandTotal.Div(dec(body.CurrencyRate.String())).Round(2)
	require.Equal(t, "3617.29", inBase.String(), "EUR 4208.35 are fewer pounds")

	rate := func(r *string, base string) json.Number {
		inv := eur
		inv.BaseToOrderRate = nil
		if r != nil {
			inv.BaseToOrderRate = ptr(dec(*r))
		}
		body, _ := build(t, inv, fromPounds, func(_ *policy.Policy, ref *provider.Reference) { ref.Organisation.BaseCurrency = base })
		return body.CurrencyRate
	}
	require.Equal(t, json.Number("1.163443"), rate(ptr("1.16344349"), "GBP"), "six decimals")
	require.Empty(t, rate(ptr("1"), "GBP"), "the shop has one currency, which is not the organisation's: Xero's day rate")
	require.Empty(t, rate(nil, "GBP"))
	require.Empty(t, rate(ptr("1.1634"), "EUR"), "the organisation's own currency")
	require.Empty(t, rate(ptr("1.1634"), ""), "unknown base: Xero's day rate")
	require.Empty(t, rate(ptr("0.0000001"), "GBP"), "not a rate")
	require.Empty(t, rate(ptr("-1.2"), "GBP"), "not a rate")
}

func Test_Url_that_Xero_would_refuse_is_left_out(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://towpath.example.com/runs/1":   "https://towpath.example.com/runs/1",
		"http://127.0.0.1:8080/runs/1":         "http://127.0.0.1:8080/runs/1",
		"https://xero.example.com/runs/1":      "",
		"https://example.com/XeroAccounting/1": "",
		"":                                     "",
		"/runs/1":                              "",
		"javascript:alert(1)":                  "",
		"https://exa mple.com/":                "",
	} {
		doc, err := xero.Build(plain(t), samplePolicy(), ukReference(), someContact, url)
		require.NoError(t, err)
		require.Equal(t, want, show(t, doc).Url, url)
	}
}

func Test_Header_carries_number_reference_theme_tracking_and_status(t *testing.T) {
	t.Parallel()
	b := setup(t)
	inv := canontest.Named(t, "header_two_pennies_off").Invoice
	inv.PONumber = ptr("PO-7781")
	pol := samplePolicy()
	pol.InvoiceNumberPrefix = ptr("M-")
	pol.BrandingThemeID = ptr(b.sim.ThemeID("Very orange invoice!"))
	pol.Tracking = []policy.TrackingOption{{Name: "Region", Option: "North"}}
	for _, status := range []string{"DRAFT", "SUBMITTED", "AUTHORISED"} {
		inv.IncrementID = "N" + status
		pol.InvoiceStatus = status
		doc := b.document(t, inv, pol)
		body := show(t, doc)
		require.Equal(t, "M-N"+status, body.InvoiceNumber)
		require.Equal(t, "Order 200000058, PO PO-7781", body.Reference)
		require.Equal(t, *pol.BrandingThemeID, body.BrandingThemeID)
		require.Equal(t, status, body.Status)
		for _, line := range body.LineItems {
			require.Len(t, line.Tracking, 1)
			require.Equal(t, "North", line.Tracking[0].Option)
		}
		posted, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: status})
		require.NoError(t, err)
		require.Equal(t, status, posted.Status)
	}
	require.Len(t, b.sim.Invoices(), 3)
}

// Drafts post nothing to the ledger, so a locked period does not hold them.
func Test_Draft_is_taken_in_a_locked_period(t *testing.T) {
	t.Parallel()
	b := setup(t, func(*xerosim.Config) {})
	require.NoError(t, b.sim.SetLockDates("2026-12-31", ""))
	pol := samplePolicy()
	pol.InvoiceStatus = "DRAFT"
	_, err := ensureInvoice(b.ctx, b.client, b.document(t, plain(t), pol), provider.Try{Key: "k"})
	require.NoError(t, err)
}

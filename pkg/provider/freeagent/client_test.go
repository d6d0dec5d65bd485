package freeagent

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/loopback"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

func goodToken(context.Context) (string, error) { return testToken, nil }

func TestNew_base_URL(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://api.freeagent.com":      "https://api.freeagent.com/v2",
		"https://api.freeagent.com/":     "https://api.freeagent.com/v2",
		"https://api.freeagent.com/v2":   "https://api.freeagent.com/v2",
		"https://api.freeagent.com/v2/":  "https://api.freeagent.com/v2",
		"http://127.0.0.1:9000/ledger//": "http://127.0.0.1:9000/ledger",
	} {
		c, err := New(Config{BaseURL: base, Token: goodToken, HTTP: loopback.Client})
		require.NoError(t, err)
		require.Equal(t, want, c.root)
	}
	for _, base := range []string{"", "api.freeagent.com", "ftp://x", "https://u:p@x", "https://x?a=b", "https://x#f", "://"} {
		_, err := New(Config{BaseURL: base, Token: goodToken, HTTP: loopback.Client})
		require.Error(t, err, base)
	}
	_, err := New(Config{BaseURL: "https://x", HTTP: loopback.Client})
	require.ErrorContains(t, err, "Token is missing")
	_, err = New(Config{BaseURL: "https://x", Token: goodToken})
	require.ErrorContains(t, err, "HTTP is missing")
}

func TestReference_read(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	require.Equal(t, provider.Organisation{ID: "33870", Name: "Towpath Test Ltd", ShortCode: "towpathtest", BaseCurrency: "GBP",
		CountryCode: "GB", Timezone: "Europe/London"}, b.ref.Organisation)
	require.Len(t, b.ref.TaxRates, 3)
	requireEqual(t, dec("20"), b.ref.TaxRates[0].EffectiveRate)
	require.Equal(t, testBase+"/v2/categories/001", b.ref.Categories[0].URL)
	require.Equal(t, "001", b.ref.Categories[0].NominalCode)
	require.Len(t, b.ref.Accounts, 4)
	require.Equal(t, "EUR", b.ref.Accounts[3].Currency)
	require.Equal(t, "ARCHIVED", b.ref.Accounts[2].Status)
	require.Nil(t, b.ref.Currencies)
	require.Equal(t, testNow(), b.ref.FetchedAt)
}

func TestReference_parts_the_server_lacks_stay_unknown(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	b.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.Company, Status: 404})
	b.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.Categories, Status: 501})
	b.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.BankAccounts, Status: 403})
	ref, err := b.client.Reference(t.Context())
	require.NoError(t, err)
	require.Nil(t, ref.TaxRates)
	require.Nil(t, ref.Categories)
	require.Nil(t, ref.Accounts)
	require.Empty(t, ref.Organisation)
}

func TestReference_no_rates_for_a_company_without_registration(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{NotRegistered: true})
	require.NotNil(t, b.ref.TaxRates)
	require.Empty(t, b.ref.TaxRates)
	_, err := b.client.Document(sample(t, "plain_vat"), b.pol, b.ref, "c", "")
	require.Equal(t, "tax_rate_not_mapped", failureIn(t, err).Reason)
}

func TestReference_fails_when_it_cannot_be_read(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{freeagentsim.Company, freeagentsim.Categories, freeagentsim.BankAccounts} {
		for want, fault := range map[provider.Kind]freeagentsim.Fault{
			provider.Auth:      {Status: 401},
			provider.Temporary: {Status: 200, Body: "<html>"},
		} {
			b := setup(t, freeagentsim.Config{})
			fault.Operation = operation
			b.sim.Inject(fault)
			_, err := b.client.Reference(t.Context())
			require.Equal(t, want, failureIn(t, err).Kind, operation)
		}
	}
}

func TestRateLimit_told_with_its_wait(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{PerMinute: 4}) // three of them for the reference
	inv := sample(t, "plain_vat")
	contact := b.contact(t, inv)
	_, err := ensureInvoice(t.Context(), b.client, b.documentFor(t, inv, contact), provider.Try{})
	f := failureIn(t, err)
	require.Equal(t, provider.RateLimited, f.Kind)
	require.Equal(t, "1m0s", f.RetryAfter.String())
	require.Equal(t, "You must not exceed 4 requests per 60 seconds", f.Detail)
	require.Equal(t, 1, b.sim.Usage().Limited)
}

// The hour's refusal names a minute as well: the next one is met then.
func TestRateLimit_of_the_hour_told_until_the_hour_is_over(t *testing.T) {
	t.Parallel()
	var minutes atomic.Int64
	clock := func() time.Time { return testNow().Add(time.Duration(minutes.Load()) * time.Minute) }
	b := setup(t, freeagentsim.Config{PerHour: 4, Now: clock}) // three of them for the reference
	doc := b.documentFor(t, sample(t, "plain_vat"), b.contact(t, sample(t, "plain_vat")))
	for _, at := range []int64{0, 1, 59} {
		minutes.Store(at)
		_, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{})
		f := failureIn(t, err)
		require.Equal(t, provider.RateLimited, f.Kind)
		require.Equal(t, time.Minute, f.RetryAfter)
		require.Equal(t, "You must not exceed 4 requests per 3600 seconds", f.Detail)
	}
	minutes.Store(60)
	_, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{})
	require.NoError(t, err)
	require.Equal(t, freeagentsim.Usage{Minute: 1, Hour: 1, MostMinute: 5, MostHour: 7, Limited: 3}, b.sim.Usage())
}

// The client is what the jobs ask of a ledger.
var _ interface {
	Reference(ctx context.Context) (provider.Reference, error)
	Recheck(ctx context.Context, ref provider.Reference, reason string) (provider.Reference, error)
	BatchSize() int
	EnsureContacts(ctx context.Context, set []provider.Item[policy.Buyer]) []provider.Outcome[string]
	Document(inv canon.Invoice, pol policy.Policy, ref provider.Reference, contactID, runURL string) (provider.Document, error)
	EnsureInvoices(ctx context.Context, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted]
} = (*Client)(nil)

func TestRedirect_not_followed(t *testing.T) {
	t.Parallel()
	calls := 0
	client := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		http.Redirect(w, r, "http://elsewhere.test/steal", http.StatusTemporaryRedirect)
	}))
	_, err := client.Reference(t.Context())
	require.Error(t, err)
	require.Equal(t, 1, calls)
}

package freeagent

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

const (
	testBase  = "http://ledger.test"
	testToken = "1cK2-secret_token="
)

type bundle struct {
	sim    *freeagentsim.Server
	client *Client
	pol    policy.Policy
	ref    provider.Reference
}

// setup is a ledger over real HTTP under a name that golden files can hold, and
// a client of it.
func setup(t *testing.T, cfg freeagentsim.Config, change ...func(*Config)) *bundle {
	t.Helper()
	cfg.Tokens = []string{testToken}
	if cfg.Now == nil {
		cfg.Now = testNow
	}
	sim := freeagentsim.New(cfg)
	client := clientOf(t, sim, change...)
	ref, err := client.Reference(t.Context())
	require.NoError(t, err)
	return &bundle{sim: sim, client: client, pol: testPolicy(), ref: ref}
}

func clientOf(t *testing.T, h http.Handler, change ...func(*Config)) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, srv.Listener.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	cfg := Config{
		BaseURL: testBase,
		Token:   func(context.Context) (string, error) { return testToken, nil },
		HTTP:    &http.Client{Transport: transport},
		Now:     testNow,
	}
	for _, c := range change {
		c(&cfg)
	}
	client, err := New(cfg)
	require.NoError(t, err)
	return client
}

func testNow() time.Time { return time.Date(2026, 4, 29, 12, 0, 0, 0, time.UTC) }

func testPolicy() policy.Policy {
	pol := policy.Default()
	category := testBase + "/v2/categories/001"
	pol.V2IncomeCategoryURL = &category
	pol.TaxRateMap = map[string]string{"20.00": "OUTPUT2", "5.00": "RROUTPUT", "0.00": "ZERORATEDOUTPUT"}
	return pol
}

// ensureInvoice is a set of one.
func ensureInvoice(ctx context.Context, c *Client, doc provider.Document, try provider.Try) (provider.Posted, error) {
	all := c.EnsureInvoices(ctx, []provider.Item[provider.Document]{{Value: doc, Try: try}})
	return all[0].Value, all[0].Err
}

// ensureContact is a set of one.
func ensureContact(ctx context.Context, c *Client, buyer policy.Buyer, try provider.Try) (string, error) {
	all := c.EnsureContacts(ctx, []provider.Item[policy.Buyer]{{Value: buyer, Try: try}})
	return all[0].Value, all[0].Err
}

// contact makes sure of the buyer's contact.
func (b *bundle) contact(t *testing.T, inv canon.Invoice) string {
	t.Helper()
	id, err := ensureContact(t.Context(), b.client, policy.BuyerOf(inv, b.pol), provider.Try{})
	require.NoError(t, err)
	return id
}

func (b *bundle) document(t *testing.T, inv canon.Invoice) provider.Document {
	t.Helper()
	doc, err := b.client.Document(inv, b.pol, b.ref, b.contact(t, inv), "https://towpath.test/runs/1")
	require.NoError(t, err)
	return doc
}

func sample(t *testing.T, name string) canon.Invoice {
	t.Helper()
	return canontest.Named(t, name).Invoice
}

func failureIn(t *testing.T, err error) *provider.Failure {
	t.Helper()
	var f *provider.Failure
	require.ErrorAs(t, err, &f)
	require.NotContains(t, err.Error(), testToken)
	return f
}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func requireEqual(t require.TestingT, want, got decimal.Decimal, msg ...any) {
	require.Truef(t, want.Equal(got), "want %s, got %s %v", want, got, msg)
}

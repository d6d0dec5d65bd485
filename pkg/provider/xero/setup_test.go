package xero_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
	"towpath/pkg/provider/xero/xerosim"
)

const (
	testToken = "token-that-must-not-show"
	testOrg   = "5eed5eed-0000-4000-8000-000000000001"
	runURL    = "https://towpath.example.com/dashboard/runs/0195d2ea-0000-7000-8000-000000000042"
)

// bundle is a client and the simulated Xero that it speaks to over real HTTP.
type bundle struct {
	sim    *xerosim.Sim
	url    string
	client *xero.Client
	clock  *clock
	seen   *recorder
	ctx    context.Context
}

func setup(t *testing.T, change ...func(*xerosim.Config)) bundle {
	t.Helper()
	b := bundle{clock: &clock{now: time.Date(2026, 4, 29, 10, 11, 12, 0, time.UTC)}, seen: &recorder{}, ctx: t.Context()}
	cfg := xerosim.Config{Now: b.clock.Now, Tokens: []string{testToken}, OrgID: testOrg}
	for _, c := range change {
		c(&cfg)
	}
	b.sim = xerosim.New(cfg)
	server := httptest.NewServer(b.sim)
	t.Cleanup(server.Close)
	b.url = server.URL
	b.client = newClient(t, server.URL, b.clock, b.seen)
	return b
}

// newClient opens a connection for each call: a call that fails is then never
// repeated by the transport on another connection.
func newClient(t *testing.T, url string, clock *clock, seen *recorder) *xero.Client {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := xero.New(xero.Config{
		BaseURL: url, OrgID: testOrg, Now: clock.Now, Observe: seen.observe,
		Token: func(context.Context) (string, error) { return testToken, nil },
		HTTP:  &http.Client{Transport: transport, Timeout: 10 * time.Second},
	})
	require.NoError(t, err)
	return client
}

// reference is what the simulated organisation says of itself.
func (b bundle) reference(t *testing.T) provider.Reference {
	t.Helper()
	ref, err := b.client.Reference(b.ctx)
	require.NoError(t, err)
	return ref
}

// document builds inv's document for an existing contact of its buyer.
func (b bundle) document(t *testing.T, inv canon.Invoice, pol policy.Policy) provider.Document {
	t.Helper()
	contactID, err := b.client.EnsureContact(b.ctx, policy.BuyerOf(inv, pol), provider.Try{Key: "contact-" + inv.IncrementID})
	require.NoError(t, err)
	doc, err := b.client.Document(inv, pol, b.reference(t), contactID, runURL)
	require.NoError(t, err)
	return doc
}

// samplePolicy maps what the seventeen samples need.
func samplePolicy() policy.Policy {
	pol := policy.Default()
	pol.RevenueAccountCode = "200"
	pol.ShippingAccountCode = "425"
	pol.TaxRateMap = map[string]string{"20.00": "OUTPUT2", "5.00": "RROUTPUT", "0.00": "ZERORATEDOUTPUT"}
	return pol
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// recorder notes what Observe is told.
type recorder struct{ last string }

func (r *recorder) observe(operation, code string, _ time.Duration) { r.last = operation + " " + code }

// direct is a transport without sockets, for tests of arithmetic in great
// number.
type direct struct{ sim *xerosim.Sim }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.sim.ServeHTTP(w, r)
	answer := w.Result()
	answer.Body = io.NopCloser(w.Body)
	return answer, nil
}

func directClient(t require.TestingT, sim *xerosim.Sim) *xero.Client {
	client, err := xero.New(xero.Config{
		BaseURL: "http://xero.invalid", OrgID: testOrg, HTTP: &http.Client{Transport: direct{sim}},
		Token: func(context.Context) (string, error) { return testToken, nil },
	})
	require.NoError(t, err)
	return client
}

func failure(t require.TestingT, err error) *provider.Failure {
	require.Error(t, err)
	var f *provider.Failure
	require.ErrorAs(t, err, &f)
	return f
}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func ptr[T any](v T) *T { return &v }

// rapidContext is for checks that have no *testing.T.
func rapidContext() context.Context { return context.Background() }

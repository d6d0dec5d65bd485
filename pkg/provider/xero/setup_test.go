package xero_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/loopback"
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
	wire   *wire
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
	b.wire = &wire{next: b.sim}
	server := httptest.NewServer(b.wire)
	t.Cleanup(server.Close)
	b.url = server.URL
	b.client = newClient(t, server.URL, b.clock, b.seen)
	return b
}

// newClient opens a connection for each call: a call that fails is then never
// repeated by the transport on another connection.
func newClient(t require.TestingT, url string, clock *clock, seen *recorder, change ...func(*xero.Config)) *xero.Client {
	transport := &http.Transport{DisableKeepAlives: true}
	cfg := xero.Config{
		BaseURL: url, OrgID: testOrg, Now: clock.Now, Observe: seen.observe,
		Token: func(context.Context) (string, error) { return testToken, nil },
		HTTP:  &http.Client{Transport: transport, Timeout: 10 * time.Second},
	}
	for _, c := range change {
		c(&cfg)
	}
	client, err := xero.New(cfg)
	require.NoError(t, err)
	return client
}

// sent is a call as it came in.
type sent struct {
	operation string // "PUT /Invoices"
	query     url.Values
	uri       string
	key       string
	body      []byte
}

// wire notes every call on its way to the simulated Xero, and may change what it
// answers.
type wire struct {
	next http.Handler

	mu    sync.Mutex
	calls []sent
	alter func(operation string, answer []byte) []byte
}

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a body cut off is the simulated Xero's to judge
	r.Body = io.NopCloser(bytes.NewReader(body))
	operation := r.Method + " /" + strings.Split(strings.TrimPrefix(r.URL.Path, "/api.xro/2.0/"), "/")[0]
	w.mu.Lock()
	w.calls = append(w.calls, sent{operation, r.URL.Query(), r.URL.RequestURI(), r.Header.Get("Idempotency-Key"), body})
	alter := w.alter
	w.mu.Unlock()
	if alter == nil {
		w.next.ServeHTTP(rw, r)
		return
	}
	answer := httptest.NewRecorder()
	w.next.ServeHTTP(answer, r)
	for name, values := range answer.Header() {
		rw.Header()[name] = values
	}
	rw.WriteHeader(answer.Code)
	_, _ = rw.Write(alter(operation, answer.Body.Bytes()))
}

func (w *wire) answerWith(alter func(operation string, answer []byte) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alter = alter
}

// of are the calls of one operation since the last forget.
func (w *wire) of(operation string) []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []sent
	for _, c := range w.calls {
		if c.operation == operation {
			found = append(found, c)
		}
	}
	return found
}

// sequence are the operations since the last forget, in order.
func (w *wire) sequence() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, c := range w.calls {
		all = append(all, c.operation)
	}
	return all
}

func (w *wire) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = nil
}

// ensureInvoice and ensureContact are sets of one.
func ensureInvoice(ctx context.Context, client *xero.Client, doc provider.Document, try provider.Try) (provider.Posted, error) {
	outcomes := client.EnsureInvoices(ctx, []provider.Item[provider.Document]{{Value: doc, Try: try}})
	return outcomes[0].Value, outcomes[0].Err
}

func ensureContact(ctx context.Context, client *xero.Client, buyer policy.Buyer, try provider.Try) (string, error) {
	outcomes := client.EnsureContacts(ctx, []provider.Item[policy.Buyer]{{Value: buyer, Try: try}})
	return outcomes[0].Value, outcomes[0].Err
}

// reference is what the simulated organisation says of itself.
func (b bundle) reference(t *testing.T) provider.Reference {
	t.Helper()
	ref, err := b.client.Reference(b.ctx)
	require.NoError(t, err)
	return ref
}

// put writes body as another app would.
func (b bundle) put(t *testing.T, body string) {
	t.Helper()
	b.write(t, http.MethodPut, "/Invoices?summarizeErrors=false", body)
}

// write writes anything as another app would.
func (b bundle) write(t *testing.T, method, path, body string) {
	t.Helper()
	req, err := http.NewRequest(method, b.url+"/api.xro/2.0"+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+testToken)
	req.Header.Set("xero-tenant-id", testOrg)
	answer, err := loopback.Client.Do(req)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
}

// document builds inv's document for an existing contact of its buyer.
func (b bundle) document(t *testing.T, inv canon.Invoice, pol policy.Policy) provider.Document {
	t.Helper()
	contactID, err := ensureContact(b.ctx, b.client, policy.BuyerOf(inv, pol), provider.Try{Key: "contact-" + inv.IncrementID})
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
type recorder struct {
	mu   sync.Mutex
	last string
}

func (r *recorder) observe(operation, code string, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = operation + " " + code
}

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

package magento

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"towpath/pkg/foreign"
	"towpath/pkg/outbound"
	"towpath/pkg/shopjwt"
)

// The longest answers read: an invoice of two hundred lines has 53 KB, an error
// some hundred bytes.
const (
	maxAnswer  = 8 << 20
	maxProblem = 1 << 20
)

// The operations, as Observe names them.
const (
	OpPing           = "ping"
	OpInvoice        = "invoice"
	OpPayment        = "payment"
	OpCreditMemo     = "creditmemo"
	OpCustomer       = "customer"
	OpProduct        = "product"
	OpPaymentMethods = "payment_methods"
	OpSyncState      = "sync_state"
	OpPair           = "pair"
)

// Operations lists all names that Observe is called with.
func Operations() []string {
	return []string{OpPing, OpInvoice, OpPayment, OpCreditMemo, OpCustomer, OpProduct, OpPaymentMethods, OpSyncState, OpPair}
}

// Config says which shop and how to call it.
type Config struct {
	BaseURL  string // the shop's, without /rest
	TenantID string
	APIKey   string           `json:"-"`
	HTTP     *http.Client     // built by package outbound; required
	Now      func() time.Time // default time.Now
	// Observe is called after each request; code is the HTTP status, or
	// "timeout" or "error" where there was no answer. Default: nothing.
	Observe func(operation, code string, elapsed time.Duration)
}

// String leaves the key out.
func (c Config) String() string { return "magento.Config(" + c.BaseURL + ", " + c.TenantID + ")" }

// GoString is String: %#v would print the key.
func (c Config) GoString() string { return c.String() }

func (c Config) validate() error {
	switch {
	case c.TenantID == "" || c.APIKey == "":
		return errors.New("shop client: tenant id or api key is empty")
	case c.HTTP == nil:
		return errors.New("shop client: http client is missing")
	}
	if err := outbound.CheckURL(c.BaseURL, true); err != nil { // the HTTP client judges the address
		return fmt.Errorf("shop client: %w", err)
	}
	return nil
}

// Client calls one shop. It is safe for concurrent use.
type Client struct{ cfg Config }

// New checks the settings and makes a client; it calls nothing.
func New(cfg Config) (*Client, error) {
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, string, time.Duration) {}
	}
	return &Client{cfg: cfg}, nil
}

// String leaves the key out.
func (c *Client) String() string { return "magento.Client(" + c.cfg.BaseURL + ")" }

// GoString is String: %#v would print the key.
func (c *Client) GoString() string { return c.String() }

// request is one call to the shop.
type request struct {
	operation string
	method    string
	path      string  // below /rest/V1/byte8
	body      any     // nil for none
	anonymous bool    // without a token
	secrets   secrets // in the body, beside the shop's key
}

// answer is what came back, whatever its status. cut is the error with which
// the body ended early.
type answer struct {
	status   int
	plain    bool // it came over http
	header   http.Header
	location string
	body     []byte
	cut      error
	secrets  secrets // of the request, which the answer may echo
}

// call makes the request, with a new token, and returns the answer of the
// shop's module. The error is always a *provider.Failure.
//
// A 401 is believed only the second time: a kept connection or a load balancer
// may have sent our request twice, and the shop refuses the second use of a
// token. If it says so of two fresh tokens, the keys have drifted.
func (c *Client) call(ctx context.Context, r request) (answer, error) {
	a, err := c.send(ctx, r)
	if err == nil && a.status == http.StatusUnauthorized && !r.anonymous {
		a, err = c.send(ctx, r)
	}
	if err != nil {
		return answer{}, unreachable(err)
	}
	if f := judge(a, c.cfg.Now()); f != nil {
		return a, f
	}
	return a, nil
}

// send makes one attempt. An error means that there was no answer, or that its
// body broke off before its status was known.
func (c *Client) send(ctx context.Context, r request) (answer, error) {
	req, err := c.newRequest(ctx, r)
	if err != nil {
		return answer{}, err
	}
	known := c.secretsOf(req, r)
	start := time.Now()
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		c.cfg.Observe(r.operation, errorCode(err), time.Since(start))
		return answer{}, known.redactError(outbound.Redact(err))
	}
	a := answer{status: resp.StatusCode, header: resp.Header, secrets: known, plain: req.URL.Scheme == "http"}
	if u, err := resp.Location(); err == nil {
		a.location = known.excerpt(u.Scheme+"://"+u.Host, maxFirstWords)
	}
	body, cut := outbound.ReadBody(resp, longest(r.operation, a.status))
	a.body, a.cut = known.redactBody(foreign.TrimBOM(body)), known.redactError(cut)
	c.cfg.Observe(r.operation, strconv.Itoa(a.status), time.Since(start))
	return a, nil
}

// longest is how much is read of an answer: only a document may be long.
func longest(operation string, status int) int64 {
	switch operation {
	case OpPing, OpPaymentMethods, OpSyncState, OpPair:
		return maxProblem
	}
	if status >= 300 {
		return maxProblem
	}
	return maxAnswer
}

func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		raw, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", r.operation, err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.cfg.BaseURL+"/rest/V1/byte8"+r.path, body)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", r.operation, outbound.Redact(err))
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.anonymous {
		return req, nil
	}
	token, err := shopjwt.Mint(c.cfg.APIKey, c.cfg.TenantID, c.cfg.Now())
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", r.operation, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return req, nil
}

func errorCode(err error) string {
	if outbound.IsTimeout(err) {
		return "timeout"
	}
	return "error"
}

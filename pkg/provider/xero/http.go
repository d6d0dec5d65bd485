package xero

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"towpath/pkg/provider"
)

// maxAnswer is far above a page of invoices with two hundred lines each.
const maxAnswer = 16 << 20

// request is one call. Only PUT writes.
type request struct {
	operation string
	method    string
	path      string // begins with a slash, already escaped
	query     url.Values
	body      []byte
	key       string // Idempotency-Key, for writes
}

func (r request) writes() bool { return r.method != http.MethodGet }

// do makes one call and returns the body of a 200. Any other end is a
// *provider.Failure:
//   - it failed before the request had left: Temporary, nothing took effect;
//   - it failed after that (reset, timeout, half an answer): a read is
//     Temporary, a write is Unknown, since Xero may have saved it;
//   - Xero answered: what classify says.
func (c *Client) do(ctx context.Context, r request) ([]byte, error) {
	token, err := c.token(ctx)
	if err != nil {
		return nil, tokenFailure(err)
	}
	var left atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }}
	req, err := c.newRequest(httptrace.WithClientTrace(ctx, trace), r, token)
	if err != nil {
		return nil, &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "make request to Xero", Err: err}
	}
	start := time.Now()
	answer, err := c.http.Do(req)
	if err != nil {
		c.observe(r.operation, transportCode(err), time.Since(start))
		return nil, transportFailure(r, left.Load(), err)
	}
	defer answer.Body.Close()
	body, err := readBody(answer.Body)
	if err != nil && answer.StatusCode == http.StatusOK {
		c.observe(r.operation, transportCode(err), time.Since(start))
		return nil, transportFailure(r, true, err)
	}
	c.observe(r.operation, strconv.Itoa(answer.StatusCode), time.Since(start))
	if answer.StatusCode == http.StatusOK {
		return body, nil
	}
	return nil, classify(reply{
		write: r.writes(), operation: r.operation, status: answer.StatusCode, header: answer.Header,
		body: strings.ReplaceAll(string(body), token, "[token]"),
	})
}

func (c *Client) newRequest(ctx context.Context, r request, token string) (*http.Request, error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, withoutURL(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json") // the default is XML
	if c.orgID != "" {
		req.Header.Set("xero-tenant-id", c.orgID)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	return req, nil
}

func readBody(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = errors.New("answer is larger than 16 MiB")
	}
	return body, err
}

// decode reads a 200's body. What cannot be read (an HTML page of a proxy, half
// an object) says nothing about the outcome: Unknown for a write.
func decode(r request, body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		f := uncertain(r.writes(), "Xero's answer could not be read; it will be looked up again")
		f.Detail = clip(string(body), 200)
		f.Err = err
		return f
	}
	return nil
}

func transportFailure(r request, left bool, err error) *provider.Failure {
	message := "Xero could not be reached; the call is repeated"
	if r.writes() && left {
		message = "Xero's answer was lost; it will be looked up before anything is written again"
	}
	f := uncertain(r.writes() && left, message)
	f.Err = withoutURL(err)
	return f
}

// uncertain is the failure of a call whose end is not known.
func uncertain(write bool, message string) *provider.Failure {
	kind := provider.Temporary
	if write {
		kind = provider.Unknown
	}
	return &provider.Failure{Kind: kind, Code: provider.CodeProvider, Message: message}
}

// tokenFailure keeps a failure of the token's source as it is; one without a
// kind (its database is away) says nothing about the consent.
func tokenFailure(err error) error {
	var f *provider.Failure
	if errors.As(err, &f) {
		return err
	}
	return &provider.Failure{Kind: provider.Temporary, Code: provider.CodeAuth, Message: "no token for Xero at the moment", Err: err}
}

// withoutURL drops the address from a transport's error: its query may hold
// personal data.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func transportCode(err error) string {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	return "error"
}

package xero

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"towpath/pkg/foreign"
	"towpath/pkg/provider"
)

// The longest answers read: a page of invoices with two hundred lines each is far
// below the first, and a refusal echoes one document.
const (
	maxAnswer  = 16 << 20
	maxRefusal = 2 << 20
)

// request is one call. Only PUT writes.
type request struct {
	operation string
	method    string
	path      string // begins with a slash, already escaped
	query     url.Values
	body      []byte
	key       string // Idempotency-Key, for writes
}

// target is where it goes below the API's address.
func (r request) target() string {
	if len(r.query) == 0 {
		return r.path
	}
	return r.path + "?" + r.query.Encode()
}

func (r request) writes() bool { return r.method != http.MethodGet }

// do makes one call and returns the body of a 200. Any other end is a
// *provider.Failure: send's, or what classify says of Xero's answer. Only a
// permit's error is passed on as it is.
func (c *Client) do(ctx context.Context, r request) ([]byte, error) {
	answer, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	if answer.status != http.StatusOK {
		return nil, classify(answer)
	}
	return []byte(answer.body), nil
}

// send makes one call and returns Xero's answer, whatever its status. Without
// one:
//   - there is no token, or no permit: nothing was sent;
//   - it failed before the request had left: nothing took effect;
//   - it failed after that (reset, timeout, half a 200): Xero may have saved a write.
//
// A granted permit is returned exactly once, with what the answer said of the
// calls that are left.
func (c *Client) send(ctx context.Context, r request) (reply, error) {
	token, err := c.token(ctx)
	if err != nil {
		return reply{}, tokenFailure(err)
	}
	var left atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }}
	req, err := c.newRequest(httptrace.WithClientTrace(ctx, trace), r, token)
	if err != nil {
		return reply{}, &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "make request to Xero", Err: err}
	}
	done, err := c.permit(ctx)
	if err != nil {
		return reply{}, err
	}
	var answer reply
	defer func() { done(quotaOf(answer.header)) }()
	began := time.Now()
	answer, err = c.exchange(r, req, &left)
	answer.body = scrubbed(answer.body, token)
	answer.noted = provider.NoteCall(ctx, noted(r, answer, began, err))
	return answer, err
}

// exchange sends req. Of an answer that broke off it returns the header beside
// the failure.
func (c *Client) exchange(r request, req *http.Request, left *atomic.Bool) (reply, error) {
	start := time.Now()
	answer, err := c.http.Do(req)
	if err != nil {
		c.observe(r.operation, transportCode(err), time.Since(start))
		return reply{}, transportFailure(r, left.Load(), err)
	}
	defer answer.Body.Close()
	most := maxAnswer
	if answer.StatusCode != http.StatusOK {
		most = maxRefusal
	}
	body, err := readBody(answer.Body, most)
	if err != nil && answer.StatusCode == http.StatusOK {
		c.observe(r.operation, transportCode(err), time.Since(start))
		return reply{header: answer.Header}, transportFailure(r, true, err)
	}
	c.observe(r.operation, strconv.Itoa(answer.StatusCode), time.Since(start))
	return reply{write: r.writes(), operation: r.operation, status: answer.StatusCode, header: answer.Header, body: string(body)}, nil
}

// quotaOf reads how many calls Xero says are left; every answer of an
// organisation says so, also a 429.
func quotaOf(h http.Header) provider.Quota {
	return provider.Quota{Minute: whole(h.Get("X-MinLimit-Remaining")), Day: whole(h.Get("X-DayLimit-Remaining"))}
}

// whole is the number that s is; nil where it is none.
func whole(s string) *int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return nil
	}
	return &n
}

// scrubbed is what the other side said without the token, should it echo it.
func scrubbed(body, token string) string {
	if token == "" {
		return body
	}
	return strings.ReplaceAll(body, token, "[token]")
}

func (c *Client) newRequest(ctx context.Context, r request, token string) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.target(), body)
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

// readBody reads at most most bytes, and leaves out what a terminal would obey or
// nobody would see.
func readBody(r io.Reader, most int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if len(body) > most {
		body = body[:most]
		if err == nil {
			err = fmt.Errorf("answer is larger than %d MiB", most>>20)
		}
	}
	return foreign.JSON(foreign.TrimBOM(body)), err
}

// decode reads a 200's body.
func decode(r request, body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return unreadable(r, body, err)
	}
	return nil
}

// listIn reads a list of a 200's body by its name. A read that is answered without it
// proves nothing: what it asks for may be there.
func listIn[T any](r request, body []byte, name string) ([]T, error) {
	var lists map[string]json.RawMessage
	if err := decode(r, body, &lists); err != nil {
		return nil, err
	}
	var all list[T]
	if raw, there := lists[name]; there {
		if err := json.Unmarshal(raw, &all); err != nil {
			return nil, unreadable(r, body, err)
		}
	}
	if all == nil && !r.writes() {
		return nil, unreadable(r, body, fmt.Errorf("it has no list of %s", name))
	}
	return all, nil
}

// unreadable is what a 200 means that cannot be read (an HTML page of a proxy,
// half an object): it need not be Xero's, and a write may have taken effect.
func unreadable(r request, body []byte, err error) *provider.Failure {
	f := lost(r.writes(), "Xero's answer could not be read; it will be looked up again")
	f.KeySpent = r.writes() // if it is Xero's, it is remembered
	f.Detail = clip(string(body), 200)
	f.Err = foreign.Error(err, foreign.Kept)
	return f
}

func transportFailure(r request, left bool, err error) *provider.Failure {
	message := "Xero could not be reached"
	if r.writes() && left {
		message = "Xero's answer was lost; it will be looked up before anything is written again"
	}
	f := lost(r.writes() && left, message)
	f.Err = foreign.Error(withoutURL(err), foreign.Kept)
	if transportCode(err) == "timeout" {
		f.NoAnswer = provider.HeldLedgerNoAnswer
	}
	return f
}

// lost is the failure of a call that Xero has not answered, of a write that may have
// left.
func lost(write bool, message string) *provider.Failure {
	f := &provider.Failure{Kind: provider.Temporary, Code: provider.CodeProvider, Message: message}
	if write {
		f.Wrote = provider.WroteMaybe
	}
	return f
}

// unsaid is the failure of a write that Xero answered without saying what became of it.
func unsaid(message string) *provider.Failure {
	f := lost(true, message)
	f.KeySpent = true
	return f
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

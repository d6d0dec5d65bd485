package freeagent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"

	"towpath/pkg/foreign"
	"towpath/pkg/provider"
)

// The operations, a closed list: they are a metric's label.
const (
	opInvoiceCreate = "invoice_create"
	opInvoiceList   = "invoice_list"
	opInvoiceSend   = "invoice_send"
	opInvoiceRead   = "invoice_read"
	opCreditCreate  = "credit_note_create"
	opCreditList    = "credit_note_list"
	opCreditSend    = "credit_note_send"
	opCreditRead    = "credit_note_read"
	opPaymentCreate = "payment_create"
	opPaymentList   = "payment_list"
	opAllocCreate   = "allocation_create"
	opAllocList     = "allocation_list"
	opContactUpdate = "contact_update"
	opContactCreate = "contact_create"
	opContactList   = "contact_list"
	opCompany       = "company"
	opCategories    = "categories"
	opBankAccounts  = "bank_accounts"
)

// What is read of an answer at most: a page of a hundred contacts has about 100 kB,
// a refusal some hundred bytes.
const (
	maxAnswer  = 8 << 20
	maxRefusal = 256 << 10
)

// call is one request. Everything but a GET writes.
type call struct {
	operation string
	method    string
	path      string // below {base}/v2, with a leading slash
	query     url.Values
	body      []byte
}

// target is where it goes below the root.
func (k call) target() string {
	if len(k.query) == 0 {
		return k.path
	}
	return k.path + "?" + k.query.Encode()
}

func (k call) writes() bool { return k.method != http.MethodGet }

// answer is what came back, whole. body is cut off at no point: an answer that
// broke off is a failure.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// do makes one call and returns the answer of any status. An error is a
// *provider.Failure; a write may have taken effect unless the request cannot have
// reached the server (no connection was got). What the permit answers comes back as it
// is: nothing was sent. A permit that was given is ended once, whatever becomes of the
// call; the wire tells of no quota.
func (c *Client) do(ctx context.Context, k call) (answer, error) {
	token, err := c.cfg.Token(ctx)
	if err != nil {
		return answer{}, tokenFailure(err)
	}
	connected := false
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected = true },
	})
	req, err := c.request(traced, k, token)
	if err != nil {
		return answer{}, err
	}
	done, err := c.cfg.Permit(ctx)
	if err != nil {
		return answer{}, err
	}
	defer done(provider.Quota{})
	begun := c.cfg.Now()
	a, err := c.exchange(req)
	took := c.cfg.Now().Sub(begun)
	if err == nil {
		c.cfg.Observe(k.operation, strconv.Itoa(a.status), took)
		a.body = redact(a.body, token)
		provider.NoteCall(ctx, noted(k, a, begun, took, nil))
		return a, nil
	}
	code := "error"
	if timedOut(err) {
		code = "timeout"
	}
	c.cfg.Observe(k.operation, code, took)
	err = transportFailure(k, connected, err)
	provider.NoteCall(ctx, noted(k, answer{}, begun, took, err))
	return answer{}, err
}

// must is do for calls of which only a 2xx is of use.
func (c *Client) must(ctx context.Context, k call) (answer, error) {
	a, err := c.do(ctx, k)
	if err == nil && !a.ok() {
		return answer{}, c.failureOf(k, a)
	}
	return a, err
}

func (c *Client) request(ctx context.Context, k call, token string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, k.method, c.root+k.target(), bytes.NewReader(k.body))
	if err != nil {
		return nil, fmt.Errorf("make request %s: %w", k.operation, err)
	}
	// No Idempotency-Key: the wire knows none, and net/http would take it for
	// leave to send a POST again by itself.
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

func (c *Client) exchange(req *http.Request) (answer, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	most := maxAnswer
	if !a.ok() {
		most = maxRefusal
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(most)+1))
	if err != nil {
		return answer{}, fmt.Errorf("read answer: %w", err)
	}
	if len(body) > most {
		if a.ok() {
			return answer{}, fmt.Errorf("read answer: more than %d bytes", most)
		}
		body = body[:most] // its status says what became of the call
	}
	// Without what a terminal would obey or nobody would see.
	a.body = foreign.JSON(foreign.TrimBOM(body))
	return a, nil
}

func tokenFailure(err error) error {
	var f *provider.Failure
	if errors.As(err, &f) {
		return err
	}
	return &provider.Failure{Kind: provider.Temporary, Code: provider.CodeAuth, Message: "no access token for the ledger", Err: err}
}

func transportFailure(k call, connected bool, err error) error {
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err // without the URL, whose query may hold a buyer's e-mail
	}
	f := &provider.Failure{Kind: provider.Temporary, Code: provider.CodeHTTP, Message: "the ledger cannot be reached", Err: foreign.Error(err, foreign.Kept)}
	if timedOut(err) {
		f.NoAnswer = provider.HeldLedgerNoAnswer
	}
	if connected {
		f.Message = "the ledger's answer was lost"
		if k.writes() {
			f.Wrote = provider.WroteMaybe
		}
	}
	return f
}

func timedOut(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// redact takes the token out of an answer that echoes it.
func redact(body []byte, token string) []byte {
	if token == "" || !bytes.Contains(body, []byte(token)) {
		return body
	}
	return bytes.ReplaceAll(body, []byte(token), []byte("[redacted]"))
}

// idOf is the last segment of a resource's URL, empty where that is no plain
// identifier. Calls are made to {base}/{kind}/{id}, never to an URL that came
// in an answer: the token goes to the binding's own host only.
func idOf(resource string) string {
	resource = strings.TrimRight(resource, "/")
	id := resource[strings.LastIndexByte(resource, '/')+1:]
	for _, r := range id {
		if !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_') {
			return ""
		}
	}
	return id
}

// sameResource reports whether two URLs name the same contact or invoice. The
// host does not count: the one in an answer may be another name of the one
// called.
func sameResource(a, b string) bool {
	id := idOf(a)
	return id != "" && id == idOf(b)
}

package magentosim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"towpath/pkg/shopjwt"
)

// batch is how many rows one run of the cron sends.
const batch = 50

// Drained counts what one run of the cron did.
type Drained struct {
	Succeeded, Retried, Dead int
}

// SendFault is a webhook going wrong on the shop's side.
type SendFault int

// The ways to go wrong.
const (
	LoseAnswer SendFault = iota + 1 // the request arrives, its answer never does
	SendTwice                       // the very same request, token and key, arrives twice
)

// InjectSend queues faults for the next webhooks, one each.
func (s *Shop) InjectSend(faults ...SendFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending = append(s.sending, faults...)
}

// Drain is one run of the shop's cron: up to 50 due rows, one after another in
// the order they were written, each on a fresh connection. While not paired it
// does nothing. If ctx ends, the row in flight stays as it was, though it may
// have arrived: so dies a cron process.
func (s *Shop) Drain(ctx context.Context) (Drained, error) {
	s.cron.Lock()
	defer s.cron.Unlock()
	s.mu.Lock()
	link, rows := s.link, s.due(batch)
	s.mu.Unlock()
	var done Drained
	if link.tenantID == "" {
		return done, nil
	}
	for _, row := range rows {
		status, body, err := s.send(ctx, link, row)
		if ctx.Err() != nil {
			return done, ctx.Err()
		}
		s.settle(row.ID, status, body, err, &done)
	}
	return done, nil
}

// Run drains every interval until ctx ends. Magento's interval is a minute.
func (s *Shop) Run(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_, _ = s.Drain(ctx) // its only error is that of ctx
		case <-ctx.Done():
			return
		}
	}
}

// send posts one row, as often and as far as a fault says.
func (s *Shop) send(ctx context.Context, link connection, row Row) (int, []byte, error) {
	s.mu.Lock()
	fault := SendFault(0)
	if len(s.sending) > 0 {
		fault, s.sending = s.sending[0], s.sending[1:]
	}
	now := s.now()
	s.mu.Unlock()
	token, err := shopjwt.MintShop(link.apiKey, link.tenantID, now)
	if err != nil {
		return 0, nil, err
	}
	if fault == SendTwice {
		if _, _, err := s.post(ctx, link, row, token); err != nil {
			return 0, nil, err
		}
	}
	status, body, err := s.post(ctx, link, row, token)
	if fault == LoseAnswer {
		return 0, nil, errors.New("operation timed out")
	}
	return status, body, err
}

func (s *Shop) post(ctx context.Context, link connection, row Row, token string) (int, []byte, error) {
	s.mu.Lock()
	s.calls[RouteWebhook]++
	s.mu.Unlock()
	path := fmt.Sprintf("/webhooks/magento/%s/%s?provider=%s",
		url.PathEscape(link.tenantID), url.PathEscape(row.Event), url.QueryEscape(s.cfg.Provider))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, link.ledgerURL+path, bytes.NewReader(row.Body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", row.Key)
	return s.do(req)
}

func (s *Shop) do(req *http.Request) (int, []byte, error) {
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRequest))
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, body, nil
}

// settle writes the outcome of one attempt: 2xx is done, 4xx is dead at once,
// everything else is tried again until the tenth failure.
func (s *Shop) settle(rowID int64, status int, body []byte, err error, done *Drained) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.notify()
	row, now := &s.outbox[rowID-1], s.now()
	if err == nil && status >= 200 && status < 300 {
		row.Status, row.DoneAt, row.LastError = RowSucceeded, now, ""
		row.SyncRunID = runID(body)
		done.Succeeded++
		return
	}
	row.Attempts++
	row.LastError = describe(status, body, err)
	if err == nil && status >= 400 && status < 500 || row.Attempts >= maxAttempts {
		row.Status, row.DoneAt = RowDead, now
		done.Dead++
		return
	}
	row.NextAt = now.Add(backoff(row.Attempts))
	done.Retried++
}

func runID(body []byte) string {
	var out struct {
		SyncRunID string `json:"sync_run_id"`
	}
	if json.Unmarshal(body, &out) != nil {
		return ""
	}
	return out.SyncRunID
}

func describe(status int, body []byte, err error) string {
	text := fmt.Sprintf("HTTP %d: %s", status, body)
	if err != nil {
		text = err.Error()
	}
	return strings.ToValidUTF8(text[:min(len(text), maxLastError)], "")
}

// Call makes any other request to the paired service as the module does, with a
// token: GET /v1/status, GET /v1/tile/health, POST /v1/tenant/disconnect. A nil
// body is a GET.
func (s *Shop) Call(ctx context.Context, path, key string, body []byte) (int, []byte, error) {
	s.mu.Lock()
	link, now := s.link, s.now()
	s.mu.Unlock()
	token, err := shopjwt.MintShop(link.apiKey, link.tenantID, now)
	if err != nil {
		return 0, nil, fmt.Errorf("call %s: %w", path, err)
	}
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, link.ledgerURL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("call %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", key)
	}
	return s.do(req)
}

package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"towpath/pkg/outbound"
)

// channel brings a parcel to whom it is for. An error that is errRefusedForGood is not tried
// again.
type channel interface {
	name() string
	send(ctx context.Context, p parcel) error
}

// errRefusedForGood means that nobody wants it there any more.
var errRefusedForGood = errors.New("refused for good")

// sendTimeout bounds an attempt; the first retry comes later than that.
const sendTimeout = 20 * time.Second

// webhook posts as https://www.standardwebhooks.com has it: headers webhook-id,
// webhook-timestamp and webhook-signature, which is v1 and the HMAC-SHA256 of
// "id.timestamp.body" in base64.
type webhook struct {
	url    string
	key    []byte
	client *http.Client
	now    func() time.Time
}

// webhook is the channel, or nil where it is not set.
func (c Config) webhook(now func() time.Time) (channel, error) {
	if c.WebhookURL.IsEmpty() {
		return nil, nil
	}
	if err := c.checkWebhookURL(); err != nil {
		return nil, err
	}
	key, err := c.webhookKey()
	if err != nil {
		return nil, err
	}
	return webhook{url: c.WebhookURL.Reveal(), key: key, client: outbound.New(outbound.Config{AllowPrivate: true, Timeout: sendTimeout}), now: now}, nil
}

func (webhook) name() string { return "webhook" }

func (w webhook) send(ctx context.Context, p parcel) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(p.body))
	if err != nil {
		return fmt.Errorf("make request: %w", outbound.Redact(err))
	}
	at := strconv.FormatInt(w.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("webhook-id", p.id)
	req.Header.Set("webhook-timestamp", at)
	req.Header.Set("webhook-signature", signature(w.key, p.id, at, p.body))
	resp, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("call webhook: %w", outbound.Redact(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // what it says is of no use, the connection is
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return nil
	case resp.StatusCode == http.StatusGone:
		return fmt.Errorf("webhook answers %d: %w", resp.StatusCode, errRefusedForGood)
	}
	return fmt.Errorf("webhook answers %d", resp.StatusCode)
}

// signature is the header webhook-signature.
func signature(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

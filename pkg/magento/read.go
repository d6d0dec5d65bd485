package magento

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"towpath/pkg/foreign"
	"towpath/pkg/provider"
)

// get reads a JSON document. A 2xx with anything else is a page in the shop's
// place or an answer cut short: temporary.
func (c *Client) get(ctx context.Context, operation, path string) (answer, error) {
	a, err := c.call(ctx, request{operation: operation, method: http.MethodGet, path: path})
	if err != nil {
		return a, err
	}
	if !a.isJSON() {
		return a, a.temporary("The shop's answer is not a whole document; it may be in maintenance", a.said(), c.cfg.Now())
	}
	a.body = foreign.JSONLines(a.body)
	return a, nil
}

// PaymentMethod is a way to pay that the shop knows.
type PaymentMethod struct {
	Code     string `json:"code"`
	Label    string `json:"label"`
	IsActive bool   `json:"is_active"`
}

// PaymentMethods lists them. Older modules have no such call: then the list is
// nil, which means unknown, and no error.
func (c *Client) PaymentMethods(ctx context.Context) ([]PaymentMethod, error) {
	a, err := c.get(ctx, OpPaymentMethods, "/payment-methods")
	if err != nil && a.status == http.StatusNotFound && a.isJSON() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	methods := []PaymentMethod{}
	if err := json.Unmarshal(a.body, &methods); err != nil {
		return nil, notUnderstood("list of payment methods", a.secrets.redactError(err))
	}
	for i, m := range methods {
		methods[i].Code, methods[i].Label = foreign.Text(m.Code, maxFirstWords), foreign.Text(m.Label, maxFirstWords)
	}
	return methods, nil
}

// Ping shows that the shop accepts our key, and returns the shop's time to the
// second; the zero time where the answer has none.
func (c *Client) Ping(ctx context.Context) (time.Time, error) {
	a, err := c.get(ctx, OpPing, "/ping")
	if err != nil {
		return time.Time{}, err
	}
	return serverTime(a), nil
}

// serverTime reads {"server_time":…}, or the list into which some Magento
// versions flatten a map, or else the answer's Date.
func serverTime(a answer) time.Time {
	var object struct {
		ServerTime string `json:"server_time"`
	}
	var list []any
	texts := []string{}
	if json.Unmarshal(a.body, &object) == nil {
		texts = append(texts, object.ServerTime)
	} else if json.Unmarshal(a.body, &list) == nil {
		for _, item := range list {
			if text, ok := item.(string); ok {
				texts = append(texts, text)
			}
		}
	}
	for _, text := range append(texts, a.header.Get("Date")) {
		for _, layout := range []string{time.RFC3339, time.DateTime, http.TimeFormat} {
			if t, err := time.Parse(layout, text); err == nil {
				return t.UTC()
			}
		}
	}
	return time.Time{}
}

// notUnderstood names the field and what is wrong with it: it is the shop's people
// who can mend that, and they see the message only.
func notUnderstood(what string, err error) *provider.Failure {
	return &provider.Failure{
		Kind: provider.Bug, Code: provider.CodeInternal,
		Message: "The shop's " + what + provider.NotUnderstood + foreign.Text(err.Error(), maxFirstWords) +
			". It is read again some times; once it is corrected in the shop, retry the run", Err: err,
	}
}

// bug is a call that must not be made.
func bug(text string) *provider.Failure {
	return &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "internal error", Err: errors.New(text)}
}

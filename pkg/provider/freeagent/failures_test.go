package freeagent

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/loopback"
	"towpath/pkg/provider"
)

// The error table, row by row: status and body of an answer to a create, and
// what it means. Every body form that FreeAgent or a proxy was seen to send is
// in it.
func TestFailures(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, body string
		status     int
		header     http.Header
		kind       provider.Kind
		wrote      provider.Wrote
		code       string
		reason     string
		detail     string
		wait       time.Duration
	}{
		{name: "Refused_with_a_list_of_messages", status: 422, body: `{"errors":[{"message":"Dated on can't be blank"},{"message":"Contact can't be blank"}]}`,
			kind: provider.Refused, wrote: provider.WroteNo, code: "validation", detail: "Dated on can't be blank; Contact can't be blank"},
		{name: "Refused_with_a_list_without_envelope", status: 422, body: `[{"message":"invoice_items.description is locked and cannot be changed"}]`,
			kind: provider.Refused, wrote: provider.WroteNo, code: "validation", detail: "invoice_items.description is locked and cannot be changed"},
		{name: "Refused_with_a_list_of_strings", status: 422, body: `{"errors":["Price is not a number"]}`,
			kind: provider.Refused, wrote: provider.WroteNo, code: "validation", detail: "Price is not a number"},
		{name: "Refused_with_one_string", status: 422, body: `{"errors":"payment_terms_in_days is not a number"}`,
			kind: provider.Refused, wrote: provider.WroteNo, code: "validation", detail: "payment_terms_in_days is not a number"},
		{name: "Refused_field_by_field", status: 422, body: `{"errors":{"dated_on":["can't be blank"],"base":["is odd"]}}`,
			kind: provider.Refused, wrote: provider.WroteNo, code: "validation", detail: "is odd; dated_on can't be blank"},
		{name: "Refused_in_plain_text", status: 422, body: "Validation failed: payment_terms_in_days is not a number",
			kind: provider.Refused, wrote: provider.WroteNo, code: "validation", detail: "Validation failed: payment_terms_in_days is not a number"},
		{name: "Refused_for_an_OAuth_body", status: 400, body: `{"error":"invalid_request","error_description":"no such thing"}`,
			kind: provider.Refused, code: "validation", detail: "invalid_request; no such thing"},
		{name: "Refused_for_a_bad_date", status: 400, body: `{"errors":[{"message":"Invalid date supplied: not-a-date"}]}`,
			kind: provider.Refused, code: "validation", detail: "Invalid date supplied: not-a-date"},
		{name: "Held_for_an_unknown_category", status: 400, body: `{"errors":[{"message":"Invalid nominal code"}]}`,
			kind: provider.Held, wrote: provider.WroteNo, code: "provider", reason: "account_archived", detail: "Invalid nominal code"},
		{name: "Held_for_a_contact_that_is_gone", status: 422, body: `{"errors":[{"message":"Contact not found for this company"}]}`,
			kind: provider.Held, wrote: provider.WroteNo, code: "provider", reason: "contact_archived", detail: "Contact not found for this company"},
		{name: "Held_for_a_category_that_is_gone", status: 422, body: `{"errors":[{"message":"Category not found for this company"}]}`,
			kind: provider.Held, wrote: provider.WroteNo, code: "provider", reason: "account_archived", detail: "Category not found for this company"},
		{name: "Auth_for_a_dead_token", status: 401, body: `{"errors":{"error":{"message":"Access token not recognised"}}}`,
			kind: provider.Auth, code: "auth", detail: "Access token not recognised"},
		{name: "Auth_for_a_dead_token_in_text", status: 401, body: "HTTP Basic: Access denied.\n",
			kind: provider.Auth, code: "auth", detail: "HTTP Basic: Access denied."},
		{name: "Auth_for_a_low_access_level", status: 403, body: `{"errors":{"error":{"message":"You are not allowed to access this action."}}}`,
			kind: provider.Auth, code: "auth", detail: "You are not allowed to access this action."},
		{name: "Held_for_a_locked_period", status: 403, body: `{"errors":{"error":{"message":"Invoice is locked."}}}`,
			kind: provider.Held, wrote: provider.WroteNo, code: "provider", reason: "period_locked", detail: "Invoice is locked."},
		{name: "Refused_for_a_wrong_address", status: 404, body: `{"errors":{"error":{"message":"Resource not found"}}}`,
			kind: provider.Refused, code: "not_found", detail: "Resource not found"},
		{name: "Bug_for_an_unacceptable_format", status: 406, kind: provider.Bug, code: "internal"},
		{name: "Temporary_and_maybe_written_for_a_request_timeout", status: 408, kind: provider.Temporary, wrote: provider.WroteMaybe, code: "http"},
		{name: "Refused_for_a_conflict", status: 409, body: `{"errors":[{"message":"cannot be deleted"}]}`,
			kind: provider.Refused, code: "validation", detail: "cannot be deleted"},
		{name: "Refused_for_too_large_a_body", status: 413, kind: provider.Refused, code: "validation"},
		{name: "Bug_for_an_unsupported_type", status: 415, kind: provider.Bug, code: "internal"},
		{name: "RateLimited_as_long_as_it_says", status: 429, body: "You must not exceed 120 requests per 60 seconds", header: http.Header{"Retry-After": {"17"}},
			kind: provider.RateLimited, code: "rate_limited", detail: "You must not exceed 120 requests per 60 seconds", wait: 17 * time.Second},
		{name: "RateLimited_until_a_date", status: 429, header: http.Header{"Retry-After": {testNow().Add(90 * time.Second).Format(http.TimeFormat)}},
			kind: provider.RateLimited, code: "rate_limited", wait: 90 * time.Second},
		{name: "RateLimited_for_a_minute_where_it_says_nothing", status: 429, kind: provider.RateLimited, code: "rate_limited", wait: time.Minute},
		{name: "Temporary_and_maybe_written_for_a_500", status: 500, body: `{"errors":[{"message":"boom"}]}`, kind: provider.Temporary, wrote: provider.WroteMaybe, code: "provider", detail: "boom"},
		{name: "Bug_for_a_501", status: 501, kind: provider.Bug, code: "provider"},
		{name: "Temporary_and_maybe_written_for_a_proxys_page", status: 502, body: "<html><h1>Bad Gateway</h1></html>", kind: provider.Temporary, wrote: provider.WroteMaybe, code: "provider"},
		{name: "Temporary_and_maybe_written_for_an_unavailable_server", status: 503, header: http.Header{"Retry-After": {"5"}}, kind: provider.Temporary, wrote: provider.WroteMaybe, code: "provider"},
		{name: "Temporary_and_maybe_written_for_a_gateway_timeout", status: 504, kind: provider.Temporary, wrote: provider.WroteMaybe, code: "provider"},
		{name: "Temporary_and_maybe_written_for_any_other_5xx", status: 599, kind: provider.Temporary, wrote: provider.WroteMaybe, code: "provider"},
		{name: "Refused_for_a_redirect", status: 302, header: http.Header{"Location": {"http://elsewhere.test/"}}, kind: provider.Refused, code: "http"},
		{name: "Refused_for_any_other_4xx", status: 418, kind: provider.Refused, code: "validation"},
		{name: "Refused_with_the_token_left_out", status: 422, body: "token " + testToken + " seen", kind: provider.Refused, wrote: provider.WroteNo, code: "validation", detail: "token [redacted] seen"},
		{name: "Refused_with_words_cut_on_a_rune", status: 422, body: strings.Repeat("€", 1000), kind: provider.Refused, wrote: provider.WroteNo, code: "validation", detail: strings.Repeat("€", 665) + "…"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			client := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for key, values := range row.header {
					w.Header()[key] = values
				}
				w.WriteHeader(row.status)
				_, _ = w.Write([]byte(row.body))
			}))
			_, err := ensureInvoice(t.Context(), client, provider.Document{Number: "1", Body: []byte("{}")}, provider.Try{})
			f := failureIn(t, err)
			require.Equal(t, row.kind, f.Kind)
			require.Equal(t, row.code, f.Code)
			require.Equal(t, row.reason, f.Reason)
			require.Equal(t, row.detail, f.Detail)
			require.Equal(t, row.wait, f.RetryAfter)
			require.Equal(t, row.wrote, f.Wrote)
			require.NotEmpty(t, f.Message)
		})
	}
}

// The same answers to a call that only reads leave nothing in doubt.
func TestFailures_as_before_when_only_read(t *testing.T) {
	t.Parallel()
	for _, status := range []int{408, 500, 502, 503, 504} {
		client := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		_, err := client.Reference(t.Context())
		f := failureIn(t, err)
		require.Equal(t, []any{provider.Temporary, provider.WroteAsBefore}, []any{f.Kind, f.Wrote}, status)
	}
}

func TestFailures_Temporary_when_nothing_was_sent(t *testing.T) {
	t.Parallel()
	client, err := New(Config{BaseURL: "http://127.0.0.1:1", Token: goodToken, HTTP: loopback.Client})
	require.NoError(t, err)
	_, err = ensureInvoice(t.Context(), client, provider.Document{Body: []byte("{}")}, provider.Try{})
	require.Equal(t, provider.Temporary, failureIn(t, err).Kind)
}

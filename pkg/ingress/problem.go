package ingress

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"towpath/pkg/foreign"
)

// The codes of the problems: a closed list, stable for machines. Metrics counts
// refusals under them.
const (
	codeMalformedRequest     = "malformed_request"      // 400: headers, query or key
	codeMalformedBody        = "malformed_body"         // 400
	codeUnknownEvent         = "unknown_event"          // 400
	codeUnknownProvider      = "unknown_provider"       // 400: none that can ever be bound here
	codeTokenRefused         = "token_refused"          // 401: every fault of a token, and an unknown tenant
	codeNotFound             = "not_found"              // 404
	codeMethodNotAllowed     = "method_not_allowed"     // 405
	codeKeyReused            = "key_reused"             // 409
	codeBodyTooLarge         = "body_too_large"         // 413
	codeUnsupportedMediaType = "unsupported_media_type" // 415
	codeNoActiveBinding      = "no_active_binding"      // 503 from here on: sent again by the shop
	codeAmbiguousBinding     = "ambiguous_binding"      // several providers and none named
	codeClockSkew            = "clock_skew"
	codeKeyReplaced          = "key_replaced" // the key was good before the last pairing
	codeBodyIncomplete       = "body_incomplete"
	codeDatabaseUnavailable  = "database_unavailable"
	codeOverloaded           = "overloaded"
	codeShuttingDown         = "shutting_down"
	codeInternalError        = "internal_error"
	codeWrongPath            = "wrong_path" // looks like the shop's, under an address that is not served
)

// codes lists them all.
func codes() []string {
	return []string{codeMalformedRequest, codeMalformedBody, codeUnknownEvent, codeUnknownProvider, codeNoActiveBinding, codeAmbiguousBinding,
		codeTokenRefused, codeNotFound, codeMethodNotAllowed, codeKeyReused, codeBodyTooLarge, codeUnsupportedMediaType,
		codeClockSkew, codeKeyReplaced, codeBodyIncomplete, codeDatabaseUnavailable, codeOverloaded, codeShuttingDown, codeInternalError, codeWrongPath}
}

// statusOf is the HTTP status and the title of a code.
func statusOf(code string) (status int, title string) {
	switch code {
	case codeMalformedRequest:
		return http.StatusBadRequest, "Malformed request"
	case codeMalformedBody:
		return http.StatusBadRequest, "Malformed body"
	case codeUnknownEvent:
		return http.StatusBadRequest, "Unknown event"
	case codeUnknownProvider:
		return http.StatusBadRequest, "Unknown provider"
	case codeNoActiveBinding:
		return http.StatusServiceUnavailable, "No active binding"
	case codeAmbiguousBinding:
		return http.StatusServiceUnavailable, "Several active bindings"
	case codeTokenRefused:
		return http.StatusUnauthorized, "Token refused"
	case codeNotFound:
		return http.StatusNotFound, "Not found"
	case codeMethodNotAllowed:
		return http.StatusMethodNotAllowed, "Method not allowed"
	case codeKeyReused:
		return http.StatusConflict, "Idempotency key reused"
	case codeBodyTooLarge:
		return http.StatusRequestEntityTooLarge, "Body too large"
	case codeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType, "Unsupported media type"
	case codeClockSkew:
		return http.StatusServiceUnavailable, "Clock skew"
	case codeKeyReplaced:
		return http.StatusServiceUnavailable, "Key replaced"
	case codeBodyIncomplete:
		return http.StatusServiceUnavailable, "Body incomplete"
	case codeDatabaseUnavailable:
		return http.StatusServiceUnavailable, "Database unavailable"
	case codeOverloaded:
		return http.StatusServiceUnavailable, "Overloaded"
	case codeShuttingDown:
		return http.StatusServiceUnavailable, "Shutting down"
	case codeWrongPath:
		return http.StatusServiceUnavailable, "Wrong path"
	}
	return http.StatusServiceUnavailable, "Internal error"
}

// refusal is the error of a handler that says what to answer. detail is for
// the merchant, who reads it in the shop; cause for the operator's log.
type refusal struct {
	code   string
	detail string
	cause  error
}

func refuse(code, format string, args ...any) *refusal {
	return &refusal{code: code, detail: fmt.Sprintf(format, args...)}
}

func (p *refusal) because(cause error) *refusal {
	p.cause = cause
	return p
}

func (p *refusal) Error() string { return p.code + ": " + p.detail }

func (p *refusal) Unwrap() error { return p.cause }

// asRefusal takes an error that says nothing of its answer for a fault of ours.
func asRefusal(err error) *refusal {
	if p, ok := errors.AsType[*refusal](err); ok {
		return p
	}
	return refuse(codeInternalError, "something went wrong here; send it again later").because(err)
}

// problem is the body of a refusal, RFC 9457.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

// writeProblem is the one place that answers a refusal.
func writeProblem(w http.ResponseWriter, p *refusal, retryAfter time.Duration) {
	status, title := statusOf(p.code)
	switch status {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(retryAfter.Seconds()))))
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if p.code == codeShuttingDown || p.code == codeBodyIncomplete {
		w.Header().Set("Connection", "close") // the next attempt goes elsewhere, or starts anew
	}
	writeJSON(w, status, "application/problem+json", problem{
		Type: "urn:towpath:problem:" + p.code, Title: title, Status: status, Detail: p.detail, Code: p.code,
	})
}

// writeJSON answers. If the client is gone nobody is left to be told: it sends
// again, and finds what was done.
func writeJSON(w http.ResponseWriter, status int, mediaType string, body any) {
	raw, err := json.Marshal(body)
	if err != nil { // strings and numbers only: cannot happen
		status, raw = http.StatusServiceUnavailable, []byte(`{}`)
	}
	raw = foreign.JSON(raw) // rows of older versions hold a ledger's words as they came
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}

package xero

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"towpath/pkg/provider"
)

// The reasons of failures that this package gives.
const (
	reasonPeriodLocked    = provider.HeldPeriodLocked
	reasonCurrencyOff     = provider.HeldCurrencyOff
	reasonAccountArchived = provider.HeldAccountArchived
	reasonAccountInvalid  = provider.HeldAccountInvalid
	reasonContactArchived = provider.HeldContactArchived
	reasonContactGone     = provider.HeldContactGone
	reasonPlanLimit       = provider.HeldPlanLimit
	reasonTaxInvalid      = provider.HeldTaxInvalid
	reasonRateNotMapped   = provider.HeldTaxRateNotMapped
	reasonMissingMapping  = provider.HeldMissingMapping
	reasonTotalMismatch   = provider.HeldTotalMismatch
	reasonNumberTaken     = provider.HeldNumberTaken
	reasonContactTaken    = provider.HeldContactTaken
	reasonNameTaken       = provider.HeldNameTaken
	reasonKeyConflict     = "idempotency_conflict"
)

// reply is an answer other than 200.
type reply struct {
	write     bool
	operation string
	status    int
	header    http.Header
	body      string
	noted     *provider.Noted // the call, as it is kept
}

// rule is a row of the table of answers: the first that fits decides. A zero
// status fits every status; an empty text or problem fits every answer.
type rule struct {
	name    string
	status  int
	problem string // X-Rate-Limit-Problem begins with
	text    string // the body holds, in lower case
	kind    provider.Kind
	read    provider.Kind  // of an answer to a read, where that is another
	wrote   provider.Wrote // what became of a write; a read has written nothing
	code    string
	reason  string
	wait    time.Duration // RetryAfter where the answer has none
	message string
}

// rules is what each answer of Xero means, and whether a write took effect then. Bodies
// are not always JSON: 404, 429, 503 and whatever a proxy adds are text, HTML or empty, so
// they are searched as text. An answer to a read is never Refused or Held: those are
// judgements of a document.
var rules = []rule{
	// Our keys name their body. Where Xero knows one with another, a try that is not on
	// record here (a restored database) may have written.
	{name: "key of another request", status: 400, text: "is used with a different request", kind: provider.Temporary, read: provider.Bug, wrote: provider.WroteMaybe,
		code: provider.CodeProvider, reason: reasonKeyConflict, message: "Xero knows the idempotency key from another request; the document is looked up first"},
	{name: "validation", status: 400, text: "validationexception", kind: provider.Refused, read: provider.Bug, wrote: provider.WroteNo,
		code: provider.CodeValidation, message: "Xero refused the data"},
	// Without a ValidationException nothing in the body was judged, nor written.
	{name: "query not understood", status: 400, text: "queryparseexception", kind: provider.Bug, message: "Xero did not understand the query"},
	{name: "body not understood", status: 400, text: "postdatainvalidexception", kind: provider.Bug, message: "Xero did not understand the body"},
	{name: "too many rows", status: 400, text: "highvolumeexception", kind: provider.Bug, message: "Xero wants a narrower query"},
	{name: "other 400", status: 400, kind: provider.Refused, read: provider.Bug, code: provider.CodeValidation, message: "Xero refused the request"},

	// Token and access are checked before the request is read.
	{name: "token expired or refused, or scope missing", status: 401, kind: provider.Auth, code: provider.CodeAuth,
		message: "Xero refused the access token: connect the organisation again"},
	{name: "organisation not connected", status: 403, kind: provider.Auth, code: provider.CodeAuth,
		message: "Xero refused access to the organisation: connect it again"},

	// An unknown contact refuses the whole request, before any document of it is judged.
	{name: "contact of an invoice unknown", status: 404, kind: provider.Held, read: provider.Gone, code: provider.CodeProvider, reason: reasonContactGone,
		message: "Xero does not know the contact of this document: it may belong to another organisation; connect the right one or clear the contact's link"},
	{name: "precondition", status: 412, kind: provider.Bug, message: "Xero refused a precondition of the request"},
	{name: "too large", status: 413, kind: provider.Refused, read: provider.Bug, code: provider.CodeValidation, message: "the document is too large for Xero"},
	{name: "request timed out at the server", status: 408, kind: provider.Temporary, wrote: provider.WroteMaybe, code: provider.CodeHTTP, message: "Xero did not receive the request in time"},

	// So are the limits.
	{name: "minute limit", status: 429, problem: "minute", kind: provider.RateLimited, code: provider.CodeRateLimited, reason: "minute", wait: time.Minute,
		message: "Xero's limit of calls per minute is reached"},
	{name: "day limit", status: 429, problem: "day", kind: provider.RateLimited, code: provider.CodeRateLimited, reason: "day", wait: time.Hour,
		message: "Xero's limit of calls per day is reached"},
	{name: "concurrent limit", status: 429, problem: "concurrent", kind: provider.RateLimited, code: provider.CodeRateLimited, reason: "concurrent", wait: 2 * time.Second,
		message: "too many calls to Xero at the same moment"},
	{name: "app limit", status: 429, problem: "app", kind: provider.RateLimited, code: provider.CodeRateLimited, reason: "app", wait: time.Minute,
		message: "Xero's limit for all organisations together is reached"},
	{name: "limit without a name", status: 429, kind: provider.RateLimited, code: provider.CodeRateLimited, wait: time.Minute, message: "Xero limits the rate of calls"},

	{name: "not implemented", status: 501, kind: provider.Bug, message: "Xero does not offer this method"},
	// Offline means that nothing was taken in, so a write may simply be sent
	// again; a caller that looks first does no harm.
	{name: "one organisation offline", status: 503, text: "organisation is offline", kind: provider.Temporary, code: provider.CodeProvider, wait: 5 * time.Minute,
		message: "the Xero organisation is offline for some minutes"},
	{name: "offline", status: 503, kind: provider.Temporary, code: provider.CodeProvider, message: "Xero is offline at the moment"},
	// A gateway does not know what Xero did.
	{name: "gateway", status: 502, kind: provider.Temporary, wrote: provider.WroteMaybe, code: provider.CodeHTTP, message: "Xero's gateway did not get an answer"},
	{name: "gateway timeout", status: 504, kind: provider.Temporary, wrote: provider.WroteMaybe, code: provider.CodeHTTP, message: "Xero's gateway did not get an answer in time"},
}

// otherwise is what remains: an error of the server may have committed, a
// redirect or a strange success is not Xero speaking.
func otherwise(status int) rule {
	switch {
	case status >= 500:
		return rule{name: "server error", kind: provider.Temporary, wrote: provider.WroteMaybe, code: provider.CodeProvider, message: "Xero had an internal error"}
	case status >= 400:
		return rule{name: "client error", kind: provider.Bug, message: "Xero refused the request"}
	case status >= 300:
		return rule{name: "redirect", kind: provider.Temporary, code: provider.CodeHTTP, message: "Xero's address answered with a redirect"}
	default:
		return rule{name: "strange success", kind: provider.Temporary, wrote: provider.WroteMaybe, code: provider.CodeProvider, message: "Xero answered without a document"}
	}
}

func (r rule) fits(a reply, lower string) bool {
	return r.status == a.status &&
		strings.Contains(lower, r.text) &&
		strings.HasPrefix(strings.ToLower(a.header.Get("X-Rate-Limit-Problem")), r.problem)
}

// classify turns an answer other than 200 into the failure that it means.
func classify(a reply) *provider.Failure {
	r := ruleFor(a)
	if said := complaints([]byte(a.body)); r.name == "validation" && a.write && len(said) > 0 {
		return refusal(said)
	}
	f := &provider.Failure{Kind: r.kind, Code: r.code, Reason: r.reason, Message: r.message, Detail: detail(a), RetryAfter: r.wait}
	if a.write {
		f.Wrote = r.wrote
		// Token and limits come before the key: that answer is not remembered.
		f.KeySpent = r.kind != provider.Auth && r.kind != provider.RateLimited
	} else if r.read != "" {
		f.Kind, f.Reason = r.read, ""
	}
	if f.Kind == provider.Bug {
		f.Code = provider.CodeInternal
	}
	if wait, ok := retryAfter(a.header); ok {
		f.RetryAfter = wait
	}
	return f
}

func ruleFor(a reply) rule {
	lower := strings.ToLower(a.body)
	for _, r := range rules {
		if r.fits(a, lower) {
			return r
		}
	}
	return otherwise(a.status)
}

func detail(a reply) string {
	text := clip(a.body, 1900)
	if text == "" {
		text = "no body"
	}
	return a.operation + " " + strconv.Itoa(a.status) + ": " + text
}

// maxWait keeps a nonsensical Retry-After from parking a binding; Xero's
// longest is the rest of the day.
const maxWait = 24 * time.Hour

// retryAfter reads Retry-After in seconds, Xero's form.
func retryAfter(h http.Header) (time.Duration, bool) {
	seconds, err := strconv.Atoi(strings.TrimSpace(h.Get("Retry-After")))
	if err != nil || seconds < 0 {
		return 0, false
	}
	if seconds > int(maxWait/time.Second) {
		return maxWait, true
	}
	return max(time.Duration(seconds)*time.Second, time.Second), true
}

package xero

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"towpath/pkg/provider"
)

// The reasons of Held and Unknown failures that this package gives.
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
	reads   provider.Kind
	writes  provider.Kind
	code    string
	reason  string
	wait    time.Duration // RetryAfter where the answer has none
	message string
}

// rules is what each answer of Xero means. Bodies are not always JSON: 404,
// 429, 503 and whatever a proxy adds are text, HTML or empty, so they are
// searched as text. An answer to a read is never Refused or Held: those are
// judgements of a document, and say that it was not written.
var rules = []rule{
	{"key of another request", 400, "", "is used with a different request", provider.Bug, provider.Unknown, provider.CodeProvider, reasonKeyConflict, 0,
		"Xero knows the idempotency key from another request; the document is looked up first"},
	{"validation", 400, "", "validationexception", provider.Bug, provider.Refused, provider.CodeValidation, "", 0, "Xero refused the data"},
	{"query not understood", 400, "", "queryparseexception", provider.Bug, provider.Bug, provider.CodeInternal, "", 0, "Xero did not understand the query"},
	{"body not understood", 400, "", "postdatainvalidexception", provider.Bug, provider.Bug, provider.CodeInternal, "", 0, "Xero did not understand the body"},
	{"too many rows", 400, "", "highvolumeexception", provider.Bug, provider.Bug, provider.CodeInternal, "", 0, "Xero wants a narrower query"},
	{"other 400", 400, "", "", provider.Bug, provider.Refused, provider.CodeValidation, "", 0, "Xero refused the request"},

	{"token expired or refused, or scope missing", 401, "", "", provider.Auth, provider.Auth, provider.CodeAuth, "", 0,
		"Xero refused the access token: connect the organisation again"},
	{"organisation not connected", 403, "", "", provider.Auth, provider.Auth, provider.CodeAuth, "", 0,
		"Xero refused access to the organisation: connect it again"},

	{"contact of an invoice unknown", 404, "", "", provider.Gone, provider.Held, provider.CodeProvider, reasonContactGone, 0,
		"Xero does not know the contact of this document: it may belong to another organisation; connect the right one or clear the contact's link"},
	{"precondition", 412, "", "", provider.Bug, provider.Bug, provider.CodeInternal, "", 0, "Xero refused a precondition of the request"},
	{"too large", 413, "", "", provider.Bug, provider.Refused, provider.CodeValidation, "", 0, "the document is too large for Xero"},
	{"request timed out at the server", 408, "", "", provider.Temporary, provider.Unknown, provider.CodeHTTP, "", 0, "Xero did not receive the request in time"},

	{"minute limit", 429, "minute", "", provider.RateLimited, provider.RateLimited, provider.CodeRateLimited, "minute", time.Minute, "Xero's limit of calls per minute is reached"},
	{"day limit", 429, "day", "", provider.RateLimited, provider.RateLimited, provider.CodeRateLimited, "day", time.Hour, "Xero's limit of calls per day is reached"},
	{"concurrent limit", 429, "concurrent", "", provider.RateLimited, provider.RateLimited, provider.CodeRateLimited, "concurrent", 2 * time.Second, "too many calls to Xero at the same moment"},
	{"app limit", 429, "app", "", provider.RateLimited, provider.RateLimited, provider.CodeRateLimited, "app", time.Minute, "Xero's limit for all organisations together is reached"},
	{"limit without a name", 429, "", "", provider.RateLimited, provider.RateLimited, provider.CodeRateLimited, "", time.Minute, "Xero limits the rate of calls"},

	{"not implemented", 501, "", "", provider.Bug, provider.Bug, provider.CodeInternal, "", 0, "Xero does not offer this method"},
	// Offline means that nothing was taken in, so a write may simply be sent
	// again; a caller that looks first does no harm.
	{"one organisation offline", 503, "", "organisation is offline", provider.Temporary, provider.Temporary, provider.CodeProvider, "", 5 * time.Minute, "the Xero organisation is offline for some minutes"},
	{"offline", 503, "", "", provider.Temporary, provider.Temporary, provider.CodeProvider, "", 0, "Xero is offline at the moment"},
	{"gateway", 502, "", "", provider.Temporary, provider.Unknown, provider.CodeHTTP, "", 0, "Xero's gateway did not get an answer"},
	{"gateway timeout", 504, "", "", provider.Temporary, provider.Unknown, provider.CodeHTTP, "", 0, "Xero's gateway did not get an answer in time"},
}

// otherwise is what remains: an error of the server may have committed, a
// redirect or a strange success is not Xero speaking.
func otherwise(status int) rule {
	switch {
	case status >= 500:
		return rule{name: "server error", reads: provider.Temporary, writes: provider.Unknown, code: provider.CodeProvider, message: "Xero had an internal error"}
	case status >= 400:
		return rule{name: "client error", reads: provider.Bug, writes: provider.Bug, code: provider.CodeInternal, message: "Xero refused the request"}
	case status >= 300:
		return rule{name: "redirect", reads: provider.Temporary, writes: provider.Temporary, code: provider.CodeHTTP, message: "Xero's address answered with a redirect"}
	default:
		return rule{name: "strange success", reads: provider.Temporary, writes: provider.Unknown, code: provider.CodeProvider, message: "Xero answered without a document"}
	}
}

func (r rule) fits(a reply, lower string) bool {
	return r.status == a.status &&
		strings.Contains(lower, r.text) &&
		strings.HasPrefix(strings.ToLower(a.header.Get("X-Rate-Limit-Problem")), r.problem)
}

// classify turns an answer other than 200 into the failure that it means.
func classify(a reply) *provider.Failure {
	lower := strings.ToLower(a.body)
	chosen := otherwise(a.status)
	for _, r := range rules {
		if r.fits(a, lower) {
			chosen = r
			break
		}
	}
	if chosen.name == "validation" && a.write {
		if said := complaints([]byte(a.body)); len(said) > 0 {
			return refusal(said)
		}
	}
	f := &provider.Failure{Kind: chosen.reads, Code: chosen.code, Message: chosen.message, Detail: detail(a), RetryAfter: chosen.wait}
	if a.write {
		f.Kind = chosen.writes
	}
	switch f.Kind {
	case provider.Bug:
		f.Code = provider.CodeInternal
	case provider.Gone:
	default:
		f.Reason = chosen.reason
	}
	if wait, ok := retryAfter(a.header); ok {
		f.RetryAfter = wait
	}
	return f
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

package freeagent

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"towpath/pkg/provider"
)

// rule is one row of the error table. The first row that fits an answer decides.
type rule struct {
	status  int    // 0: any of the class, see class
	class   int    // 5 for every 5xx, 0 for none
	says    string // must be in the answer's words, lower case; empty: any
	kind    provider.Kind
	wrote   provider.Wrote // what became of a write; a read has written nothing
	code    string         // empty for Held: it follows from the reason
	reason  string
	message string
}

// rules is the error table of wire v2: status and words of an answer, what they mean for
// the run, and whether a write took effect then (the wire's reference, section 1.4). It
// did not where the ledger judged what was sent (422, a closed category or period). It
// may have where a server broke down, or a proxy gave up; those answer 5xx too. All else
// was turned away before the body was judged.
func rules() []rule {
	return []rule{
		{status: 400, says: "nominal code", kind: provider.Held, wrote: provider.WroteNo, reason: "account_archived",
			message: "the ledger does not know the income category; choose another default_income_category_url"},
		{status: 400, kind: provider.Refused, code: provider.CodeValidation, message: "the ledger refused the request"},
		{status: 401, kind: provider.Auth, code: provider.CodeAuth, message: "the ledger refused the access token; connect it again, or replace the fixed token"},
		{status: 403, says: "is locked", kind: provider.Held, wrote: provider.WroteNo, reason: "period_locked",
			message: "the accounting period is locked in the ledger; unlock it"},
		{status: 403, kind: provider.Auth, code: provider.CodeAuth,
			message: "the ledger does not allow this; its user needs the access level for invoices and contacts, and for banking to write payments"},
		{status: 404, kind: provider.Refused, code: provider.CodeNotFound, message: "the ledger has no such resource; check the binding's api_url"},
		{status: 406, kind: provider.Bug, code: provider.CodeInternal, message: "the ledger answers no JSON"},
		{status: 408, kind: provider.Temporary, wrote: provider.WroteMaybe, code: provider.CodeHTTP, message: "the ledger gave up waiting"},
		{status: 409, kind: provider.Refused, code: provider.CodeValidation, message: "the ledger sees a conflict"},
		{status: 415, kind: provider.Bug, code: provider.CodeInternal, message: "the ledger takes no JSON"},
		{status: 422, says: "contact not found", kind: provider.Held, wrote: provider.WroteNo, reason: "contact_archived",
			message: "the ledger's contact is gone; restore it or remove the link to it"},
		{status: 422, says: "category not found", kind: provider.Held, wrote: provider.WroteNo, reason: "account_archived",
			message: "the ledger does not know the income category; choose another default_income_category_url"},
		{status: 422, says: "bank account not found", kind: provider.Held, wrote: provider.WroteNo, reason: provider.HeldAccountInvalid,
			message: "the ledger does not know the bank account; choose another in payment_method_map or default_bank_account_id"},
		{status: 422, kind: provider.Refused, wrote: provider.WroteNo, code: provider.CodeValidation, message: "the ledger refused the document"},
		{status: 429, kind: provider.RateLimited, code: provider.CodeRateLimited, message: "the ledger's rate limit is reached"},
		{status: 501, kind: provider.Bug, code: provider.CodeProvider, message: "the ledger does not offer this"},
		{class: 5, kind: provider.Temporary, wrote: provider.WroteMaybe, code: provider.CodeProvider, message: "the ledger has a fault"},
		{class: 4, kind: provider.Refused, code: provider.CodeValidation, message: "the ledger refused the request"},
		{class: 3, kind: provider.Refused, code: provider.CodeHTTP, message: "the ledger redirects; check the binding's api_url"},
	}
}

// defaultWait is how long a 429 without Retry-After keeps the binding waiting:
// FreeAgent counts in clock minutes.
const defaultWait = time.Minute

// failureOf turns an answer that is no 2xx into a Failure by the table.
func (c *Client) failureOf(k call, a answer) *provider.Failure {
	detail := words(a.body)
	row := rule{kind: provider.Bug, wrote: provider.WroteMaybe, code: provider.CodeProvider, message: "the ledger's answer makes no sense"}
	if i := slices.IndexFunc(rules(), func(r rule) bool { return r.fits(a.status, strings.ToLower(detail)) }); i >= 0 {
		row = rules()[i]
	}
	f := &provider.Failure{Kind: row.kind, Code: row.code, Reason: row.reason, Message: row.message, Detail: detail, Err: statusError(a.status)}
	if k.writes() {
		f.Wrote = row.wrote
	}
	switch f.Kind {
	case provider.Held:
		f.Code = provider.HoldCode(f.Reason)
	case provider.RateLimited:
		f.RetryAfter = retryAfter(a.header, c.cfg.Now())
	}
	return f
}

// statusError is the cause of a Failure that an answer's status led to.
type statusError int

func (s statusError) Error() string { return "HTTP " + strconv.Itoa(int(s)) }

func (r rule) fits(status int, said string) bool {
	if r.status != status && (r.status != 0 || r.class != status/100) {
		return false
	}
	return strings.Contains(said, r.says)
}

// retryAfter reads Retry-After as seconds or as a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return min(time.Duration(seconds)*time.Second, 24*time.Hour)
	}
	if at, err := http.ParseTime(value); err == nil && at.After(now) {
		return min(at.Sub(now), 24*time.Hour)
	}
	return defaultWait
}

// saysReferenceTaken reports whether an answer to a create says that the number
// exists. The wording is not documented, so any of the usual ones counts: it
// only leads to a look-up.
func saysReferenceTaken(a answer) bool {
	if a.status != http.StatusUnprocessableEntity && a.status != http.StatusConflict {
		return false
	}
	said := strings.ToLower(words(a.body))
	return strings.Contains(said, "reference") && containsAny(said, "taken", "duplicate", "already", "unique", "exists", "in use")
}

// saysContactTaken reports whether an answer to a create may mean that the
// buyer's contact exists.
func saysContactTaken(a answer) bool {
	if a.status != http.StatusUnprocessableEntity && a.status != http.StatusConflict {
		return false
	}
	return containsAny(strings.ToLower(words(a.body)), "email", "e-mail", "taken", "duplicate", "already")
}

func containsAny(s string, list ...string) bool {
	for _, part := range list {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// held is a failure that waits for a change outside.
func held(reason, message string) *provider.Failure {
	return provider.Hold(reason, message)
}

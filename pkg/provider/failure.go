package provider

import (
	"errors"
	"fmt"
	"time"

	"towpath/pkg/foreign"
)

// Kind says what a failure means for the run; one table in riverjobs turns it
// into what River does and what the shop is told.
type Kind string

// The kinds of failure, in the order of the design's table.
const (
	Temporary   Kind = "temporary"    // timeout before sending, reset on connect, 502/503/504, offline
	RateLimited Kind = "rate_limited" // 429 or an empty budget; RetryAfter says how long
	Unknown     Kind = "unknown"      // the call may have taken effect: lost answer, 500
	Auth        Kind = "auth"         // invalid_grant, 401 after a refresh, 403, the shop's 401
	Held        Kind = "held"         // something outside must change; Reason says what
	Refused     Kind = "refused"      // validation: the document cannot be accepted as it is
	Gone        Kind = "gone"         // the shop has no such entity
	Bug         Kind = "bug"          // anything else
)

// Codes told to the shop as error_code; a closed list of the contract.
const (
	CodeHTTP        = "http"
	CodeProvider    = "provider"
	CodeRateLimited = "rate_limited"
	CodeAuth        = "auth"
	CodeValidation  = "validation"
	CodeNotFound    = "not_found"
	CodeInternal    = "internal"
)

// Failure is an outside call that did not do what was asked. Three texts for
// three readers: Code for machines, Message for the merchant, Detail for the
// operator. None of them ever holds a secret.
type Failure struct {
	Kind       Kind
	Code       string        // one of the codes above
	Reason     string        // for Held: total_mismatch, number_taken, ...; for skips and metrics
	Message    string        // one sentence: what is wrong and what to do
	Detail     string        // the other side's own words, cut to 2,000 bytes
	RetryAfter time.Duration // for RateLimited, Held and what has ReasonBudget: retry no sooner; 0 = the default
	Answered   bool          // for Unknown: an answer came (a 500, say), so it is remembered under the idempotency key
	Exists     bool          // for Refused and Held: the document exists all the same, and a later step of it failed
	// NoAnswer is the reason for which runs are held if it goes on: a server took the call
	// and did not answer in time. Empty: it answered, could not be reached, or was not called.
	NoAnswer string
	Err      error // cause, may be nil
}

func (f *Failure) Error() string {
	text := f.Message
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	if f.Reason != "" {
		text = fmt.Sprintf("%s (%s): %s", f.Kind, f.Reason, text)
	} else {
		text = fmt.Sprintf("%s: %s", f.Kind, text)
	}
	return foreign.Lines(text, maxText)
}

// maxText bounds a failure's whole text, whatever its parts and its cause hold:
// it goes into logs and into River's list of errors.
const maxText = 4000

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// AsFailure finds the Failure in err; an error without one is a Bug.
func AsFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Kind: Bug, Code: CodeInternal, Message: "internal error", Err: err}
}

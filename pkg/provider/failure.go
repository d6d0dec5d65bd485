package provider

import (
	"errors"
	"fmt"
	"time"

	"towpath/pkg/foreign"
)

// Kind says why a call failed; one table in riverjobs turns it into what River does and
// what the shop is told. What became of a write is said apart from that, by Wrote.
type Kind string

// The kinds of failure, in the order of the design's table.
const (
	Temporary   Kind = "temporary"    // timeout, reset, 5xx, offline
	RateLimited Kind = "rate_limited" // 429 or an empty budget; RetryAfter says how long
	Auth        Kind = "auth"         // invalid_grant, 401 after a refresh, 403, the shop's 401
	Held        Kind = "held"         // something outside must change; Reason says what
	Refused     Kind = "refused"      // validation: the document cannot be accepted as it is
	Gone        Kind = "gone"         // the shop has no such entity
	Bug         Kind = "bug"          // anything else
)

// Wrote says what became of the write that a try was to make: whether what was asked for
// is there now.
type Wrote string

const (
	// WroteAsBefore, the zero value: this try has written nothing, and tells nothing of
	// earlier ones. Nothing was sent, or only a look-up, or the write was turned away
	// before its body was read (token, limit, offline).
	WroteAsBefore Wrote = ""
	// WroteNo: no try has written it. The ledger judged the very thing and refused it, or
	// another's bears its number.
	WroteNo Wrote = "no"
	// WroteMaybe: a call of this try may have taken effect (lost answer, 500).
	WroteMaybe Wrote = "maybe"
	// WroteYes: it is there, and a later step failed.
	WroteYes Wrote = "yes"
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

// NotUnderstood is in the message of a failure over a shop's answer that cannot be read:
// whoever advises on it finds it by that.
const NotUnderstood = " cannot be understood: "

// Failure is an outside call that did not do what was asked. Three texts for
// three readers: Code for machines, Message for the merchant, Detail for the
// operator. None of them ever holds a secret.
type Failure struct {
	Kind       Kind
	Code       string        // one of the codes above
	Reason     string        // for Held: total_mismatch, number_taken, ...; for skips and metrics
	Message    string        // one sentence: what is wrong and what to do
	Detail     string        // the other side's own words, cut to 2,000 bytes
	RetryAfter time.Duration // for RateLimited and Held: retry no sooner; 0 = the default
	Wrote      Wrote         // what became of the write
	KeySpent   bool          // the ledger remembers its answer under the idempotency key: the next try needs another
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

// AsFailure finds the Failure in err; an error without one is a Bug, and nobody says what
// it has written.
func AsFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Kind: Bug, Code: CodeInternal, Wrote: WroteMaybe, Message: "internal error", Err: err}
}

// Doubted is err where an earlier call of the same try may have taken effect: a failure
// that leaves the write as before says maybe.
func Doubted(err error) error {
	if err == nil {
		return nil
	}
	doubted := *AsFailure(err)
	if doubted.Wrote != WroteAsBefore {
		return err
	}
	doubted.Wrote, doubted.KeySpent = WroteMaybe, true // the earlier call was answered
	return &doubted
}

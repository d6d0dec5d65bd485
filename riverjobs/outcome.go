package riverjobs

import (
	"encoding/json"
	"time"

	"towpath/pkg/foreign"
	"towpath/pkg/provider"
)

// What River does with each kind of failure:
//
//	kind          what happens                                            attempt
//	temporary     error: retried after about 1 s, 2 s, 4 s, ...           counted
//	rate_limited  snooze until the provider's time (the binding pauses)   given back
//	              or until the budget has a call again
//	auth          tenant or binding marked, run held                      given back
//	held          run held with its reason, looked at again               given back
//	refused, gone the run fails in this job's own transaction             -
//	bug           error; the run fails after bugAttempts                  counted
//
// Whatever kind, the last attempt fails the run in its own transaction. What became of a
// write is no part of this: the next attempt looks before it writes (ensure.go).
const (
	bugAttempts   = 8
	authRecheck   = 5 * time.Minute
	rateLimitWait = 5 * time.Second
	busyWait      = time.Second
	longestBusy   = time.Minute
)

// reasonPaused marks a wait for a pause that is known already: it does not
// lengthen the pause.
const reasonPaused = "paused"

// The report is what the worker says of its attempt. River merges it into the
// job's metadata with the change of state, and the trigger carries both.
type report struct {
	Attempt int    `json:"attempt"`
	Outcome string `json:"outcome"` // one of the three below
	Reason  string `json:"reason,omitempty"`
	HeldFor string `json:"held_for,omitempty"` // why it was held before, where it is not now
	Parked  bool   `json:"parked,omitempty"`   // it waits for its lane
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Detail  string `json:"detail,omitempty"`
	// Calls are the provider's ids of the attempt's calls.
	Calls []string `json:"calls,omitempty"`
}

const (
	outcomeRetry = "retry"
	outcomeWait  = "wait"
	outcomeHeld  = "held"
)

// reportKey is the metadata key that sync_run_carry reads.
const reportKey = "towpath"

// verdict is what is to be done about a failed attempt.
type verdict struct {
	end    bool          // fail the run now
	snooze time.Duration // positive: wait without counting the attempt
	report report
}

// judge is the table above as code; it has no effect.
func judge(f *provider.Failure, attempt int) verdict {
	say := report{Attempt: attempt, Outcome: outcomeRetry, Reason: f.Reason, Code: f.Code, Message: storable(f.Message), Detail: detail(f)}
	switch f.Kind {
	case provider.Refused, provider.Gone:
		return verdict{end: true, report: say}
	case provider.RateLimited:
		say.Outcome = outcomeWait
		return verdict{snooze: orDefault(f.RetryAfter, rateLimitWait), report: say}
	case provider.Auth:
		say.Outcome, say.Reason = outcomeHeld, "auth"
		return verdict{snooze: orDefault(f.RetryAfter, authRecheck), report: say}
	case provider.Held:
		say.Outcome = outcomeHeld
		return verdict{snooze: orDefault(f.RetryAfter, holdRecheck), report: say}
	case provider.Temporary:
		return verdict{end: attempt >= maxAttempts, report: say}
	default:
		return verdict{end: attempt >= bugAttempts, report: say}
	}
}

// busy is how long to wait for another run that is at the same document: the
// longer it has been waited for, the longer.
func busy(metadata []byte) time.Duration {
	return min(busyWait<<min(max(snoozes(metadata)-5, 0), 10), longestBusy)
}

// snoozes is how often River has let the job wait.
func snoozes(metadata []byte) int {
	var said struct {
		Snoozes int `json:"snoozes"`
	}
	_ = json.Unmarshal(metadata, &said) // without a count it is the first wait
	return said.Snoozes
}

// attemptError is a failure whose text River can store.
type attemptError struct {
	text  string
	cause error
}

func (e attemptError) Error() string { return e.text }

// Unwrap returns the cause.
func (e attemptError) Unwrap() error { return e.cause }

// storable makes a text from outside fit for text and jsonb, which take neither
// NUL nor invalid UTF-8: River would try to store such an error without end. It is
// bounded and visible, should it have come by a way that forgot to see to that.
func storable(text string) string { return foreign.Lines(text, 2*foreign.Kept) }

func detail(f *provider.Failure) string {
	text := f.Detail
	if f.Err != nil {
		if text != "" {
			text += "; "
		}
		text += f.Err.Error()
	}
	return foreign.Lines(text, foreign.Kept)
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

package provider

import "errors"

// Item is one thing of a set that is to be written with as few calls as the
// wire allows: a document, or a buyer's contact.
type Item[T any] struct {
	Value T
	Try   Try
}

// Outcome is what became of one item of a set: the value, or an error that is
// or wraps a Failure. Each is judged by itself: one bad item does not hurt the
// others.
type Outcome[T any] struct {
	Value  T
	Err    error
	Notes  []string // what a person should know of how it came to be
	Merged bool     // of a contact: a person at the provider merged the buyer's into this one
	Calls  []Call   // that this came of, oldest first
}

// Failed is the same failure for every item of a set of n.
func Failed[T any](n int, err error) []Outcome[T] {
	all := make([]Outcome[T], n)
	for i := range all {
		all[i].Err = err
	}
	return all
}

// Halts reports whether err speaks against any further call: no budget, no access, nobody
// there. A judgement of one item does not.
func Halts(err error) bool {
	var f *Failure
	if !errors.As(err, &f) {
		return err != nil
	}
	switch f.Kind {
	case RateLimited, Auth, Temporary:
		return true
	}
	return false
}

// Unsent is what the end of an earlier call means for an item that is not sent any more:
// the same, but neither that it may be written nor that it is at fault.
func Unsent(stopped error) error {
	var f *Failure
	if !errors.As(stopped, &f) || Halts(f) && f.Wrote == WroteAsBefore && !f.KeySpent {
		return stopped
	}
	unsent := &Failure{Kind: Temporary, Code: f.Code, RetryAfter: f.RetryAfter,
		Message: "not sent, since an earlier call failed; it is sent again"}
	switch f.Kind {
	case RateLimited, Auth: // it waits for the same
		unsent.Kind, unsent.Reason = f.Kind, f.Reason
	}
	return unsent
}

package provider

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

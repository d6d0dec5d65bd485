// Package mistake has the mistakes that the checks must notice: with the build tag
// "mistakes" the program makes the one that TOWPATH_MISTAKE names, and .ci/mistakes
// shows that towpath soak finds it. A build without the tag has none of them.
package mistake

// All are the mistakes that can be made.
var All = []string{
	JobOutside, EarlyAnswer, TokenNotSpent, XrefLater, NoLookup, AdoptByNumber, NoLane,
}

const (
	JobOutside    = "job-outside"     // a run's first job is inserted outside the transaction of the run
	EarlyAnswer   = "early-answer"    // 202 before the commit
	TokenNotSpent = "token-not-spent" // a token may be used again
	XrefLater     = "xref-later"      // what a document is known by is written after the commit of its run
	NoLookup      = "no-lookup"       // after a lost answer it is written again without a look
	AdoptByNumber = "adopt-by-number" // a document of the same number is taken for ours
	NoLane        = "no-lane"         // what follows an invoice does not wait for it
)

// Package syncrun is the state machine of a run: the only Go code that changes
// a run's status, together with the triggers of sql/functions, which carry to the
// run what others write to its job.
//
// Each function here is one of the transactions T1 to T5 (or an operator's
// word) over a set of runs; the caller begins and commits, and has written the
// job side first. Locks are taken in one order everywhere: job, then run.
//
//	T1 Accept   jti spent, run and its first job inserted
//	T2 Decide   canonical and decision stored, next job inserted
//	T3 Intend   "a document may exist" is on record
//	T4 Post     result and xref stored, next job inserted
//	T5 Tell     the shop knows
package syncrun

import (
	"errors"

	"towpath/pkg/dbsqlc"
)

// Statuses of a run.
const (
	Queued    = "queued"
	Running   = "running"
	Held      = "held"
	Succeeded = "succeeded"
	Skipped   = "skipped_by_policy"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// Statuses in the order in which a run may pass them.
func Statuses() []string {
	return []string{Queued, Running, Held, Succeeded, Skipped, Failed, Cancelled}
}

// ErrNotMine means that the run no longer waits for this job: it was taken
// over, retried or ended meanwhile. The transaction must be rolled back.
var ErrNotMine = errors.New("the run no longer waits for this job")

// queries is stateless: sqlc's methods take the connection as an argument.
var queries = dbsqlc.New()

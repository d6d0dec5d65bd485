// Package riverjobs holds the job kinds: Towpath's touches of the outside world.
//
// The pipeline on one page. Every arrow is one transaction that ends a job,
// changes its run and inserts the next job:
//
//	webhook --T1--> FetchCanonical --T2--> PostInvoice --T3, T4--> PushSyncState --T5--> done
//	                      |                     |                        ^
//	                      +---- skip, failed ---+------------------------+
//
//	kind             inserted by               touches         a repeat
//	FetchCanonical   T1 (ingress), retry       reads the shop  is harmless
//	PostInvoice      T2                        the ledger      looks the document up before it posts
//	PushSyncState    T2, T4, end of a run      the shop        tells the same once more
//
// Whose turn it is: of one kind and share (a tenant's shop, a binding's ledger) a
// few jobs are with the workers at a time, the rest wait as River's "pending"; the
// shares in sql/functions let them in, shares.go helps once a second. PostInvoice asks
// the binding's budget (pkg/quota) before it begins, and takes the documents of
// others that wait along in its calls (batch.go; hand.go is a job in hand).
//
// Success is written by the worker in its own transaction: the checked
// completion of its job first (complete.go), then the run (pkg/syncrun). Every
// other change of a job is River's or an operator's, and triggers of sql/functions
// carry it to the run in the same transaction. outcome.go is the one table that
// turns a kind of failure into what River does.
package riverjobs

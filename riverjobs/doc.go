// Package riverjobs holds the job kinds: Towpath's touches of the outside world.
//
// The pipeline on one page. Every arrow is one transaction that ends a job,
// changes its run and inserts the next job:
//
//	webhook --T1--> FetchCanonical --T2--> a write --T3, T4--> PushSyncState --T5--> done
//	                      |                   |                     ^
//	                      +--- skip, failed --+---------------------+
//
//	kind             event              inserted by               touches         a repeat
//	FetchCanonical   any                T1 (ingress), retry       reads the shop  is harmless
//	PostInvoice      invoice.created    T2                        the ledger      looks the document up before it posts
//	PostPayment      invoice.paid       T2                        the ledger      looks at the invoice's payments first
//	PostCreditNote   creditmemo.created T2                        the ledger      looks up note, allocation and refund, each by itself
//	UpsertContact    customer.upserted  T2                        the ledger      writes the same, or nothing
//	UpsertItem       product.upserted   T2                        the ledger      writes the same, or nothing
//	PushSyncState    any                T2, T4, end of a run      the shop        tells how it stands, once more
//
// kinds.go is the table. A write to the ledger is a plan (plan.go): how its document is
// read, judged, and written step by step, for a batch of them (batch.go); ensure.go is
// what all writes have in common. Runs of one document go in its lane's order
// (follows.go): who is not first is parked (lane.go) until the run ahead has ended.
//
// Whose turn it is: of one kind and partition (a tenant's shop, a binding's ledger)
// a few jobs are in flight, the rest wait as River's "pending"; sql/functions let
// them in, shares.go helps once a second. A job that is worked takes some of those
// that wait along: a claim (claim.go), or the documents of one call (batch.go). Their
// calls go one after the other or share one. PostInvoice asks the binding's budget
// (pkg/quota) before it begins.
//
// Success is recorded by record.go with whatever else ends at the moment: the
// checked completion of the jobs first, then their next jobs and their runs
// (pkg/syncrun), in one commit; what fails together is done one by one. Every other
// change of a job is River's or an operator's, and triggers of sql/functions carry
// it to the run in the same transaction. outcome.go is the one table that turns a
// kind of failure into what River does.
package riverjobs

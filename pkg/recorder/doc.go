// Package recorder lets many callers share one transaction: group commit above
// the database. Whoever has something to record hands it over and waits; a writer
// takes all that came while the commit before was under way and records it in one
// transaction. A caller alone waits for nobody.
//
// What a caller is told:
//
//	answer            what became of its item
//	value, no error   committed
//	an error          nothing of it is committed
//	ErrUnknown        either: the connection was lost in COMMIT, or the caller went
//	                  away while it was written. Whoever writes must bear a repeat.
//
// One bad item harms no other: it is refused by itself where the set's statements
// can tell, and where the shared transaction fails as a whole each item is written
// again in a transaction of its own.
package recorder

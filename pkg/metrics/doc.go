// Package metrics is what the service counts, as one struct made from a
// prometheus.Registerer. The methods are named after what happened, so that no
// caller spells a label.
//
// Label values come from closed lists (labels.go) and their series exist from
// the start, at zero, so that a rate over the first event is right and an alert
// on a series that never came cannot sleep. A value that is in no list counts
// as "other"; nothing that arrives from outside can make a new series.
//
// What lives in the database (queue depth, held runs) is read at the scrape by
// QueueCollector; it never fails a scrape.
package metrics

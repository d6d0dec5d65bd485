// Package xerosim is a simulated Xero Accounting API 2.0: a stateful and
// strict HTTP handler that tests and the demo run the real client against. It
// keeps one organisation in memory, by default like Xero's UK demo company.
//
// It refuses what Xero refuses, in Xero's words where those are known, answers
// in Xero's forms (numbers, /Date(ms)/ dates, [] for missing objects), counts
// its calls, and can be told to fail at any point, also after the effect. Its
// arithmetic is its own, on rational numbers, so that a mistake in the
// client's shows.
//
// Reading order: sim.go (the way of a request), faults.go, idempotency.go,
// batch.go, invoices.go, lines.go, creditnotes.go, allocations.go, payments.go, items.go,
// contacts.go, list.go and where.go, inspect.go (what a
// test may look at and what a person may do in Xero).
package xerosim

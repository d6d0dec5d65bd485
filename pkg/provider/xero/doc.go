// Package xero is the client of Xero's Accounting API 2.0 and the builder of
// the documents that it posts: the `accounting` wire of provider xero.
//
// Reading order: document.go (the body of an invoice; lines.go, taxes.go,
// totals.go, rounding.go, header.go are its parts, standing.go what Xero's own
// state forbids), invoices.go (create or adopt), contacts.go (the buyer), batch.go
// and batch_call.go (many with one call; invoices_together.go,
// invoices_lookup.go, contacts_together.go, contacts_lookup.go use it),
// reference.go and recheck.go (what a policy may refer to), http.go (one call),
// errors.go (what every answer means).
//
// Nothing here retries. After a write that may have taken effect (provider.WroteMaybe)
// the caller calls again with Try.Uncertain, and then the client looks before it
// writes. What makes a second document impossible is Xero's own uniqueness of
// InvoiceNumber and ContactNumber under PUT (which creates only; POST would update
// whatever bears the number); the idempotency key, kept by Xero for six minutes, only
// spares a look-up. Xero repeats errors under it too, so a failure says where the next
// try needs another (KeySpent).
package xero

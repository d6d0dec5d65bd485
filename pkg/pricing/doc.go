// Package pricing is the shop's arithmetic, written once: it turns a canonical
// sale (an invoice; a credit memo fills the same form) into lines with a price, a
// discount, a tax and the rate that explains the tax, and says what the shop's
// grand total holds that no line shows. A ledger's folder adds only its own
// rounding. It is pure.
//
// The order of thought, in the files' names: item.go (what was sold), fit.go
// (which rates explain a tax), reading.go (was the tax taken before or after the
// discount, in prices with or without tax: one answer for the document),
// residue.go (what the grand total has more or less than the header's own
// figures), tax.go (the header's tax, to the penny), price.go (all of it).
// docs/decisions tells why; contract section 4 is where the shop's traps stand.
package pricing

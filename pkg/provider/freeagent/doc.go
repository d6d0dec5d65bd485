// Package freeagent is the client of the wire `v2`: documents at {base}/v2, with
// contacts and categories as URLs, decimals as strings and no idempotency keys.
// It is FreeAgent's wire; a binding of provider=freeagent uses it too.
//
// What the wire cannot do decides how this package is built:
//   - It takes no tax amounts: tax is net x rate, rounded for each item. So the
//     totals are predicted by that arithmetic (totals.go) and what is missing to
//     the shop's grand total becomes an item of its own, or the run is held.
//   - It has no idempotency key and no search by number: a lost answer is found
//     again by listing the contact's invoices and comparing the reference.
//   - It may ignore a filter that it does not know: every match of a list is
//     checked again here.
//   - An invoice is always created as a Draft; "Sent" is a second call.
//   - It has no joint call: a set is written one after another.
//   - It counts calls by clock minute and hour and does not tell what is left:
//     a 429 says only how long to wait.
package freeagent

// Package freeagentsim is a stateful, strict stand-in for a ledger that speaks
// wire v2 (FreeAgent's): what that refuses is refused here, in its words and
// forms, and totals are computed by an arithmetic of its own. It can be told to
// fail at any point, before or after a request took effect. It knows contacts,
// invoices, credit notes, their reconciliations, payments and refunds as bank
// transaction explanations, and no parameter or field that it does not act on or
// that FreeAgent does not document: such are refused, also where the wire would
// ignore them.
//
// Where the wire's two descriptions differ, Config chooses: the product's
// specification (unique e-mails, an email filter) is the default, FreeAgent
// itself (duplicates allowed, unknown filters ignored) the other.
package freeagentsim

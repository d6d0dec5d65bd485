// Package foreign makes text that others wrote (a shop, a ledger, an identity
// server, whoever sends a webhook) fit to be kept and shown. It is applied where
// such text enters, so that logs, rows, pages and terminals need no care of their
// own; what prints rows of older versions applies it once more.
//
// What goes: control characters (a terminal obeys them), directional marks and
// overrides (they make a text read as another), line and paragraph separators,
// and whatever else is invisible. The joiners U+200C and U+200D stay: Persian,
// Hindi and emoji are written with them.
package foreign

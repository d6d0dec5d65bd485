// Package retention blanks what is personal of runs: some time after their end (Keeper, and
// Prune by hand), or since a person asks for it (Find and Forget). Blanked are the event's
// body, the canonical form, what was sent and answered, the texts of errors, and buyer and
// words of the search. What dedupe, links, history and the law need stays: ids, keys, times,
// states, codes, numbers, sums, entity_xref. sql/queries/retention.sql is the one list.
//
// Only runs that have ended are blanked, and none in whose lane another is under way. A
// retry of a blanked run reads the shop again, so nothing that is done later needs what is gone.
package retention

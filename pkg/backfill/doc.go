// Package backfill asks a shop for what Towpath has not heard of: entities by their
// id, on the way that the shop's own events take, behind what happens now.
//
// Each is an event under the shop's own idempotency key, so that what has come already,
// from the shop or by an earlier request, adds nothing, and what the shop sends later
// is answered as a repeat. A request that was broken off goes on when it is made again.
package backfill

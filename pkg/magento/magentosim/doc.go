// Package magentosim is a simulated shop: what a Magento store with the
// published modules does, as far as this service can see it. It is stateful and
// strict, answers over real HTTP, and can be told to fail at any point. Tests
// and the demo run against it.
//
// An invoice raised writes an outbox row and a pending chip at once; Drain is
// the shop's cron, which sends the rows; the chip changes when sync-state is
// called. The shop starts no goroutine of its own.
package magentosim

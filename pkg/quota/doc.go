// Package quota counts the calls that a binding makes at its provider, so that
// the provider's limits are kept by all processes together. The numbers live in
// Postgres: provider_call_take has the rules.
//
// Nothing here waits. Where there is no call left, the caller gets a RateLimited
// failure that says when there will be, and the run is scheduled for then.
package quota

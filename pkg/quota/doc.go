// Package quota keeps the limits that providers have for calls, over all processes,
// tenants and bindings of an organisation.
//
// The rules are pure (Budget): a state and the database's time in, a decision and
// the next state out. The state is a row of call_budgets for each organisation,
// which is locked while the rules decide (store.go). Work takes a lease for all the
// calls that it may need, makes them, and settles with what it did not make
// (Calls): two short transactions, however many calls.
//
// Nothing here waits. Where there is no call left, the caller gets a RateLimited
// failure that says when there will be, and the run is scheduled for then.
package quota

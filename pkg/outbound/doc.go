// Package outbound builds the HTTP client with which this service calls shops
// and ledgers, whose addresses come from its users: it reaches no private
// address unless told to, follows no redirect to another host, and limits every
// phase in time.
//
// It also tells what an error leaves open: Sent says whether a call that failed
// may still have taken effect.
package outbound

// Package account is what people do to tenants, bindings and policies, each as
// one transaction: the command line and the pages both call it. What is changed
// and the held runs that may go on for it commit together.
//
// Pair is the exception, since a call to the shop stands in its middle: see
// there what holds if the process stops before, in or after it.
package account

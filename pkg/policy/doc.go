// Package policy decides what becomes of a canonical document under a
// merchant's settings, and explains each rule it asked. It is pure: no clock,
// no I/O.
package policy

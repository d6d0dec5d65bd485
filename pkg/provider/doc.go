// Package provider holds the words that the shop's client, the ledgers' clients
// and the jobs share: kinds of failure, the values that are written, and what
// became of them. It is vocabulary, not a base class, and imports nothing of this
// project.
package provider

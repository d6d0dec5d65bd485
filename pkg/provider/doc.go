// Package provider holds the words that the shop's client, the ledgers' clients
// and the jobs share: kinds of failure and the posted document. It is
// vocabulary, not a base class, and imports nothing of this project.
package provider

// Package explain says what would be written for a document of the shop's, and why:
// what the settings say of it, and the body that would be sent. It builds with the
// code that the workers build with, calls nobody and writes nothing. Ids that only the
// ledger could tell are stand-ins.
package explain

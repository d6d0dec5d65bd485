// Package whatif says which of the documents that are stored would come out differently
// under other settings, and how, line by line. Each is built twice by pkg/explain, under
// the one settings and the other, with the same reference data, so that what differs is
// of the settings alone. Nobody is called and nothing is written.
package whatif

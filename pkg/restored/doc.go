// Package restored notices that the database went back in time: that it was restored from
// a backup, or failed over to a standby that had not yet got everything. What was accepted
// since is forgotten then, and no shop sends it again (decision 23).
//
// Two things are looked at. Rows that came out of a dump are told by the last row of
// restores, which says where it was written. A copy of the files (pgBackRest, a base
// backup, a snapshot, a standby) has all as it was; there the memory is the processes':
// each remembers the last row of the history that it saw committed, in a file too where
// it has one. Where that row is missing, the database went back.
//
// From then on a write of what may have been written before looks first
// (ProviderIntentTake), and a person is told until one has acknowledged it.
package restored

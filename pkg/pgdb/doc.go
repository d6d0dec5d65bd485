// Package pgdb is everything about the database that is not a query: the pool
// (Open), the schema (Migrate, ReadStatus, Ready) and a private server for the
// demo, the benchmarks and the tests (StartPrivate).
//
// A private server belongs to the process that started it. It listens on a
// unix socket only, runs as an ordinary user even where the process is root,
// and goes away with the process however that ends: Stop takes it down and
// removes its files; a killed process's server is taken down by the kernel
// (Linux) and by a watching shell (anywhere), which also removes the files; and
// what is left after both were killed is swept by the next StartPrivate.
//
// Private servers need a Unix; Open and Migrate do not care.
package pgdb

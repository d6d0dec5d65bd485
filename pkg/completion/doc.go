// Package completion writes the scripts by which shells complete a command line: out of
// kong's model of it, so that they know what the program knows. A script is complete in
// itself; completing runs no program and asks no database.
package completion

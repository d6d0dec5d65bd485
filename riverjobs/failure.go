package riverjobs

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"towpath/pkg/provider"
)

// failureOf finds the failure in err. An error without one is a bug, unless it
// is our own database that could not be used: that passes, says nothing about
// the run, and must not end it.
func failureOf(err error) *provider.Failure {
	var f *provider.Failure
	if errors.As(err, &f) || !databaseAway(err) {
		return provider.AsFailure(err)
	}
	return &provider.Failure{Kind: provider.Temporary, Code: provider.CodeInternal, Message: "the database could not be used", Err: err}
}

// calledError is a failure after calls to the provider, as they are kept.
type calledError struct {
	error
	calls []provider.Call
}

// Unwrap returns the failure.
func (e *calledError) Unwrap() error { return e.error }

func called(err error, calls []provider.Call) error {
	if err == nil || len(calls) == 0 {
		return err
	}
	return &calledError{err, calls}
}

// callsOf are the calls that err came of.
func callsOf(err error) []provider.Call {
	if c := (*calledError)(nil); errors.As(err, &c) {
		return c.calls
	}
	return nil
}

// databaseAway reports whether err is the database's state rather than our
// statement: no connection, a deadlock, no room, a shutdown, read-only, a time limit.
func databaseAway(err error) bool {
	var said *pgconn.PgError
	if errors.As(err, &said) && len(said.Code) == 5 {
		if said.Code == "25006" { // a server that was demoted; the connection to it is closed by now
			return true
		}
		switch said.Code[:2] {
		case "08", "40", "53", "55", "57", "58":
			return true
		}
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}

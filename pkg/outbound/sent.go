package outbound

import (
	"context"
	"errors"
	"net"
	"os"
)

// notSentError marks an error before which no connection was there.
type notSentError struct{ cause error }

func (e *notSentError) Error() string { return e.cause.Error() }
func (e *notSentError) Unwrap() error { return e.cause }

// Timeout makes url.Error tell timeouts as it does without the mark.
func (e *notSentError) Timeout() bool { return IsTimeout(e.cause) }

// Sent reports whether a failed call may have taken effect on the other side.
// False is certain: the name did not resolve, no connection came about, or the
// TLS handshake failed, so no byte of the request left. True is any doubt:
// timeouts, resets and lost answers after that point, and every error of a
// client that New did not build, unless it is one of dialling.
func Sent(err error) bool {
	if err == nil {
		return true
	}
	var marked *notSentError
	if errors.As(err, &marked) {
		return false
	}
	var op *net.OpError
	return !errors.As(err, &op) || op.Op != "dial"
}

// IsTimeout reports whether err is a limit of time running out, whichever.
func IsTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

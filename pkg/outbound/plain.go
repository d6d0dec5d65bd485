package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// Plain returns err with its text in words for whoever reads it at a command or on a
// page, in place of Go's ("dial tcp 127.0.0.1:1: connect: connection refused").
// errors.Is and errors.As find its causes. An error that it has no words for stays as
// it is.
func Plain(err error) error {
	text := words(err)
	if text == "" {
		return err
	}
	return &plainError{text: text, cause: err}
}

type plainError struct {
	text  string
	cause error
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.cause }

// Timeout answers as the cause does.
func (e *plainError) Timeout() bool { return IsTimeout(e.cause) }

func words(err error) string {
	var name *net.DNSError
	var op *net.OpError
	errors.As(err, &op)
	switch {
	case err == nil, errors.Is(err, ErrAddressRefused), errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &name) && name.IsNotFound:
		return fmt.Sprintf("there is no host %q", name.Name)
	case errors.As(err, &name):
		return fmt.Sprintf("the name %q could not be looked up", name.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at " + where(op) + " (connection refused)"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no way leads to " + where(op)
	case IsTimeout(err) && op != nil && op.Op == "dial":
		return "no connection to " + where(op) + " in time"
	case IsTimeout(err):
		return "no answer in time"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the answer was there"
	}
	if fault := CertificateFault(err); fault != "" {
		return "the TLS certificate is not valid: " + fault
	}
	return ""
}

// where is the address of a dial.
func where(op *net.OpError) string {
	if op == nil || op.Addr == nil {
		return "that address"
	}
	return op.Addr.String()
}

// CertificateFault says what is wrong with a server's certificate; empty where err is
// not about one.
func CertificateFault(err error) string {
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) {
		return ""
	}
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	switch {
	case errors.As(verification.Err, &hostname):
		return "it is for another name"
	case errors.As(verification.Err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired, or a clock is wrong"
	case errors.As(verification.Err, &authority):
		return "no authority that this machine trusts has signed it, or an intermediate certificate is missing"
	}
	return verification.Err.Error()
}

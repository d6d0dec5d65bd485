package pgdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// AddressError: an address cannot be read. Its text holds no part of it: any may be
// a piece of the password.
type AddressError struct{ text string }

func (e *AddressError) Error() string { return e.text }

const notAddress = "not a Postgres address such as postgres://user:password@host:5432/name " +
	"(percent-encode special characters of the password)"

var sslModes = []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

// whyAddress says what of an address is wrong, where that can be told.
func whyAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql":
		return &AddressError{notAddress}
	case u.Query().Has("sslmode") && !slices.Contains(sslModes, u.Query().Get("sslmode")):
		return &AddressError{"sslmode of the database's address is none of " + strings.Join(sslModes, ", ")}
	}
	if port, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || port < 1 || port > 65535) {
		return &AddressError{"the port of the database's address is not 1 to 65535"}
	}
	return &AddressError{notAddress}
}

// connectError is why a database could not be reached, in one line with what to do.
type connectError struct {
	text  string
	cause error
}

func (e *connectError) Error() string { return e.text }
func (e *connectError) Unwrap() error { return e.cause }

// explain says in one line why connecting failed: the driver's text repeats itself for
// every address and every mode of TLS that it tried.
func explain(err error, cfg *pgx.ConnConfig) error {
	text := explained(err, cfg)
	if text == "" {
		return err
	}
	return &connectError{text: text, cause: err}
}

func explained(err error, cfg *pgx.ConnConfig) string {
	at := net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))
	if strings.HasPrefix(cfg.Host, "/") {
		at = cfg.Host
	}
	var server *pgconn.PgError
	var name *net.DNSError
	switch {
	case errors.Is(err, ErrReadOnly):
		return "no host of DATABASE_URL can be written to: each is a standby or read-only, or does not answer"
	case errors.As(err, &server):
		return refusedBy(server, at, cfg)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return fmt.Sprintf("connection refused: nobody listens at %s; is Postgres running, and are host and port right?", at)
	case errors.As(err, &name):
		return fmt.Sprintf("there is no host %q; look at DATABASE_URL", cfg.Host)
	case strings.Contains(err.Error(), "refused TLS"):
		return fmt.Sprintf("the server at %s offers no TLS; set it up there, or say sslmode=prefer in DATABASE_URL", at)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer from %s in time; is it the right host, and does a firewall let this machine through?", at)
	}
	return ""
}

// refusedBy is what the server itself said.
func refusedBy(server *pgconn.PgError, at string, cfg *pgx.ConnConfig) string {
	switch server.Code {
	case "28P01":
		return fmt.Sprintf("wrong password for user %q at %s (%s)", cfg.User, at, server.Message)
	case "28000":
		if strings.Contains(server.Message, "does not exist") {
			return fmt.Sprintf("there is no role %q at %s; create it (CREATE ROLE ... LOGIN PASSWORD ...), or name another in DATABASE_URL", cfg.User, at)
		}
		return fmt.Sprintf("the server at %s does not let user %q in (%s); look at its pg_hba.conf", at, cfg.User, server.Message)
	case "3D000":
		return fmt.Sprintf("there is no database %q at %s; create it (CREATE DATABASE), or name another in DATABASE_URL", cfg.Database, at)
	case tooManyConnections:
		return fmt.Sprintf("the server at %s lets no more connections in (%s); raise the role's CONNECTION LIMIT or max_connections, or say pool_max_conns in DATABASE_URL", at, server.Message)
	case "42501":
		return fmt.Sprintf("user %q may not connect to database %q at %s; GRANT CONNECT ON DATABASE it to that user", cfg.User, cfg.Database, at)
	}
	return fmt.Sprintf("the server at %s refuses: %s (%s)", at, server.Message, server.Code)
}

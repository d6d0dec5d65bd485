package account

import (
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What is asked for cannot be done as things are. The caller adds what to do
// about it in its own words: a command names a command, a page a button.
var (
	ErrNoTenant          = errors.New("there is no such tenant")
	ErrNoBinding         = errors.New("there is no such binding")
	ErrTenantExists      = errors.New("the tenant exists already")
	ErrPairing           = errors.New("this shop is being paired at this moment")
	ErrBindingExists     = errors.New("the tenant has a live binding of this provider already")
	ErrBindingRevoked    = errors.New("the binding is revoked")
	ErrNoVersion         = errors.New("the binding has no such version of its settings")
	ErrSettingsMoved     = errors.New("the settings were changed by somebody else meanwhile")
	ErrNoApp             = errors.New("the binding has no app to connect with")
	ErrOtherOrganisation = errors.New("the binding belongs to another organisation")
)

// uniqueViolation is Postgres's code for it.
const uniqueViolation = "23505"

func isDuplicate(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == uniqueViolation
}

func isNoRow(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

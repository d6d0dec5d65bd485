package pgdb

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrReadOnly: the server answers and cannot be written to, as a standby or a primary
// that was demoted.
var ErrReadOnly = errors.New("the server can be read only")

// preferWritable lets an address of several hosts mean the one that can be written to,
// unless it says otherwise (target_session_attrs): on no other is there anything to do.
func preferWritable(url string, cfg *pgx.ConnConfig) {
	said := mentions(url, "target_session_attrs") || os.Getenv("PGTARGETSESSIONATTRS") != ""
	switch {
	case cfg.ValidateConnect == nil && (said || !severalHosts(cfg)):
		return
	case cfg.ValidateConnect != nil && !mentions(url, "target_session_attrs=read-write"):
		return
	}
	cfg.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if err := pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn); err != nil {
			return fmt.Errorf("%w: %w", ErrReadOnly, err)
		}
		return nil
	}
}

// severalHosts: the driver lists one host several times where it may use TLS or not.
func severalHosts(cfg *pgx.ConnConfig) bool {
	for _, other := range cfg.Fallbacks {
		if other.Host != cfg.Host || other.Port != cfg.Port {
			return true
		}
	}
	return false
}

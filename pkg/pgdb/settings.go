package pgdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// settings are a session's. They are set by statements once it is connected, in one
// round trip, and not with its start: a role's or a database's own settings do not
// count (with default_transaction_isolation = serializable most of the webhooks that
// come at once would be refused), and a pooler in session mode neither refuses nor
// swallows them.
type settings map[string]string

// settings are those of the program that the URL does not make.
func (c Config) settings(fromURL map[string]string) settings {
	s := settings{
		// Not "$user": the tables are in public whatever the role is called.
		"search_path":                   "public",
		"default_transaction_isolation": "read committed",
		"lock_timeout":                  "0",
		"statement_timeout":             fmt.Sprint(c.StatementTimeout.Milliseconds()),
		"idle_session_timeout":          "0",
		// Nothing here computes long enough to be worth half a second of compiling; what reads
		// many runs waits for the disk.
		"jit": "off",
		// What a frozen or vanished process holds must not hold up the others: its
		// open transactions end, and its connections are found dead in half a minute.
		"idle_in_transaction_session_timeout": "30s",
		"tcp_keepalives_idle":                 "10",
		"tcp_keepalives_interval":             "5",
		"tcp_keepalives_count":                "4",
	}
	if c.GenericPlans {
		s["plan_cache_mode"] = "force_generic_plan"
	}
	for name := range s {
		if fromURL[name] != "" || strings.Contains(fromURL["options"], name) {
			delete(s, name)
		}
	}
	return s
}

// set sets them on a session.
func (s settings) set(ctx context.Context, conn *pgconn.PgConn) error {
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&all, "SET %s = '%s';", name, s[name]) // both are this package's own
	}
	if _, err := conn.Exec(ctx, all.String()).ReadAll(); err != nil {
		return fmt.Errorf("set the session's settings: %w", err)
	}
	return nil
}

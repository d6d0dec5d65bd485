package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/pgdb"
	"towpath/pkg/secret"
)

// livez says that the process answers; it asks nobody.
func livez(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readiness says whether this process can do its work: the database can be written to, no
// migration is pending, the stored secrets open, its workers (if it has any) take jobs. Anybody may ask:
// the answer names no user, host or port, the log has the whole error. One
// look serves all who ask within a second, so asking costs no connections.
type readiness struct {
	pool    *pgxpool.Pool
	writes  *writable
	secrets func(context.Context) error // whether what is stored can be opened
	workers func() error                // nil without that role
	logger  *slog.Logger
	now     func() time.Time

	mu     sync.Mutex
	looked time.Time
	checks []Check
	opened time.Time       // when the secrets were tried last
	locked error           // what came of it
	said   map[string]bool // what was logged as wrong and is not right again
}

// How long an answer is good: of everything, and of the stored secrets, which
// cost a query of each sealed column.
const (
	readyzKeep  = time.Second
	secretsKeep = 15 * time.Second
)

// Check is one line of the answer of /readyz.
type Check struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"` // for everybody to read
}

// ServeHTTP answers 200 or 503 with every check.
func (h *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	checks := h.look(context.WithoutCancel(r.Context()))
	status := http.StatusOK
	if slices.ContainsFunc(checks, func(c Check) bool { return !c.OK }) {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"ready": status == http.StatusOK, "checks": checks})
}

// look answers the checks of the last second, or makes them.
func (h *readiness) look(ctx context.Context) []Check {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checks != nil && h.now().Sub(h.looked) < readyzKeep {
		return h.checks
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	why, database := h.writes.check(ctx)
	checks := []Check{h.outcome("database", why+"; the log says more", database)}
	if database == nil {
		schema := pgdb.Ready(ctx, h.pool)
		checks = append(checks, h.outcome("migrations", schemaWords(schema)+"; the log says more", schema),
			h.outcome("secrets", "what is stored does not open with TOWPATH_SECRET_KEY; the log says more", h.openSecrets(ctx)))
	}
	if h.workers != nil {
		checks = append(checks, h.outcome("workers", "the workers have stopped", h.workers()))
	}
	h.checks, h.looked = checks, h.now()
	return checks
}

// schemaWords tells a schema that is another from one that could not be asked for.
func schemaWords(err error) string {
	if errors.Is(err, pgdb.ErrPending) {
		return "the schema is not this program's (towpath migrate status, towpath migrate up)"
	}
	return "the schema could not be read: no connection for it, or the database does not answer"
}

// openSecrets tries the key on a sample, at most every secretsKeep. A database that
// does not answer says nothing of the key.
func (h *readiness) openSecrets(ctx context.Context) error {
	if h.opened.IsZero() || h.now().Sub(h.opened) >= secretsKeep {
		err := h.secrets(ctx)
		if err != nil && !errors.Is(err, secret.ErrUnknownKey) && !errors.Is(err, secret.ErrNotOpened) {
			return nil
		}
		h.opened, h.locked = h.now(), err
	}
	return h.locked
}

// outcome tells the world text and the log err, once until it is right again.
func (h *readiness) outcome(name, text string, err error) Check {
	if err == nil {
		delete(h.said, name)
		return Check{Name: name, OK: true}
	}
	if !h.said[name] {
		h.logger.Error("not ready", "check", name, "error", err)
		h.said[name] = true
	}
	return Check{Name: name, Error: text}
}

package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/pgdb"
)

// livez says that the process answers; it asks nobody.
func livez(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readiness says whether this process can do its work: the database answers, no
// migration is pending, its workers (if it has any) take jobs. Anybody may ask:
// the answer names no user, host or port, the log has the whole error. One
// look serves all who ask within a second, so asking costs no connections.
type readiness struct {
	pool    *pgxpool.Pool
	workers func() error // nil without that role
	logger  *slog.Logger
	now     func() time.Time

	mu     sync.Mutex
	looked time.Time
	checks []Check
	said   map[string]bool // what was logged as wrong and is not right again
}

const readyzKeep = time.Second

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
	database := h.pool.Ping(ctx)
	checks := []Check{h.outcome("database", "the database does not answer; the log says more", database)}
	if database == nil {
		checks = append(checks, h.outcome("migrations", "the schema is not this program's; the log says more (towpath migrate status, towpath migrate up)", pgdb.Ready(ctx, h.pool)))
	}
	if h.workers != nil {
		checks = append(checks, h.outcome("workers", "the workers have stopped", h.workers()))
	}
	h.checks, h.looked = checks, h.now()
	return checks
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

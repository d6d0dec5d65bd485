package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/ingress"
	"towpath/pkg/metrics"
	"towpath/pkg/pgdb"
)

// livez says that the process answers; it asks nobody.
func livez(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readyz says whether this process can do its work: the database answers, no
// migration is pending, its workers (if it has any) take jobs. Anybody may ask:
// the answer names no user, host or port, the log has the whole error. A look
// serves all who ask within a second, so asking costs no connections.
type readyz struct {
	pool    *pgxpool.Pool
	workers func() error // nil without that role
	logger  *slog.Logger
	now     func() time.Time

	mu     sync.Mutex
	looked time.Time
	checks []check
	said   map[string]bool // what was logged as wrong and is not right again
}

const readyzKeep = time.Second

type check struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"` // for everybody to read
}

// ServeHTTP answers 200 or 503 with every check.
func (h *readyz) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	checks := h.look(context.WithoutCancel(r.Context()))
	status := http.StatusOK
	if slices.ContainsFunc(checks, func(c check) bool { return !c.OK }) {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"ready": status == http.StatusOK, "checks": checks})
}

// look answers the checks of the last second, or makes them.
func (h *readyz) look(ctx context.Context) []check {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checks != nil && h.now().Sub(h.looked) < readyzKeep {
		return h.checks
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	database := h.pool.Ping(ctx)
	checks := []check{h.outcome("database", "the database does not answer; the log says more", database)}
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
func (h *readyz) outcome(name, text string, err error) check {
	if err == nil {
		delete(h.said, name)
		return check{Name: name, OK: true}
	}
	if !h.said[name] {
		h.logger.Error("not ready", "check", name, "error", err)
		h.said[name] = true
	}
	return check{Name: name, Error: text}
}

// queueSnapshot reads what the gauges of the queue show.
func queueSnapshot(pool *pgxpool.Pool) func(context.Context) (metrics.Snapshot, error) {
	queries := dbsqlc.New()
	return func(ctx context.Context) (metrics.Snapshot, error) {
		depth, err := queries.QueueDepth(ctx, pool)
		if err != nil {
			return metrics.Snapshot{}, err
		}
		held, err := queries.SyncRunHeldByReason(ctx, pool)
		if err != nil {
			return metrics.Snapshot{}, err
		}
		snapshot := metrics.Snapshot{Held: map[string]int64{}}
		for _, row := range depth {
			snapshot.Jobs = append(snapshot.Jobs, metrics.JobCount{Kind: row.Kind, State: row.State, Jobs: row.Jobs, OldestSeconds: row.OldestSeconds})
		}
		for _, row := range held {
			snapshot.Held[row.Reason] = row.Runs
		}
		budgets, err := queries.CallBudgetList(ctx, pool)
		if err != nil {
			return metrics.Snapshot{}, err
		}
		budgetSnapshot(budgets, &snapshot)
		last, err := queries.QueueLastArrival(ctx, pool)
		if err == nil {
			snapshot.LastWebhook = &last
		} else if !errors.Is(err, pgx.ErrNoRows) {
			return metrics.Snapshot{}, err
		}
		return snapshot, nil
	}
}

// tokenKeep is how much longer than needed a spent token is remembered: another
// process's clock may run behind this one's.
const tokenKeep = 10 * time.Minute

// sweep removes what no one needs any more: expired tokens, processes long gone.
// If a round is lost, the next one does its work.
func sweep(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) {
	queries := dbsqlc.New()
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if _, err := queries.SpentJTIDeleteExpired(ctx, pool, time.Now().Add(-tokenKeep)); err != nil {
			logger.WarnContext(ctx, "sweep spent tokens", "error", err)
		}
		if _, err := queries.WorkerProcessDeleteDead(ctx, pool); err != nil {
			logger.WarnContext(ctx, "sweep worker processes", "error", err)
		}
	}
}

// notTheIngress answers what belongs to a process that plays the ingress.
func notTheIngress(w http.ResponseWriter, r *http.Request) {
	if !ingress.FromShop(r) && !strings.HasPrefix(r.URL.Path, "/webhooks/") && !strings.HasPrefix(r.URL.Path, "/v1/") {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Retry-After", "60")
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, `{"type":"about:blank","title":"Service Unavailable","status":503,"code":"not_the_ingress",`+
		`"detail":"this process does not play the ingress; send /webhooks and /v1 to one that serves with --roles ingress"}`)
}

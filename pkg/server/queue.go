package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"
	"riverqueue.com/riverui"

	"towpath/pkg/dashboard"
	"towpath/riverjobs"
)

// queueUI is River's own page of the jobs, for the dashboard to mount. It has the
// pages' pool: what it counts must not keep webhooks waiting. What is done there is
// written to River's table alone; the triggers carry it to the runs.
func (s *Server) queueUI(ctx context.Context, pool *pgxpool.Pool, base string) (http.Handler, error) {
	client, err := riverjobs.NewInserter(pool, s.cfg.Logger)
	if err != nil {
		return nil, err
	}
	ui, err := riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints: riverui.NewEndpoints(client, nil), Prefix: base + dashboard.QueuePath,
		Logger: slog.New(warnings{s.cfg.Logger.Handler()}),
	})
	if err != nil {
		return nil, fmt.Errorf("make River UI: %w", err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	if err := ui.Start(running); err != nil {
		stop()
		return nil, fmt.Errorf("start River UI: %w", err)
	}
	s.stack.OnStop(stop)
	return ui, nil
}

// warnings passes on what is at least one: River UI tells of each request.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/find"
	"towpath/pkg/notify"
	"towpath/pkg/oauth"
	"towpath/pkg/pgdb"
	"towpath/pkg/refdata"
	"towpath/pkg/retention"
	"towpath/pkg/verify"
	"towpath/riverjobs"
)

// startKeeper makes the server's keeper. It has a pool of its own: a refresh holds a
// connection while it calls, which must be neither the ingress's nor the workers'.
func (s *Server) startKeeper(db pools, registry prometheus.Registerer) error {
	inserter, err := riverjobs.NewInserter(db.tokens, s.cfg.Logger)
	if err != nil {
		return err
	}
	op := &riverjobs.Operator{Pool: db.tokens, Client: inserter, Who: "consent"}
	err = s.clients.NewKeeper(op, oauth.Config{Pages: db.pages, Logger: s.cfg.Logger, Count: countOAuth(registry)})
	if err != nil {
		return err
	}
	if s.cfg.Roles.Worker {
		s.stack.Background(s.clients.Keeper.Run)
	}
	return nil
}

// startWorkers joins the processes that work the queue and starts River's client.
func (s *Server) startWorkers(ctx context.Context, db pools) error {
	process, err := riverjobs.Join(ctx, pgdb.Config{URL: s.cfg.DatabaseURL, Failover: s.failover}, s.cfg.Logger)
	if err != nil {
		return err
	}
	s.stack.Background(process.Run)
	s.process, s.progress = process, &riverjobs.Progress{Pool: db.pages, Now: time.Now}
	client, err := riverjobs.NewWorker(db.river, process.ID, riverjobs.Config{
		Pool: db.work, Shops: s.clients.Shop, Ledgers: s.clients.Ledger, Metrics: s.metrics, Logger: s.cfg.Logger,
		Now: time.Now, Alive: process.Alive, Progress: s.progress, Limits: s.cfg.Limits, BaseURL: s.cfg.BaseURL, Workers: s.cfg.Workers, SoftStop: softStop,
	})
	if err != nil {
		return err
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start workers: %w", err)
	}
	s.alive = func() error { return running(client) }
	s.stack.OnStop(func() {
		// Jobs finish within softStop or are put back into the queue, their attempt uncounted.
		ctx, cancel := context.WithTimeout(context.Background(), softStop+10*time.Second)
		defer cancel()
		if err := client.Stop(ctx); err != nil {
			s.cfg.Logger.Error("stop workers", "error", err)
		}
	})
	s.stack.Background(func(ctx context.Context) { sweep(ctx, db.pages, s.cfg.Logger) })
	s.stack.Background((&find.Filler{Pool: db.pages, Logger: s.cfg.Logger}).Run)
	if s.cfg.Retention > 0 {
		s.stack.Background((&retention.Keeper{Pool: db.pages, After: s.cfg.Retention, Now: time.Now, Metrics: s.metrics, Logger: s.cfg.Logger}).Run)
	}
	if err := s.startNotifier(db); err != nil {
		return err
	}
	leads := func(ctx context.Context) (bool, error) { return riverjobs.Leads(ctx, db.pages, process.ID) }
	s.stack.Background((&verify.Rounds{Pool: db.pages, Leads: leads, Logger: s.cfg.Logger}).Run)
	s.stack.Background((&refdata.Refresher{Pool: db.pages, Clients: s.clients, Metrics: s.metrics, Logger: s.cfg.Logger}).Run)
	return nil
}

// startNotifier tells whoever is to be told, if anybody is.
func (s *Server) startNotifier(db pools) error {
	if !s.cfg.Notify.Enabled() {
		return nil
	}
	cfg := s.cfg.Notify
	cfg.BaseURL = s.cfg.BaseURL
	notifier, err := notify.New(db.pages, cfg, s.metrics, s.cfg.Logger, time.Now)
	if err != nil {
		return err
	}
	s.stack.Background(notifier.Run)
	return nil
}

func running(client *riverjobs.Client) error {
	select {
	case <-client.Stopped():
		return errors.New("the workers have stopped")
	default:
		return nil
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

package main

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
	"towpath/pkg/oauth"
	"towpath/riverjobs"
)

// newKeeper makes the token manager; what it connects releases held runs.
func newKeeper(pool *pgxpool.Pool, op *riverjobs.Operator, conns connections, cfg oauth.Config) (*oauth.Keeper, error) {
	cfg.Pool, cfg.Box, cfg.HTTP, cfg.Release = pool, conns.box, conns.http, op.ReleaseHeld
	if conns.metrics != nil {
		cfg.Observe = conns.metrics.ProviderRequest
	}
	return oauth.New(cfg)
}

// commandConnections is newConnections with a keeper, for a command.
func commandConnections(io console, pool *pgxpool.Pool) (connections, error) {
	box, err := io.box()
	if err != nil {
		return connections{}, err
	}
	private, err := io.allowPrivate()
	if err != nil {
		return connections{}, err
	}
	op, err := io.operator(pool)
	if err != nil {
		return connections{}, err
	}
	conns := newConnections(box, private, nil)
	conns.keeper, err = newKeeper(pool, op, conns, oauth.Config{})
	return conns, err
}

// connectApp connects a binding whose app needs no browser, and reads what its
// settings may refer to; if that cannot be had now, the first run asks again.
func (c connections) connectApp(ctx context.Context, io console, pool *pgxpool.Pool, id uuid.UUID) (oauth.Connected, error) {
	done, err := c.keeper.ConnectApp(ctx, id)
	if err != nil {
		return done, err
	}
	readReference(ctx, io, pool, id)
	return done, nil
}

// startKeeper makes the server's keeper. The workers' pool serves it: a refresh
// holds a connection while it calls, which must not be the ingress's.
func (s *server) startKeeper(db pools, registry prometheus.Registerer) error {
	inserter, err := riverjobs.NewInserter(db.work, s.cfg.Logger)
	if err != nil {
		return err
	}
	conns := newConnections(s.cfg.Box, s.cfg.AllowPrivate, s.metrics)
	op := &riverjobs.Operator{Pool: db.work, Client: inserter, Who: "consent"}
	s.keeper, err = newKeeper(db.work, op, conns, oauth.Config{Pages: db.pages, Logger: s.cfg.Logger, Count: countOAuth(registry)})
	if err != nil {
		return err
	}
	if s.cfg.Roles.Worker {
		s.background(s.keeper.Run)
	}
	return nil
}

// countOAuth registers what happens to the providers' tokens.
func countOAuth(registry prometheus.Registerer) func(event string) {
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "towpath", Name: "oauth_events_total", Help: "Connections and renewals of providers' tokens, and refusals of them.",
	}, []string{"event"})
	registry.MustRegister(events)
	for _, event := range oauth.Events() {
		events.WithLabelValues(event)
	}
	return func(event string) { events.WithLabelValues(event).Inc() }
}

// withTokenExpiry adds to a snapshot when the first access token expires.
func withTokenExpiry(pool *pgxpool.Pool, read func(context.Context) (metrics.Snapshot, error)) func(context.Context) (metrics.Snapshot, error) {
	return func(ctx context.Context) (metrics.Snapshot, error) {
		snapshot, err := read(ctx)
		if err != nil {
			return snapshot, err
		}
		expiry, err := dbsqlc.New().OAuthEarliestExpiry(ctx, pool)
		if err == nil && expiry.Grants > 0 {
			left := time.Duration(expiry.Seconds * float64(time.Second))
			snapshot.TokenExpiry = &left
		}
		return snapshot, err
	}
}

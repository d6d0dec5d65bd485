// Package server is a running Towpath: Start wires what its roles need from top to
// bottom, Stop takes that down in reverse.
package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/julienschmidt/httprouter"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"towpath/pkg/clients"
	"towpath/pkg/dashboard"
	"towpath/pkg/idp"
	"towpath/pkg/magento"
	"towpath/pkg/metrics"
	"towpath/pkg/notify"
	"towpath/pkg/oauth"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb"
	"towpath/pkg/quota"
	"towpath/pkg/restored"
	"towpath/pkg/secret"
	"towpath/pkg/stack"
	"towpath/riverjobs"
)

// Config is everything that a server needs.
type Config struct {
	DatabaseURL   string
	Listen        string
	MetricsListen string         // where /metrics, /livez and /readyz are; "": where all is
	Listeners     []net.Listener // instead of Listen, where some are open already
	// Inherited says that the listeners are somebody's who keeps them open beyond our
	// end: who connects while this process stops is served by the next.
	Inherited     bool
	BaseURL       string // checked by CheckBaseURL
	Box           *secret.Box
	AdminPassword secret.String   // of the user admin; empty: that user is left as it is
	Identity      idp.Config      // the identity provider that vouches for users; zero: none
	Gate          *dashboard.Gate // in place of users, where the process makes a token itself
	AllowPrivate  outbound.Private
	PerTenant     bool // metrics by tenant
	Migrate       bool // bring the schema up first
	Roles         Roles
	Workers       int           // jobs of each kind at once
	Limits        quota.Limits  // of calls to a provider; zero: the provider's own
	Retention     time.Duration // after a run's end until what is personal of it is blanked; 0: never
	Notify        notify.Config // who is told what needs a person; zero: nobody
	StateFile     string        // what this process saw of the database last (pkg/restored); "": nowhere
	Logger        *slog.Logger
}

// Roles are the parts of Towpath that a process plays.
type Roles struct{ Ingress, Worker, Dashboard bool }

// Limits of a stop: how long requests may finish, and running jobs.
const (
	drainTime = 10 * time.Second
	softStop  = 10 * time.Second
)

// Server is a running Towpath.
type Server struct {
	stack   stack.Stack
	cfg     Config
	addr    string
	pools   pools
	machine string // of a listener for machines
	metrics *metrics.Metrics
	clients clients.Factory
	failed  chan error
	web     *front // nil before it listens
	// failover makes all connections of the process leave a server together.
	failover *pgdb.Failover
	// drain makes the front door turn new requests away; nil without that role.
	drain func()
	// endStreams ends the pages' live updates; nil without that role.
	endStreams func()
	// alive reports whether the workers take jobs; nil without that role.
	alive    func() error
	process  *riverjobs.Process
	progress *riverjobs.Progress
}

// pools of one process: the ingress's, the pages' and checks' (which must not
// keep webhooks waiting), River's own, the workers', and the keeper's of tokens.
type pools struct{ web, pages, river, work, tokens *pgxpool.Pool }

// Start serves until Stop. What was started is stopped again if a step fails.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, failed: make(chan error, 1), failover: pgdb.NewFailover(cfg.Logger)}
	if err := s.start(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Stop ends it in reverse order of its start; it may be repeated.
func (s *Server) Stop() { s.stack.Stop() }

// Addr is where it listens, host:port.
func (s *Server) Addr() string { return s.addr }

// MetricsAddr is where metrics and health are if they have a listener of their own.
func (s *Server) MetricsAddr() string { return s.machine }

// Failed tells of an error after which it serves no more.
func (s *Server) Failed() <-chan error { return s.failed }

func (s *Server) start(ctx context.Context) error {
	db, err := s.openPools(ctx)
	if err != nil {
		return err
	}
	s.pools = db
	if err := pgdb.CheckSessions(ctx, db.web); err != nil {
		return err
	}
	if err := s.schema(ctx, db.web); err != nil {
		return err
	}
	if err := oauth.CheckKey(ctx, db.web, s.cfg.Box); err != nil {
		return err
	}
	past := &restored.Watch{Pool: db.pages, File: s.cfg.StateFile, Logger: s.cfg.Logger}
	if err := past.Start(ctx); err != nil {
		return err
	}
	s.stack.Background(past.Run)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.metrics = metrics.New(registry, metrics.Options{PerTenant: s.cfg.PerTenant, ShopOperations: magento.Operations()})
	s.metrics.WatchPools(db.named())
	s.metrics.WatchQueue(snapshotOf(db.pages))
	s.clients = clients.New(s.cfg.Box, s.cfg.AllowPrivate, s.metrics)
	if err := s.startKeeper(db, registry); err != nil {
		return err
	}
	if s.cfg.Inherited {
		s.stack.OnStop(s.closeDoor) // after the workers: until then what comes is accepted
	}
	router := httprouter.New()
	// Its redirects know no base path, and a shop may not follow them.
	router.RedirectTrailingSlash, router.RedirectFixedPath = false, false
	// Before the workers, who take what connections there are: each pool has one by now.
	if err := s.route(ctx, router, db); err != nil {
		return err
	}
	if s.cfg.Roles.Worker {
		if err := s.startWorkers(ctx, db); err != nil {
			return err
		}
	}
	if err := s.serveMachines(router, db, registry); err != nil {
		return err
	}
	return s.listen(underBase(BasePath(s.cfg.BaseURL), router))
}

// ProcessConns is how many connections one process opens at most: its pools', and
// one each for being known as alive, for listening, for River's leader and for Look.
const ProcessConns = webConns + pageConns + riverConns + workConns + tokenConns + 4

// Few work: what does not find a connection free is gathered with what comes meanwhile,
// and each connection pays for the plans of its own. With twelve for work, two cores did
// a fifth to a third fewer runs.
const (
	webConns   = 12
	pageConns  = 4
	riverConns = 4
	workConns  = 5
	tokenConns = 6 // a renewal keeps one for as long as the identity server takes
)

func (s *Server) openPools(ctx context.Context) (pools, error) {
	var db pools
	for _, p := range []struct {
		pool *(*pgxpool.Pool)
		cfg  pgdb.Config
	}{
		{&db.web, pgdb.Config{MaxConns: webConns, GenericPlans: true}},
		{&db.pages, pgdb.Config{MaxConns: pageConns}},
		{&db.river, pgdb.Config{MaxConns: riverConns}},
		{&db.work, pgdb.Config{MaxConns: workConns, GenericPlans: true}},
		{&db.tokens, pgdb.Config{MaxConns: tokenConns}},
	} {
		p.cfg.URL, p.cfg.Failover = s.cfg.DatabaseURL, s.failover
		pool, err := pgdb.Open(ctx, p.cfg)
		if err != nil {
			return db, err
		}
		*p.pool = pool
		s.stack.OnStop(pool.Close)
	}
	return db, nil
}

// schema migrates where it was asked for, else insists that nothing is pending.
func (s *Server) schema(ctx context.Context, pool *pgxpool.Pool) error {
	if s.cfg.Migrate {
		applied, err := pgdb.Migrate(ctx, pool)
		for _, a := range applied {
			s.cfg.Logger.InfoContext(ctx, "migration applied", "source", a.Source, "version", a.Version, "name", a.Name)
		}
		return err
	}
	status, err := pgdb.ReadStatus(ctx, pool)
	if err != nil {
		return err
	}
	if n := len(status.Pending()); n > 0 {
		if err := pgdb.CheckOurs(ctx, pool); err != nil {
			return err
		}
		return fmt.Errorf("%d migrations are pending: run \"towpath migrate up\", or serve with --migrate", n)
	}
	return nil
}

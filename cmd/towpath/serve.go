package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/julienschmidt/httprouter"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"towpath/pkg/dashboard"
	"towpath/pkg/ingress"
	"towpath/pkg/magento"
	"towpath/pkg/metrics"
	"towpath/pkg/oauth"
	"towpath/pkg/pgdb"
	"towpath/riverjobs"
)

type serveCommand struct {
	database
	Listen           string   `placeholder:"HOST:PORT" help:"Where to listen ($$TOWPATH_LISTEN, default 127.0.0.1:8080)."`
	BaseURL          string   `name:"base-url" placeholder:"URL" help:"Where people and shops reach this Towpath ($$TOWPATH_BASE_URL, default the listen address)."`
	Roles            []string `default:"ingress,worker,dashboard" placeholder:"ROLE,..." help:"The parts this process plays: ingress, worker, dashboard (default all)."`
	Migrate          bool     `help:"Bring the schema up first."`
	Workers          int      `default:"500" help:"Jobs of each kind at once, each with those it takes along; a bound of memory: fairness is by shop and ledger."`
	MetricsPerTenant bool     `name:"metrics-per-tenant" help:"Also count by tenant: one series each."`
}

// Help names what the flags do not.
func (serveCommand) Help() string {
	return `Also read from the environment: TOWPATH_SECRET_KEY (needed; 32 bytes in base64, openssl rand -base64 32),
TOWPATH_ADMIN_PASSWORD (the dashboard's, 12 characters at least; without it there is no dashboard),
TOWPATH_ALLOW_PRIVATE_URLS, TOWPATH_LOG_LEVEL, TOWPATH_LOG_FORMAT. Each secret also as a file, by its name with _FILE.`
}

// Run serves until the process is told to stop, then stops in reverse order.
func (s serveCommand) Run(ctx context.Context, io console) error {
	cfg, err := s.config(io)
	if err != nil {
		return err
	}
	cfg.warnOfPassword(ctx)
	server, err := startServer(ctx, cfg)
	if err != nil {
		return err
	}
	cfg.Logger.InfoContext(ctx, "towpath serves", "address", "http://"+server.addr, "base_url", cfg.BaseURL, "roles", strings.Join(s.Roles, ","),
		"version", version())
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-server.failed:
	}
	server.stop()
	return failed
}

// Limits of a stop: how long requests may finish, and running jobs.
const (
	drainTime = 10 * time.Second
	softStop  = 10 * time.Second
)

// server is a running Towpath. startServer builds it from top to bottom, stop
// takes it down in reverse.
type server struct {
	cfg     serverConfig
	addr    string
	metrics *metrics.Metrics
	keeper  *oauth.Keeper
	failed  chan error
	stops   []func()
	once    sync.Once
	// drain makes the front door turn new requests away; nil without that role.
	drain func()
	// alive reports whether the workers take jobs; nil without that role.
	alive func() error
}

// pools of one process: the ingress's, the pages' and checks' (which must not
// keep webhooks waiting), River's own, and the workers'.
type pools struct{ web, pages, river, work *pgxpool.Pool }

func startServer(ctx context.Context, cfg serverConfig) (*server, error) {
	s := &server{cfg: cfg, failed: make(chan error, 1)}
	if err := s.start(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) start(ctx context.Context) error {
	db, err := s.openPools(ctx)
	if err != nil {
		return err
	}
	if err := s.schema(ctx, db.web); err != nil {
		return err
	}
	if err := oauth.CheckKey(ctx, db.web, s.cfg.Box); err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.metrics = metrics.New(registry, metrics.Options{PerTenant: s.cfg.PerTenant, ShopOperations: magento.Operations()})
	s.metrics.WatchPools(map[string]*pgxpool.Pool{"web": db.web, "pages": db.pages, "river": db.river, "work": db.work})
	s.metrics.WatchQueue(withTokenExpiry(db.pages, queueSnapshot(db.pages)))
	if err := s.startKeeper(db, registry); err != nil {
		return err
	}
	if s.cfg.Roles.Worker {
		if err := s.startWorkers(ctx, db); err != nil {
			return err
		}
	}
	router := httprouter.New()
	// Its redirects know no base path, and a shop may not follow them.
	router.RedirectTrailingSlash, router.RedirectFixedPath = false, false
	if err := s.route(router, db, registry); err != nil {
		return err
	}
	return s.listen(underBase(basePath(s.cfg.BaseURL), router))
}

// onStop notes what undoes a step; stop does them in reverse.
func (s *server) onStop(f func()) { s.stops = append(s.stops, f) }

func (s *server) stop() {
	s.once.Do(func() {
		for i := len(s.stops) - 1; i >= 0; i-- {
			s.stops[i]()
		}
	})
}

func (s *server) openPools(ctx context.Context) (pools, error) {
	var db pools
	for _, p := range []struct {
		pool *(*pgxpool.Pool)
		cfg  pgdb.Config
	}{
		{&db.web, pgdb.Config{MaxConns: 12}},
		{&db.pages, pgdb.Config{MaxConns: 4}},
		{&db.river, pgdb.Config{MaxConns: 8}},
		{&db.work, pgdb.Config{MaxConns: 12, GenericPlans: true}},
	} {
		p.cfg.URL = s.cfg.DatabaseURL
		pool, err := pgdb.Open(ctx, p.cfg)
		if err != nil {
			return db, err
		}
		*p.pool = pool
		s.onStop(pool.Close)
	}
	return db, nil
}

// schema migrates where it was asked for, else insists that nothing is pending.
func (s *server) schema(ctx context.Context, pool *pgxpool.Pool) error {
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
		return fmt.Errorf("%d migrations are pending: run \"towpath migrate up\", or serve with --migrate", n)
	}
	return nil
}

// startWorkers joins the processes that work the queue and starts River's client.
func (s *server) startWorkers(ctx context.Context, db pools) error {
	process, err := riverjobs.Join(ctx, s.cfg.DatabaseURL, s.cfg.Logger)
	if err != nil {
		return err
	}
	s.background(process.Run)
	conns := newConnections(s.cfg.Box, s.cfg.AllowPrivate, s.metrics)
	conns.keeper = s.keeper
	client, err := riverjobs.NewWorker(db.river, process.ID, riverjobs.Config{
		Pool: db.work, Shops: conns.shop, Ledgers: conns.ledger, Metrics: s.metrics, Logger: s.cfg.Logger,
		Now: time.Now, Alive: process.Alive, Limits: s.cfg.Limits, BaseURL: s.cfg.BaseURL, Workers: s.cfg.Workers, SoftStop: softStop,
	})
	if err != nil {
		return err
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start workers: %w", err)
	}
	s.alive = func() error { return running(client) }
	s.onStop(func() {
		// Jobs finish within softStop or are given back, their attempt uncounted.
		ctx, cancel := context.WithTimeout(context.Background(), softStop+10*time.Second)
		defer cancel()
		if err := client.Stop(ctx); err != nil {
			s.cfg.Logger.Error("stop workers", "error", err)
		}
	})
	s.background(func(ctx context.Context) { sweep(ctx, db.pages, s.cfg.Logger) })
	s.background((&refresher{pool: db.pages, conns: conns, metrics: s.metrics, logger: s.cfg.Logger, said: map[uuid.UUID]string{}}).run)
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

// background runs f until the server stops, and waits for its end.
func (s *server) background(f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	s.onStop(func() {
		cancel()
		<-done
	})
}

// route mounts what the roles serve, and what every process serves.
func (s *server) route(router *httprouter.Router, db pools, registry *prometheus.Registry) error {
	inserter, err := riverjobs.NewInserter(db.web, s.cfg.Logger)
	if err != nil {
		return err
	}
	if s.cfg.Roles.Ingress {
		door, err := ingress.New(ingress.Config{
			Pool: db.web, Box: s.cfg.Box, Enqueue: riverjobs.Enqueue(inserter), Metrics: s.metrics, Logger: s.cfg.Logger, Now: time.Now,
		})
		if err != nil {
			return err
		}
		door.Register(router)
		router.NotFound, router.MethodNotAllowed = http.HandlerFunc(door.NotFound), http.HandlerFunc(door.MethodNotAllowed)
		s.drain = door.Drain
	} else {
		// A shop buries an event at the first 4xx, also one that was sent here by mistake.
		router.NotFound = http.HandlerFunc(notTheIngress)
	}
	if s.cfg.Roles.Dashboard {
		op := &riverjobs.Operator{Pool: db.pages, Client: inserter, Who: "dashboard"}
		pages := dashboard.New(dashboard.Config{
			Pool: db.pages, Password: s.cfg.AdminPassword, Gate: s.cfg.Gate, Box: s.cfg.Box,
			BasePath: basePath(s.cfg.BaseURL), Secure: strings.HasPrefix(s.cfg.BaseURL, "https://"), Logger: s.cfg.Logger, Now: time.Now, Retry: retryOf(op),
			Connect: connectOf(s.keeper, db.pages, s.cfg.BaseURL),
		})
		pages.Register(router)
		router.Handler(http.MethodGet, "/", http.RedirectHandler(basePath(s.cfg.BaseURL)+"/dashboard/sync", http.StatusFound))
		consents := oauth.NewPages(s.keeper, s.cfg.BaseURL)
		router.HandlerFunc(http.MethodGet, oauth.StartPath, consents.Start)
		router.HandlerFunc(http.MethodGet, oauth.CallbackPath, consents.Callback)
	}
	router.Handler(http.MethodGet, "/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	router.HandlerFunc(http.MethodGet, "/livez", livez)
	router.Handler(http.MethodGet, "/readyz", &readyz{
		pool: db.pages, workers: s.alive, logger: s.cfg.Logger, now: time.Now, said: map[string]bool{},
	})
	return nil
}

func (s *server) listen(handler http.Handler) error {
	listener := s.cfg.Listener
	if listener == nil {
		var err error
		if listener, err = net.Listen("tcp", s.cfg.Listen); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	s.addr = listener.Addr().String()
	web := &http.Server{
		Handler: handler,
		// Above the shop's own 15 s, so that a slow caller is answered, not cut.
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn),
	}
	go func() {
		if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serve: %w", err)
		}
	}()
	// Registered last, so done first: what comes on open connections is told to
	// come again, what is under way ends as it would.
	s.onStop(func() {
		if s.drain != nil {
			s.drain()
		}
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		if err := web.Shutdown(ctx); err != nil {
			s.cfg.Logger.Error("drain requests", "error", err)
		}
	})
	return nil
}

// retryOf is the dashboard's button.
func retryOf(op *riverjobs.Operator) func(context.Context, uuid.UUID) error {
	return func(ctx context.Context, id uuid.UUID) error {
		err := op.Retry(ctx, id)
		if errors.Is(err, riverjobs.ErrNothingToDo) {
			return fmt.Errorf("%w: %w", dashboard.ErrNothingToRetry, err)
		}
		return err
	}
}

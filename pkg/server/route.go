package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"towpath/pkg/actions"
	"towpath/pkg/dashboard"
	"towpath/pkg/ingress"
	"towpath/pkg/monitoring"
	"towpath/pkg/oauth"
	"towpath/riverjobs"
)

// route mounts what the roles serve, and what every process serves.
func (s *Server) route(ctx context.Context, router *httprouter.Router, db pools) error {
	if s.cfg.Roles.Ingress {
		if err := s.routeIngress(router, db); err != nil {
			return err
		}
	} else {
		// A shop dead-letters an event at the first 4xx, also one that was sent here by mistake.
		router.NotFound = http.HandlerFunc(notTheIngress)
	}
	if s.cfg.Roles.Dashboard {
		if err := s.routePages(ctx, router, db); err != nil {
			return err
		}
	}
	s.routeRunbooks(router)
	return nil
}

// serveMachines serves what monitors ask: beside everything else, or by a listener of its
// own, which then alone has it.
func (s *Server) serveMachines(router *httprouter.Router, db pools, registry *prometheus.Registry) error {
	if s.cfg.MetricsListen != "" {
		router = httprouter.New()
	}
	readable(router, "/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	readable(router, "/livez", http.HandlerFunc(livez))
	readable(router, "/readyz", &readiness{
		pool: db.pages, writes: &writable{pool: db.web, now: time.Now}, secrets: func(ctx context.Context) error { return oauth.CheckKey(ctx, db.pages, s.cfg.Box) },
		workers: s.alive, logger: s.cfg.Logger, now: time.Now, said: map[string]bool{},
	})
	if s.cfg.MetricsListen == "" {
		return nil
	}
	listener, err := open(s.cfg.MetricsListen, "--metrics-listen or TOWPATH_METRICS_LISTEN")
	if err != nil {
		return err
	}
	s.machine = listener.Addr().String()
	web := newFront(router, s.cfg.Logger, s.fail, listener)
	// Registered before the front door's, so stopped after it: it is watched while it drains.
	s.stack.OnStop(func() { s.shutdown(web) })
	return nil
}

// open listens at an address, which the setting names.
func open(address, setting string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w; another process listens there: choose another by %s", err, setting)
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}

// routeRunbooks serves what the alerts' runbook_url leads to, by every process and to
// everybody, as /livez is.
func (s *Server) routeRunbooks(router *httprouter.Router) {
	pages := monitoring.Pages{Base: BasePath(s.cfg.BaseURL)}
	readable(router, monitoring.Path, http.HandlerFunc(pages.Index))
	readable(router, monitoring.Path+"/:alert", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages.Show(w, httprouter.ParamsFromContext(r.Context()).ByName("alert"))
	}))
}

// readable mounts what changes nothing: monitors ask by HEAD too.
func readable(router *httprouter.Router, path string, h http.Handler) {
	router.Handler(http.MethodGet, path, h)
	router.Handler(http.MethodHead, path, h)
}

func (s *Server) routeIngress(router *httprouter.Router, db pools) error {
	door, err := ingress.New(ingress.Config{
		Pool: db.web, Box: s.cfg.Box, Enqueue: riverjobs.Enqueue, Metrics: s.metrics, Logger: s.cfg.Logger, Now: time.Now,
	})
	if err != nil {
		return err
	}
	door.Register(router)
	router.NotFound, router.MethodNotAllowed = http.HandlerFunc(door.NotFound), http.HandlerFunc(door.MethodNotAllowed)
	s.drain = door.Drain
	return nil
}

func (s *Server) routePages(ctx context.Context, router *httprouter.Router, db pools) error {
	inserter, err := riverjobs.NewInserter(db.web, s.cfg.Logger)
	if err != nil {
		return err
	}
	store, err := s.users(ctx, db.pages)
	if err != nil {
		return err
	}
	base := BasePath(s.cfg.BaseURL)
	queue, err := s.queueUI(ctx, db.pages, base)
	if err != nil {
		return err
	}
	operator := riverjobs.Operator{Pool: db.pages, Client: inserter}
	many := riverjobs.Operator{Pool: db.pages, Client: inserter, Backfill: true}
	pages := dashboard.New(dashboard.Config{
		Pool: db.pages, Users: store, Identity: s.identity(store), Gate: s.cfg.Gate, Box: s.cfg.Box,
		BasePath: base, Secure: strings.HasPrefix(s.cfg.BaseURL, "https://"), Logger: s.cfg.Logger, Now: time.Now,
		Queue: queue,
		Retry: buttonOf(operator, (*riverjobs.Operator).Retry), Cancel: buttonOf(operator, (*riverjobs.Operator).Cancel),
		RetryMany: buttonOf(many, (*riverjobs.Operator).Retry), Release: buttonOf(operator, (*riverjobs.Operator).ReleaseReason),
		Connect: connectOf(s.clients.Keeper, db.pages, s.cfg.BaseURL),
		Actions: &actions.Actions{Pool: db.pages, Jobs: inserter, Clients: s.clients, Box: s.cfg.Box, Private: s.cfg.AllowPrivate, BaseURL: s.cfg.BaseURL},
	})
	pages.Register(router)
	s.endStreams = pages.Close
	readable(router, "/", http.RedirectHandler(base+"/dashboard", http.StatusFound))
	consents := oauth.NewPages(s.clients.Keeper, s.cfg.BaseURL)
	router.HandlerFunc(http.MethodGet, oauth.StartPath, consents.Start)
	router.HandlerFunc(http.MethodGet, oauth.CallbackPath, consents.Callback)
	return nil
}

// listen serves, as the last step of a start.
func (s *Server) listen(handler http.Handler) error {
	listeners := s.cfg.Listeners
	if len(listeners) == 0 {
		listener, err := open(s.cfg.Listen, "--listen or TOWPATH_LISTEN")
		if err != nil {
			return err
		}
		listeners = []net.Listener{listener}
	}
	s.addr = listeners[0].Addr().String()
	s.web = newFront(handler, s.cfg.Logger, s.fail, listeners...)
	if !s.cfg.Inherited {
		s.stack.OnStop(s.closeDoor) // registered last, so done first
	}
	return nil
}

// closeDoor ends the serving: what is under way ends as it would. What comes on open
// connections meanwhile is told to come again, but where the next process has the
// listeners too: it is accepted, and who connects after that waits for the next.
func (s *Server) closeDoor() {
	if s.web == nil {
		return
	}
	if s.drain != nil && !s.cfg.Inherited {
		s.drain()
	}
	if s.endStreams != nil {
		s.endStreams()
	}
	s.shutdown(s.web)
}

// shutdown lets a server end what is under way.
func (s *Server) shutdown(web *front) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := web.stop(ctx); err != nil {
		s.cfg.Logger.Error("drain requests", "error", err)
	}
}

// fail ends the serving; the first error is the one that is told.
func (s *Server) fail(err error) {
	select {
	case s.failed <- fmt.Errorf("serve: %w", err):
	default:
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

package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"towpath/pkg/server"
)

type serveCommand struct {
	database
	Listen           string   `placeholder:"HOST:PORT" help:"Where to listen ($$TOWPATH_LISTEN, default 127.0.0.1:8080)."`
	MetricsListen    string   `name:"metrics-listen" placeholder:"HOST:PORT" help:"Where /metrics, /livez and /readyz are, in place of the address that shops reach ($$TOWPATH_METRICS_LISTEN)."`
	BaseURL          string   `name:"base-url" placeholder:"URL" help:"Where people and shops reach this Towpath ($$TOWPATH_BASE_URL, default the listen address)."`
	Roles            []string `default:"ingress,worker,dashboard" placeholder:"ROLE,..." help:"The parts this process plays: ingress, worker, dashboard (default all)."`
	Migrate          bool     `help:"Bring the schema up first."`
	Workers          int      `default:"500" help:"Jobs of each kind at once, each with those it takes along; a bound of memory: fairness is by shop and ledger."`
	MetricsPerTenant bool     `name:"metrics-per-tenant" help:"Also count by tenant: one series each."`
}

// Help names what the flags do not.
func (serveCommand) Help() string {
	return `Also read from the environment: TOWPATH_SECRET_KEY (needed; 32 bytes in base64, openssl rand -base64 32),
TOWPATH_ADMIN_PASSWORD (12 characters at least: the user admin has it from the start on; others: towpath user add),
TOWPATH_OIDC_... (sign-in by an identity provider), TOWPATH_ALLOW_PRIVATE_URLS, TOWPATH_RETENTION, TOWPATH_STATE_DIR, TOWPATH_NOTIFY_..., TOWPATH_LOG_LEVEL, TOWPATH_LOG_FORMAT. Each secret also as a file, by its name with _FILE.

SIGUSR1 turns the log to debug, and back at the next. SIGTERM and SIGINT stop it.`
}

// changeLevel turns the log to debug at SIGUSR1, and back to the level of the settings (info
// where that is debug itself) at the next, until it is called off. It says so in the log.
func changeLevel(logger *slog.Logger, level *slog.LevelVar) (off func()) {
	if level == nil {
		return func() {}
	}
	quiet := max(level.Level(), slog.LevelInfo)
	asked, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-asked:
			}
			to := slog.LevelDebug
			if level.Level() == slog.LevelDebug {
				to = quiet
			}
			// Said at debug's side of the change, where every level is shown.
			level.Set(slog.LevelDebug)
			logger.Info("log level changed", "level", strings.ToLower(to.String()), "by", "SIGUSR1")
			level.Set(to)
		}
	}()
	return func() {
		signal.Stop(asked)
		close(done)
	}
}

// Run serves until the process is told to stop, then stops in reverse order.
func (s serveCommand) Run(ctx context.Context, io console) error {
	cfg, err := s.config(io)
	if err != nil {
		return err
	}
	warnOfPassword(ctx, cfg)
	defer changeLevel(cfg.Logger, io.level)()
	running, err := server.Start(ctx, cfg)
	if err != nil {
		return asSetting(err)
	}
	cfg.Logger.InfoContext(ctx, "towpath serves", "address", "http://"+running.Addr(), "base_url", cfg.BaseURL, "roles", strings.Join(s.Roles, ","),
		"version", version())
	io.manager.Ready(cfg.Logger, "serves http://"+running.Addr())
	watching, endWatch := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		io.manager.Watch(watching, running.Look)
	}()
	if at := running.MetricsAddr(); at != "" {
		cfg.Logger.InfoContext(ctx, "towpath serves metrics and health", "address", "http://"+at)
	}
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-running.Failed():
	}
	cfg.Logger.InfoContext(ctx, "towpath stops")
	endWatch()
	<-watched // it looks at what Stop takes down
	io.manager.Stopping()
	running.Stop()
	cfg.Logger.InfoContext(ctx, "towpath has stopped")
	return failed
}

package main

import (
	"context"
	"strings"

	"towpath/pkg/server"
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
TOWPATH_ADMIN_PASSWORD (12 characters at least: the user admin has it from the start on; others: towpath user add),
TOWPATH_ALLOW_PRIVATE_URLS, TOWPATH_RETENTION, TOWPATH_NOTIFY_..., TOWPATH_LOG_LEVEL, TOWPATH_LOG_FORMAT. Each secret also as a file, by its name with _FILE.`
}

// Run serves until the process is told to stop, then stops in reverse order.
func (s serveCommand) Run(ctx context.Context, io console) error {
	cfg, err := s.config(io)
	if err != nil {
		return err
	}
	warnOfPassword(ctx, cfg)
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

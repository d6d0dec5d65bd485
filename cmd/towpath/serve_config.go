package main

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	"towpath/pkg/secret"
	"towpath/pkg/server"
	"towpath/pkg/users"
)

func parseRoles(names []string) (server.Roles, error) {
	var r server.Roles
	for _, name := range names {
		switch name {
		case "ingress":
			r.Ingress = true
		case "worker":
			r.Worker = true
		case "dashboard":
			r.Dashboard = true
		default:
			return r, wrongUse("--roles has %q; use ingress, worker, dashboard", name)
		}
	}
	return r, nil
}

// config reads the command line and the environment of serve. The error names every
// setting that is refused, a line each.
func (s serveCommand) config(io console) (server.Config, error) {
	cfg := server.Config{PerTenant: s.MetricsPerTenant, Migrate: s.Migrate, Workers: s.Workers}
	var warnings []string
	faults := make([]error, 11)
	cfg.DatabaseURL, faults[0] = s.url(io)
	warnings, faults[1] = s.addresses(io, &cfg)
	cfg.AdminPassword, faults[2] = io.adminPassword()
	cfg.Identity, faults[3] = io.identity()
	cfg.Roles, faults[4] = parseRoles(s.Roles)
	cfg.AllowPrivate, faults[5] = io.allowPrivate()
	cfg.Retention, faults[6] = io.retention()
	cfg.Notify, faults[7] = io.notify()
	cfg.Logger, faults[8] = io.logger()
	cfg.Box, faults[9] = io.box()
	cfg.StateFile, faults[10] = io.stateFile()
	if cfg.Workers < 1 || cfg.Workers > 1000 {
		faults = append(faults, wrongUse("--workers is %d; use 1 to 1000", cfg.Workers))
	}
	if err := errors.Join(faults...); err != nil {
		return cfg, err
	}
	for _, warning := range warnings {
		cfg.Logger.Warn(warning, "listen", cfg.Listen, "base_url", cfg.BaseURL)
	}
	return cfg, nil
}

// addresses are where serve listens and is reached; what is odd about them is for the log.
func (s serveCommand) addresses(io console, cfg *server.Config) (warnings []string, err error) {
	if cfg.Listen, err = io.settingOr(s.Listen, "TOWPATH_LISTEN", defaultListen); err != nil {
		return nil, err
	}
	if sockets := io.manager.Sockets; len(sockets) > 0 {
		if at := sockets[0].Addr().String(); at != cfg.Listen && cfg.Listen != defaultListen {
			warnings = append(warnings, "systemd's socket is what serve listens at; TOWPATH_LISTEN (--listen) does nothing")
		}
		cfg.Listen, cfg.Listeners, cfg.Inherited = sockets[0].Addr().String(), sockets, true
	}
	if cfg.MetricsListen, err = io.settingOr(s.MetricsListen, "TOWPATH_METRICS_LISTEN", ""); err != nil {
		return nil, err
	}
	if cfg.MetricsListen != "" && !isAddress(cfg.MetricsListen) {
		return nil, wrongUse("--metrics-listen (TOWPATH_METRICS_LISTEN) is %q; use host:port with a port up to 65535", cfg.MetricsListen)
	}
	set, err := io.settingOr(s.BaseURL, "TOWPATH_BASE_URL", "")
	if err != nil {
		return nil, err
	}
	if guessed(set, cfg.Listen) {
		warnings = append(warnings, "TOWPATH_BASE_URL is not set; links and consents name an address of this machine only. Set it to where people and shops reach this Towpath")
	}
	cfg.BaseURL, err = baseURL(set, cfg.Listen)
	return warnings, err
}

// adminPassword is that of the first admin; empty: the user is left as it is.
func (c console) adminPassword() (secret.String, error) {
	password, err := c.setting("TOWPATH_ADMIN_PASSWORD")
	if err != nil || password == "" {
		return secret.String{}, err
	}
	if err := users.CheckPassword(password); err != nil {
		return secret.String{}, wrongUse("TOWPATH_ADMIN_PASSWORD: %w", err)
	}
	return secret.NewString(password), nil
}

// baseURL is where people and shops reach this Towpath, without a trailing slash.
func baseURL(set, listen string) (string, error) {
	if err := checkListen(listen); err != nil {
		return "", err
	}
	if set == "" {
		host, port, _ := net.SplitHostPort(listen)
		if isWildcard(host) { // no link leads there
			host = "127.0.0.1"
		}
		return "http://" + net.JoinHostPort(host, port), nil
	}
	return checkBaseURL(set)
}

func checkListen(listen string) error {
	if !isAddress(listen) {
		return wrongUse("--listen (TOWPATH_LISTEN) is %q; use host:port with a port up to 65535", listen)
	}
	return nil
}

// isAddress reports whether one can listen there.
func isAddress(listen string) bool {
	_, port, err := net.SplitHostPort(listen)
	n, bad := strconv.Atoi(port)
	return err == nil && bad == nil && n >= 0 && n <= 65535
}

// isWildcard reports whether a host to listen at is every address of the machine.
func isWildcard(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// guessed reports whether the base URL is made of a listen address that does not
// tell where others reach it.
func guessed(set, listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return set == "" && err == nil && isWildcard(host)
}

func checkBaseURL(set string) (string, error) {
	base, err := server.CheckBaseURL(set)
	if err != nil {
		return "", usageError{err}
	}
	return base, nil
}

// warnOfPassword says what is allowed and may still not be meant.
func warnOfPassword(ctx context.Context, cfg server.Config) {
	if cfg.Roles.Dashboard && strings.HasPrefix(cfg.BaseURL, "http://") && !server.IsLoopback(cfg.BaseURL) {
		cfg.Logger.WarnContext(ctx, "the pages' passwords travel in clear: TOWPATH_BASE_URL is not https", "base_url", cfg.BaseURL)
	}
}

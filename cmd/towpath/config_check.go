package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"towpath/pkg/idp"
	"towpath/pkg/pgdb"
)

type configCommand struct {
	Check configCheck `cmd:"" help:"The settings in effect, and where each comes from; secrets are not shown. Says what serve would refuse. Asks nobody."`
}

type configCheck struct {
	printed
}

// settings are the variables that serve reads, with what holds where one is not set.
func settings() []settingView {
	return []settingView{
		{Name: "DATABASE_URL"},
		{Name: "TOWPATH_SECRET_KEY", secret: true},
		{Name: "TOWPATH_LISTEN", Value: defaultListen},
		{Name: "TOWPATH_METRICS_LISTEN", Value: "the listen address"},
		{Name: "TOWPATH_BASE_URL", Value: "the listen address"},
		{Name: "TOWPATH_ADMIN_PASSWORD", Value: "the user admin is left as it is", secret: true},
		{Name: "TOWPATH_OIDC_ISSUER", Value: "none"},
		{Name: "TOWPATH_OIDC_CLIENT_ID"},
		{Name: "TOWPATH_OIDC_CLIENT_SECRET", secret: true},
		{Name: "TOWPATH_OIDC_ROLES"},
		{Name: "TOWPATH_OIDC_ROLES_CLAIM", Value: idp.DefaultRolesClaim},
		{Name: "TOWPATH_OIDC_USER_CLAIM", Value: idp.DefaultUserClaim},
		{Name: "TOWPATH_OIDC_SCOPES", Value: idp.DefaultScopes},
		{Name: "TOWPATH_OIDC_NAME", Value: "the issuer's host"},
		{Name: "TOWPATH_ALLOW_PRIVATE_URLS", Value: "false"},
		{Name: "TOWPATH_RETENTION", Value: defaultRetention},
		{Name: "TOWPATH_STATE_DIR", Value: "systemd's, or none"},
		{Name: "TOWPATH_NOTIFY_WEBHOOK_URL", Value: "none", secret: true},
		{Name: "TOWPATH_NOTIFY_WEBHOOK_SECRET", secret: true},
		{Name: "TOWPATH_NOTIFY_SMTP_URL", Value: "none", secret: true},
		{Name: "TOWPATH_NOTIFY_FROM"},
		{Name: "TOWPATH_NOTIFY_TO"},
		{Name: "TOWPATH_NOTIFY_DAILY", Value: defaultDaily},
		{Name: "TOWPATH_LOG_LEVEL", Value: defaultLogLevel},
		{Name: "TOWPATH_LOG_FORMAT", Value: defaultLogFormat},
	}
}

// settingView is one setting in effect.
type settingView struct {
	Name  string `json:"name"`
	Value string `json:"value"` // of a secret only that there is one
	From  string `json:"from"`  // environment, file PATH, credential ID, or default

	secret bool
}

// configView is what config check prints with --json.
type configView struct {
	Settings []settingView `json:"settings"`
	Unknown  []string      `json:"unknown"` // variables that look like ours and are none
	Refused  string        `json:"refused"` // why serve would not start with them, a line each; empty: it would
}

// Run reads the settings as serve does with no flags. Exit code 2: serve would refuse them.
func (c configCheck) Run(_ context.Context, io console) error {
	view := configView{Settings: settings(), Unknown: io.unknownSettings()}
	for i := range view.Settings {
		if err := view.Settings[i].read(io); err != nil {
			return err
		}
	}
	refused := io.refused()
	if refused != nil {
		view.Refused = refused.Error()
	}
	if c.JSON {
		if err := printJSON(io.out, view); err != nil {
			return err
		}
		return refused
	}
	rows := [][]string{}
	for _, s := range view.Settings {
		rows = append(rows, []string{s.Name, cmp.Or(s.Value, "-"), s.From})
	}
	if err := printTable(io.out, []string{"setting", "value", "from"}, rows); err != nil {
		return err
	}
	for _, name := range view.Unknown {
		io.warn("%s is no setting of Towpath, and does nothing", name)
	}
	return refused
}

// refused is why serve would not start with these settings.
func (c console) refused() error {
	quiet := c
	quiet.err = io.Discard // what serve would warn of, doctor says
	_, err := serveCommand{Roles: []string{"ingress", "worker", "dashboard"}, Workers: 1}.config(quiet)
	if address, unread := c.setting("DATABASE_URL"); unread == nil && address != "" {
		err = errors.Join(err, asSetting(pgdb.CheckAddress(address)))
	}
	return err
}

// read fills in what is set.
func (s *settingView) read(io console) error {
	s.From = "default"
	value, from, err := io.find(s.Name)
	if err != nil || value == "" {
		return err
	}
	s.Value, s.From = value, from
	switch {
	case s.secret:
		s.Value = "(set)"
	case s.Name == "DATABASE_URL":
		s.Value = withoutPassword(value)
	}
	return nil
}

var passwordPair = regexp.MustCompile(`(?i)\b(\w*password)\s*=\s*('(?:[^'\\]|\\.)*'|\S+)`)

// withoutPassword is an address of a database for everybody to read. Of one that
// cannot be read nothing is shown: any part of it may be the password.
func withoutPassword(address string) string {
	if pgdb.CheckAddress(address) != nil {
		return "(set, and not readable)"
	}
	if u, err := url.Parse(address); err == nil && u.Scheme != "" {
		query := u.Query()
		for name := range query {
			if strings.Contains(strings.ToLower(name), "password") {
				query.Set(name, "xxxxx")
			}
		}
		u.RawQuery = query.Encode()
		return u.Redacted()
	}
	return passwordPair.ReplaceAllString(address, "$1=xxxxx")
}

// unknownSettings are variables that begin as ours do and are none: mistyped, most likely.
func (c console) unknownSettings() []string {
	known := map[string]bool{"TOWPATH_PAIRING_CODE": true}
	for _, s := range settings() {
		known[s.Name], known[s.Name+"_FILE"] = true, true
	}
	unknown := []string{}
	for _, name := range c.names() {
		if strings.HasPrefix(name, "TOWPATH_") && !known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

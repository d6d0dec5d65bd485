package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/idp"
	"towpath/pkg/logline"
	"towpath/pkg/notify"
	"towpath/pkg/oauth"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb"
	"towpath/pkg/secret"
)

// This file is the only reader of the environment. A flag wins over a variable,
// a variable over its twin with _FILE, whose file holds the value, and that over a
// credential of systemd's.

// What holds where a setting is not given.
const (
	defaultListen    = "127.0.0.1:8080"
	defaultLogLevel  = "info"
	defaultLogFormat = "text"
	defaultRetention = "400d"
	defaultDaily     = "00:00"
)

// setting reads a variable, or the file that its _FILE twin names, or the credential
// of its name.
func (c console) setting(name string) (string, error) {
	v, _, err := c.find(name)
	return v, err
}

// find is setting, and where the value is from; empty where there is none.
func (c console) find(name string) (v, from string, err error) {
	if v, ok := c.lookup(name); ok && v != "" {
		return v, "environment", nil
	}
	if path, ok := c.lookup(name + "_FILE"); ok && path != "" {
		v, err := c.secretFile(path)
		if err != nil {
			return "", "", fmt.Errorf("%s_FILE: %w", name, err)
		}
		return v, "file " + path, nil
	}
	return c.credential(name)
}

// credential reads what systemd hands to this service alone (LoadCredential): the file
// of the variable's name in lower case, behind towpath_ where the name does not begin
// so. One that is not there is not set.
func (c console) credential(name string) (v, from string, err error) {
	dir, ok := c.lookup("CREDENTIALS_DIRECTORY")
	if !ok || dir == "" {
		return "", "", nil
	}
	id := "towpath_" + strings.TrimPrefix(strings.ToLower(name), "towpath_")
	v, err = c.secretFile(filepath.Join(dir, id))
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("credential %s: %w", id, err)
	}
	return v, "credential " + id, nil
}

// secretFile reads a file that holds one value; the line's end does not count.
// An empty file is a mistake, not an empty value.
func (c console) secretFile(path string) (string, error) {
	raw, err := c.readFile(path)
	if err != nil {
		return "", wrongUse("%w", err)
	}
	v := strings.TrimSpace(string(raw))
	if v == "" {
		return "", wrongUse("%s is empty", path)
	}
	return v, nil
}

// maxFile is more than any file that a command takes; what has no end (a device, a pipe)
// is refused at it, before it has taken the machine's memory.
const maxFile = 64 << 20

// readFile is os.ReadFile up to maxFile.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := readBounded(file)
	if err != nil && errors.As(err, new(*fs.PathError)) {
		return nil, err // names the file
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return raw, nil
}

// readBounded reads all that there is, and refuses more than maxFile.
func readBounded(in io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(raw) > maxFile {
		return nil, fmt.Errorf("larger than %d MiB", maxFile>>20)
	}
	return raw, err
}

func (c console) settingOr(flag, name, otherwise string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	v, err := c.setting(name)
	if v == "" {
		v = otherwise
	}
	return v, err
}

// database is what a command that needs the database takes.
type database struct {
	DatabaseURL string `name:"database-url" placeholder:"URL" help:"Postgres, e.g. postgres://user@host/towpath ($$DATABASE_URL, $$DATABASE_URL_FILE)."`
}

func (d database) url(io console) (string, error) {
	if hasPassword(d.DatabaseURL) {
		io.warnShown("--database-url", "$DATABASE_URL_FILE, or a password file (~/.pgpass)")
	}
	v, err := io.settingOr(d.DatabaseURL, "DATABASE_URL", "")
	if err == nil && v == "" {
		err = wrongUse("no database: set DATABASE_URL or --database-url, e.g. postgres://towpath@localhost/towpath")
	}
	return v, err
}

// open connects with a small pool, enough for a command.
func (d database) open(ctx context.Context, io console) (*pgxpool.Pool, error) {
	address, err := d.url(io)
	if err != nil {
		return nil, err
	}
	pool, err := pgdb.Open(ctx, pgdb.Config{URL: address, MaxConns: 4})
	return pool, asSetting(err)
}

// asSetting makes a wrong use of an address that cannot be read.
func asSetting(err error) error {
	var address *pgdb.AddressError
	if errors.As(err, &address) {
		return wrongUse("DATABASE_URL (--database-url): %w", address)
	}
	return err
}

// box reads the key that seals secrets.
func (c console) box() (*secret.Box, error) {
	v, err := c.setting("TOWPATH_SECRET_KEY")
	if err != nil {
		return nil, err
	}
	if v == "" {
		return nil, wrongUse("no TOWPATH_SECRET_KEY: it seals the shops' keys and the providers' tokens; give the one that this installation uses; for a new installation make one with: openssl rand -base64 32")
	}
	box, err := secret.ParseKeys(v)
	if err != nil {
		return nil, wrongUse("TOWPATH_SECRET_KEY: %w", err)
	}
	return box, nil
}

// sealing is the box of a command that stores secrets. A key that does not open
// what is stored is refused: what it sealed would be lost to those that serve.
func (c console) sealing(ctx context.Context, pool *pgxpool.Pool) (*secret.Box, error) {
	box, err := c.box()
	if err != nil {
		return nil, err
	}
	return box, oauth.CheckKey(ctx, pool, box)
}

// allowPrivate reads on which private addresses shops and providers may be.
func (c console) allowPrivate() (outbound.Private, error) {
	v, err := c.setting("TOWPATH_ALLOW_PRIVATE_URLS")
	if err != nil {
		return outbound.Private{}, err
	}
	private, err := outbound.ParsePrivate(v)
	if err != nil {
		return outbound.Private{}, wrongUse("TOWPATH_ALLOW_PRIVATE_URLS: %v", err)
	}
	return private, nil
}

// retention reads after how long what is personal of a run is blanked; 0: never.
func (c console) retention() (time.Duration, error) {
	v, err := c.settingOr("", "TOWPATH_RETENTION", defaultRetention)
	if err != nil {
		return 0, err
	}
	if v == "0" || v == "off" {
		return 0, nil
	}
	after, err := parseRetention(v)
	if err != nil {
		return 0, wrongUse("TOWPATH_RETENTION is %q; use days such as 400d, at least %s, or off", v, leastRetention)
	}
	return after, nil
}

// stateFile is where a process keeps what it saw of the database last: in the folder of
// the settings, or the one that systemd made for the service; empty: nowhere.
func (c console) stateFile() (string, error) {
	dir, err := c.setting("TOWPATH_STATE_DIR")
	if err != nil {
		return "", err
	}
	if dir == "" {
		dir, _ = c.lookup("STATE_DIRECTORY")
	}
	if dir == "" {
		return "", nil
	}
	return filepath.Join(dir, "database-seen.json"), nil
}

// leastRetention: a run is retried for about seven days, and River keeps its failed jobs
// as long.
const leastRetention = "7d"

// parseRetention reads days.
func parseRetention(text string) (time.Duration, error) {
	digits, ok := strings.CutSuffix(text, "d")
	days, err := strconv.Atoi(digits)
	if !ok || err != nil || days < 7 || days > 36500 {
		return 0, fmt.Errorf("%q is not 7d to 36500d", text)
	}
	return time.Duration(days) * 24 * time.Hour, nil
}

// notify reads who is told what needs a person.
func (c console) notify() (notify.Config, error) {
	var cfg notify.Config
	var err error
	read := func(name, otherwise string) (v string) {
		if err == nil {
			v, err = c.settingOr("", name, otherwise)
		}
		return v
	}
	cfg.WebhookURL = secret.NewString(read("TOWPATH_NOTIFY_WEBHOOK_URL", ""))
	cfg.WebhookSecret = secret.NewString(read("TOWPATH_NOTIFY_WEBHOOK_SECRET", ""))
	cfg.SMTPURL = secret.NewString(read("TOWPATH_NOTIFY_SMTP_URL", ""))
	cfg.From = read("TOWPATH_NOTIFY_FROM", "")
	for _, to := range strings.Split(read("TOWPATH_NOTIFY_TO", ""), ",") {
		if to = strings.TrimSpace(to); to != "" {
			cfg.To = append(cfg.To, to)
		}
	}
	daily := read("TOWPATH_NOTIFY_DAILY", defaultDaily)
	if err != nil {
		return cfg, err
	}
	if cfg.DailyAt, err = parseDaily(daily); err != nil {
		return cfg, err
	}
	if err := cfg.Check(); err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

// identity reads by which identity provider people may sign in.
func (c console) identity() (idp.Config, error) {
	var cfg idp.Config
	var err error
	read := func(name, otherwise string) (v string) {
		if err == nil {
			v, err = c.settingOr("", "TOWPATH_OIDC_"+name, otherwise)
		}
		return strings.TrimSpace(v)
	}
	cfg.Issuer, cfg.ClientID, cfg.ClientSecret = read("ISSUER", ""), read("CLIENT_ID", ""), secret.NewString(read("CLIENT_SECRET", ""))
	roles := read("ROLES", "")
	cfg.RolesClaim, cfg.UserClaim = read("ROLES_CLAIM", idp.DefaultRolesClaim), read("USER_CLAIM", idp.DefaultUserClaim)
	cfg.Scopes, cfg.Title = strings.Fields(read("SCOPES", idp.DefaultScopes)), read("NAME", "")
	if err != nil {
		return cfg, err
	}
	if cfg.Roles, err = idp.ParseRoles(roles); err != nil {
		return cfg, wrongUse("TOWPATH_OIDC_ROLES %w", err)
	}
	if err := cfg.Check(); err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

// parseDaily reads a time of day, as the time since midnight; below zero: never.
func parseDaily(text string) (time.Duration, error) {
	if text == "off" {
		return -1, nil
	}
	at, err := time.Parse("15:04", text)
	if err != nil {
		return 0, wrongUse("TOWPATH_NOTIFY_DAILY is %q; use a time of day in UTC such as 18:30, or off", text)
	}
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, nil
}

// logger reads level and format of the log, which goes to standard error.
func (c console) logger() (*slog.Logger, error) {
	level, err := c.settingOr("", "TOWPATH_LOG_LEVEL", defaultLogLevel)
	if err != nil {
		return nil, err
	}
	format, err := c.settingOr("", "TOWPATH_LOG_FORMAT", defaultLogFormat)
	if err != nil {
		return nil, err
	}
	var options slog.HandlerOptions
	var parsed slog.Level
	if err := parsed.UnmarshalText([]byte(level)); err != nil {
		return nil, wrongUse("TOWPATH_LOG_LEVEL is %q; use debug, info, warn or error", level)
	}
	options.Level = parsed
	if c.level != nil {
		c.level.Set(parsed)
		options.Level = c.level
	}
	switch format {
	case "text":
		return textLog(c.err, &options), nil
	case "json":
		return slog.New(logline.New(c.err, func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, &options) })), nil
	}
	return nil, wrongUse("TOWPATH_LOG_FORMAT is %q; use text or json", format)
}

// textLog writes lines for people, none longer than logline.Most.
func textLog(to io.Writer, options *slog.HandlerOptions) *slog.Logger {
	return slog.New(logline.New(to, func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, options) }))
}

// who names the person at the command line, for a run's history. Where USER is not set
// (cron, a container) it is the name of the process's user, else its number.
func (c console) who() string {
	name, err := c.setting("USER")
	if err != nil || name == "" {
		name = strconv.Itoa(os.Getuid())
		if known, err := user.LookupId(name); err == nil {
			name = known.Username
		}
	}
	return fmt.Sprintf("cli:%s", name)
}

// editor is the person's, by the usual variables.
func (c console) editor() (string, error) {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if editor, ok := c.lookup(name); ok && editor != "" {
			return editor, nil
		}
	}
	if c.terminal == nil {
		return "", wrongUse("no editor: set EDITOR, or change the settings by policy get and policy set --file")
	}
	return "vi", nil
}

package pgdb

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Config says how to reach the database. What the URL says of the same thing
// (pool_max_conns, connect_timeout, application_name, any server setting) wins.
type Config struct {
	URL              string        // postgres://user:password@host:port/name, or key=value pairs
	MaxConns         int32         // 0 = 16: on two cores more bring nothing
	ApplicationName  string        // "" = towpath
	ConnectTimeout   time.Duration // 0 = 5 s
	StatementTimeout time.Duration // 0 = none

	// GenericPlans makes the server plan each prepared statement once
	// (plan_cache_mode=force_generic_plan). For the pool of the workers' own
	// transactions, where planning costs more than execution; not for River's
	// pool, whose fetch query gets a bad generic plan.
	GenericPlans bool
}

func (c Config) withDefaults() Config {
	if c.MaxConns == 0 {
		c.MaxConns = 16
	}
	if c.ApplicationName == "" {
		c.ApplicationName = "towpath"
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.URL == "":
		return errors.New("no address: set DATABASE_URL")
	case c.MaxConns < 0 || c.ConnectTimeout < 0 || c.StatementTimeout < 0:
		return errors.New("negative limit or timeout")
	}
	return nil
}

// Open returns a pool on a database that answered. No error text of it holds
// the password or any other part of an address that cannot be read.
//
// The settings go with the connection's start, so a pooler between must be in
// session mode and let them through.
func Open(ctx context.Context, cfg Config) (*pgxpool.Pool, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	poolConfig, err := cfg.poolConfig()
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open database: %w", explain(err, poolConfig.ConnConfig))
	}
	return pool, nil
}

// Connect opens one connection with the settings of the pools, outside of them.
func Connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg := Config{URL: url}.withDefaults()
	poolConfig, err := cfg.poolConfig()
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	conn, err := pgx.ConnectConfig(ctx, poolConfig.ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, nil
}

// CheckAddress is why an address cannot be read, an *AddressError, or nil; it asks
// nobody.
func CheckAddress(url string) error {
	_, err := Config{URL: url}.poolConfig()
	return err
}

func (c Config) poolConfig() (*pgxpool.Config, error) {
	if hasStrayAt(c.URL) {
		return nil, &AddressError{notAddress}
	}
	poolConfig, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, whyAddress(c.URL) // err quotes the address
	}
	if !mentions(c.URL, "pool_max_conns") {
		poolConfig.MaxConns = c.MaxConns
	}
	if poolConfig.ConnConfig.ConnectTimeout == 0 {
		poolConfig.ConnConfig.ConnectTimeout = c.ConnectTimeout
	}
	settings := map[string]string{
		"application_name": c.ApplicationName,
		// Not "$user": the tables are in public whatever the role is called.
		"search_path": "public",
		// What a frozen or vanished process holds must not hold up the others: its
		// open transactions end, and its connections are found dead in half a minute.
		"idle_in_transaction_session_timeout": "30s",
		"tcp_keepalives_idle":                 "10",
		"tcp_keepalives_interval":             "5",
		"tcp_keepalives_count":                "4",
	}
	if c.StatementTimeout > 0 {
		settings["statement_timeout"] = strconv.FormatInt(c.StatementTimeout.Milliseconds(), 10)
	}
	if c.GenericPlans {
		settings["plan_cache_mode"] = "force_generic_plan"
	}
	for name, value := range settings {
		if poolConfig.ConnConfig.RuntimeParams[name] == "" {
			poolConfig.ConnConfig.RuntimeParams[name] = value
		}
	}
	return poolConfig, nil
}

// hasStrayAt tells an address whose password holds an unencoded / ? or #: it
// reads as another host and database, named by pieces of the password, and
// those would show in the error of connecting there.
func hasStrayAt(address string) bool {
	scheme, rest, isURL := strings.Cut(address, "://")
	if !isURL || strings.ContainsAny(scheme, " =") {
		return false
	}
	end := strings.IndexAny(rest, "/?#")
	return end >= 0 && strings.Contains(rest[end:], "@")
}

func mentions(address, setting string) bool {
	return strings.Contains(address, setting+"=")
}

package pgdb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"
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

	// Failover is the process's; nil = one of this pool's own.
	Failover *Failover
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
	if c.Failover == nil {
		c.Failover = NewFailover(nil)
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
// A pooler between must be in session mode, which CheckSessions finds out.
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
	cfg.Failover.addPool(pool)
	return pool, nil
}

// Connect opens one connection with the settings of the pools, outside of them.
func Connect(ctx context.Context, cfg Config) (*pgx.Conn, error) {
	poolConfig, err := cfg.withDefaults().poolConfig()
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
	_, err := Config{URL: url}.withDefaults().poolConfig()
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
	conn := poolConfig.ConnConfig
	switch conn.DefaultQueryExecMode {
	case pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol:
		return nil, &AddressError{"default_query_exec_mode of the database's address must be cache_statement, cache_describe or describe_exec: " +
			"without the server's types no statement can be sent"}
	}
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = c.ApplicationName
	}
	conn.AfterConnect = c.settings(conn.RuntimeParams).set
	conn.DialFunc = dialer(conn.ConnectTimeout)
	poolConfig.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		pgxuuid.Register(conn.TypeMap()) // in 16 bytes, not by way of their text
		// For an enum's columns in COPY, and for arrays of an enum: nopgxregisterdefaulttypes leaves them out, and releases are built with it.
		conn.TypeMap().RegisterDefaultPgType("", "text")
		conn.TypeMap().RegisterDefaultPgType([]string(nil), "_text")
		conn.TypeMap().RegisterDefaultPgType((*[]string)(nil), "_text")
		return nil
	}
	preferWritable(c.URL, conn)
	c.Failover.watch(poolConfig)
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

// Package demo is everything on this machine in one go: a private Postgres,
// Towpath, a simulated shop and a simulated Xero, one paired tenant, and a page on
// which an invoice can be raised and watched.
package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/clients"
	"towpath/pkg/dashboard"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/refdata"
	"towpath/pkg/secret"
	"towpath/pkg/server"
	"towpath/pkg/stack"
	"towpath/riverjobs"
)

// DefaultListen is where the page is if nothing else is said; if it is taken, on any
// free port.
const DefaultListen = "127.0.0.1:8421"

// cron is how often the demo's shop drains its outbox; Magento's does each minute.
const cron = time.Second

// Config is how a demo is started.
type Config struct {
	Listen string // of the page
	BinDir string // of initdb and postgres; empty: found or fetched
	Out    io.Writer
	Logger *slog.Logger
}

// Demo is a running demo.
type Demo struct {
	Pool *pgxpool.Pool // its database

	stack   stack.Stack
	cfg     Config
	db      *pgdb.Private
	shop    *magentosim.Shop
	xero    *xerosim.Sim
	shopURL string
	xeroURL string
	box     *secret.Box
	towpath *server.Server
	base    string        // of towpath
	token   secret.String // opens the dashboard and the demo's page
	page    string
}

// Start starts everything from top to bottom and says in cfg.Out what is where.
// What was started is stopped again if a step fails.
func Start(ctx context.Context, cfg Config) (*Demo, error) {
	d := &Demo{cfg: cfg}
	began := time.Now()
	for _, step := range []func(context.Context) error{d.startDatabase, d.startSimulators, d.startTowpath, d.connect, d.startPage} {
		if err := step(ctx); err != nil {
			d.Stop()
			return nil, err
		}
	}
	d.stack.Background(func(ctx context.Context) { d.shop.Run(ctx, cron) })
	fmt.Fprintf(cfg.Out, "ready after %.1f s\n", time.Since(began).Seconds())
	return d, nil
}

// Stop ends everything and leaves nothing behind.
func (d *Demo) Stop() { d.stack.Stop() }

// Page is the address that opens the page and lets a browser in.
func (d *Demo) Page() string { return d.page + "/?token=" + d.token.Reveal() }

// Wait waits until ctx ends, or something that the demo needs has failed.
func (d *Demo) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.towpath.Failed():
		return err
	case <-d.db.Exited():
		return errors.New("the private Postgres ended")
	}
}

func (d *Demo) say(what, where string) { fmt.Fprintf(d.cfg.Out, "%-9s %s\n", what, where) }

func (d *Demo) startDatabase(ctx context.Context) error {
	var err error
	if d.db, err = pgdb.StartPrivate(ctx, pgdb.Options{BinDir: d.cfg.BinDir}); err != nil {
		return err
	}
	d.stack.OnStop(func() {
		if err := d.db.Stop(); err != nil {
			d.cfg.Logger.Error("stop postgres", "error", err)
		}
	})
	if d.Pool, err = pgdb.Open(ctx, pgdb.Config{URL: d.db.URL("postgres"), MaxConns: 4}); err != nil {
		return err
	}
	d.stack.OnStop(d.Pool.Close)
	if _, err := pgdb.Migrate(ctx, d.Pool); err != nil {
		return err
	}
	var version string
	if err := d.Pool.QueryRow(ctx, "SHOW server_version").Scan(&version); err != nil {
		return fmt.Errorf("ask the database's version: %w", err)
	}
	d.say("postgres", "private, "+version)
	return nil
}

func (d *Demo) startSimulators(context.Context) error {
	d.shop = magentosim.New(magentosim.Config{})
	d.xero = xerosim.New(xerosim.Config{
		OrgID: OrgID, Tokens: []string{Token},
		Limits: xerosim.Limits{PerMinute: 60, PerDay: 5000, Concurrent: 5}, // Xero's own; each answer tells what is left
	})
	var err error
	if d.shopURL, err = d.stack.Host("127.0.0.1:0", d.shop); err != nil {
		return err
	}
	if d.xeroURL, err = d.stack.Host("127.0.0.1:0", d.xero); err != nil {
		return err
	}
	d.say("shop", d.shopURL+" (simulated Magento)")
	d.say("xero", d.xeroURL+" (simulated Xero)")
	return nil
}

// startTowpath starts the very server that towpath serve starts.
func (d *Demo) startTowpath(ctx context.Context) error {
	var err error
	if d.box, err = secret.NewBox(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	d.base = "http://" + listener.Addr().String()
	d.token = secret.NewString(strings.ToLower(rand.Text()))
	d.towpath, err = server.Start(ctx, server.Config{
		DatabaseURL: d.db.URL("postgres"), Listeners: []net.Listener{listener}, BaseURL: d.base, Box: d.box, AllowPrivate: outbound.Private{All: true},
		Roles: server.Roles{Ingress: true, Worker: true, Dashboard: true}, Workers: 500, Gate: dashboard.NewGate(d.token, ""), Logger: d.cfg.Logger,
	})
	if err != nil {
		return err
	}
	d.stack.OnStop(d.towpath.Stop)
	d.say("towpath", d.base+" (its dashboard opens by the links of the page below)")
	return nil
}

// connect pairs the shop as its merchant would and binds it to the simulated Xero.
func (d *Demo) connect(ctx context.Context) error {
	client, err := riverjobs.NewInserter(d.Pool, d.cfg.Logger)
	if err != nil {
		return err
	}
	op := &riverjobs.Operator{Pool: d.Pool, Client: client, Who: "demo"}
	made := clients.New(d.box, outbound.Private{All: true}, nil)
	paired, err := account.Pairer{Op: op, Box: d.box, Shops: made.Shops}.Pair(ctx, account.Pairing{
		Name: "Demo shop", MagentoURL: d.shopURL, Code: secret.NewString(d.shop.NewPairingCode()), Provider: "xero", BaseURL: d.base,
	})
	if err != nil {
		return fmt.Errorf("pair the demo's shop: %w", err)
	}
	row := dbsqlc.BindingInsertParams{
		ID: uuid.New(), TenantID: paired.Tenant.ID, Provider: "xero", Wire: provider.WireAccounting, ApiUrl: d.xeroURL, OrgID: OrgID,
	}
	row.TokenSealed = d.box.Seal([]byte(Token), secret.Place(secret.BindingToken, row.ID.String()))
	if err := account.CreateBinding(ctx, d.Pool, row); err != nil {
		return err
	}
	binding, err := dbsqlc.New().BindingGet(ctx, d.Pool, row.ID)
	if err != nil {
		return fmt.Errorf("read binding: %w", err)
	}
	if err := refdata.Refresh(ctx, d.Pool, binding, made); err != nil {
		return err
	}
	_, _, err = account.SavePolicy(ctx, op, binding.ID, Policy(), 1)
	return err
}

// startPage serves the page; where the default port is taken, on a free one.
func (d *Demo) startPage(context.Context) error {
	page := newPage(pageConfig{Shop: d.shop, Xero: d.xero, Pool: d.Pool, DashboardURL: d.base, Token: d.token, Now: time.Now})
	var err error
	if d.page, err = d.stack.Host(d.cfg.Listen, page); err != nil && d.cfg.Listen == DefaultListen {
		d.page, err = d.stack.Host("127.0.0.1:0", page)
	}
	return err
}

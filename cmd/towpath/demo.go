package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/shopspring/decimal"

	"towpath/pkg/account"
	"towpath/pkg/canon"
	"towpath/pkg/clients"
	"towpath/pkg/dashboard"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb"
	"towpath/pkg/policy"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/refdata"
	"towpath/pkg/secret"
	"towpath/pkg/server"
	"towpath/riverjobs"
)

type demoCommand struct {
	Once   bool   `help:"Raise one invoice, wait until the shop shows it synced, print the trace, end."`
	Listen string `default:"127.0.0.1:8421" placeholder:"HOST:PORT" help:"Where the demo's page is; if the default is taken, any free port."`
	PGBin  string `name:"pg-bin" placeholder:"DIR" help:"The folder of initdb and postgres ($$PGBIN; default: found or fetched)."`
}

// The demo's cron drains the shop's outbox far more often than Magento's minute.
const demoCron = time.Second

// onceTimeout bounds demo --once, after everything has started.
const onceTimeout = time.Minute

// demo is everything of the demo, started from top to bottom and stopped in
// reverse.
type demo struct {
	io      console
	stops   []func()
	db      *pgdb.Private
	pool    *pgxpool.Pool
	shop    *magentosim.Shop
	xero    *xerosim.Sim
	shopURL string
	xeroURL string
	towpath *server.Server
	box     *secret.Box
	base    string
	logger  *slog.Logger
	token   secret.String // opens the dashboard and the demo's page
	page    string
}

// Run starts everything, and ends it with the process.
func (c demoCommand) Run(ctx context.Context, io console) error {
	d := &demo{io: io}
	defer d.stop()
	if err := d.start(ctx, c); err != nil {
		return err
	}
	if c.Once {
		return d.once(ctx)
	}
	fmt.Fprintf(io.out, "\nOpen %s/?token=%s\nThe token lets your browser in while the demo runs. Ctrl-C ends it and leaves nothing behind.\n", d.page, d.token.Reveal())
	select {
	case <-ctx.Done():
		fmt.Fprintln(io.out)
		return nil
	case err := <-d.towpath.Failed():
		return err
	case <-d.db.Exited():
		return errors.New("the private Postgres ended")
	}
}

func (d *demo) stop() {
	for i := len(d.stops) - 1; i >= 0; i-- {
		d.stops[i]()
	}
}

func (d *demo) start(ctx context.Context, c demoCommand) error {
	began := time.Now()
	if err := d.startDatabase(ctx, c); err != nil {
		return err
	}
	if err := d.startSimulators(); err != nil {
		return err
	}
	if err := d.startTowpath(ctx); err != nil {
		return err
	}
	if err := d.connect(ctx); err != nil {
		return err
	}
	if err := d.startPage(c.Listen); err != nil {
		return err
	}
	d.startCron()
	fmt.Fprintf(d.io.out, "ready after %.1f s\n", time.Since(began).Seconds())
	return nil
}

func (d *demo) say(what, where string) { fmt.Fprintf(d.io.out, "%-9s %s\n", what, where) }

func (d *demo) startDatabase(ctx context.Context, c demoCommand) error {
	bin, err := d.io.settingOr(c.PGBin, "PGBIN", "")
	if err != nil {
		return err
	}
	if d.db, err = pgdb.StartPrivate(ctx, pgdb.Options{BinDir: bin}); err != nil {
		return err
	}
	d.stops = append(d.stops, func() {
		if err := d.db.Stop(); err != nil {
			fmt.Fprintln(d.io.err, "towpath:", err)
		}
	})
	if d.pool, err = pgdb.Open(ctx, pgdb.Config{URL: d.db.URL("postgres"), MaxConns: 4}); err != nil {
		return err
	}
	d.stops = append(d.stops, d.pool.Close)
	if _, err := pgdb.Migrate(ctx, d.pool); err != nil {
		return err
	}
	var version string
	if err := d.pool.QueryRow(ctx, "SHOW server_version").Scan(&version); err != nil {
		return fmt.Errorf("ask the database's version: %w", err)
	}
	d.say("postgres", "private, "+version)
	return nil
}

// The one organisation and token of the simulated Xero.
const (
	demoOrgID = "8b7f6a54-0c1d-4e2f-9a3b-5c6d7e8f9012"
	demoToken = "demo-access-token"
)

func (d *demo) startSimulators() error {
	d.shop = magentosim.New(magentosim.Config{})
	d.xero = xerosim.New(xerosim.Config{
		OrgID: demoOrgID, Tokens: []string{demoToken},
		Limits: xerosim.Limits{PerMinute: 60, PerDay: 5000, Concurrent: 5}, // Xero's own; each answer tells what is left
	})
	var err error
	if d.shopURL, err = d.serve("127.0.0.1:0", d.shop); err != nil {
		return err
	}
	if d.xeroURL, err = d.serve("127.0.0.1:0", d.xero); err != nil {
		return err
	}
	d.say("shop", d.shopURL+" (simulated Magento)")
	d.say("xero", d.xeroURL+" (simulated Xero)")
	return nil
}

// serve serves a handler until the demo stops.
func (d *demo) serve(address string, handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	web := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = web.Serve(listener) // ends with Close below
	}()
	d.stops = append(d.stops, func() {
		_ = web.Close()
		<-done
	})
	return "http://" + listener.Addr().String(), nil
}

// startTowpath starts the very server that towpath serve starts.
func (d *demo) startTowpath(ctx context.Context) error {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	box, err := secret.ParseKeys(base64.StdEncoding.EncodeToString(key))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	d.box, d.base = box, "http://"+listener.Addr().String()
	d.logger = textLog(d.io.err, &slog.HandlerOptions{Level: slog.LevelWarn})
	d.token = secret.NewString(strings.ToLower(rand.Text()))
	d.towpath, err = server.Start(ctx, server.Config{
		DatabaseURL: d.db.URL("postgres"), Listener: listener, BaseURL: d.base, Box: box, AllowPrivate: outbound.Private{All: true},
		Roles: server.Roles{Ingress: true, Worker: true, Dashboard: true}, Workers: 500, Gate: dashboard.NewGate(d.token, ""),
		Logger: d.logger,
	})
	if err != nil {
		return err
	}
	d.stops = append(d.stops, d.towpath.Stop)
	d.say("towpath", d.base+" (its dashboard opens by the links of the page below)")
	return nil
}

// connect pairs the shop as its merchant would and binds it to the simulated Xero.
func (d *demo) connect(ctx context.Context) error {
	client, err := riverjobs.NewInserter(d.pool, d.logger)
	if err != nil {
		return err
	}
	op := &riverjobs.Operator{Pool: d.pool, Client: client, Who: "demo"}
	conns := clients.New(d.box, outbound.Private{All: true}, nil)
	paired, err := account.Pairer{Op: op, Box: conns.Box, Shops: conns.Shops}.Pair(ctx, account.Pairing{
		Name: "Demo shop", MagentoURL: d.shopURL, Code: secret.NewString(d.shop.NewPairingCode()), Provider: "xero", BaseURL: d.base,
	})
	if err != nil {
		return fmt.Errorf("pair the demo's shop: %w", err)
	}
	row := dbsqlc.BindingInsertParams{
		ID: uuid.New(), TenantID: paired.Tenant.ID, Provider: "xero", Wire: policy.WireAccounting, ApiUrl: d.xeroURL, OrgID: demoOrgID,
	}
	row.TokenSealed = conns.Box.Seal([]byte(demoToken), secret.Place(secret.BindingToken, row.ID.String()))
	if err := account.CreateBinding(ctx, d.pool, row); err != nil {
		return err
	}
	binding, err := dbsqlc.New().BindingGet(ctx, d.pool, row.ID)
	if err != nil {
		return fmt.Errorf("read binding: %w", err)
	}
	if err := refdata.Refresh(ctx, d.pool, binding, conns); err != nil {
		return err
	}
	_, _, err = account.SavePolicy(ctx, op, binding.ID, demoPolicy())
	return err
}

// demoPolicy leaves out invoices that come to nothing, so that a skip can be seen.
func demoPolicy() policy.Policy {
	p := policy.Default()
	p.SyncZeroValueInvoices = false
	p.RevenueAccountCode = "200"
	p.TaxRateMap = map[string]string{"20.00": "OUTPUT2", "5.00": "RROUTPUT", "0.00": "ZERORATEDOUTPUT"}
	prefix := "M-"
	p.InvoiceNumberPrefix = &prefix
	return p
}

// startPage serves the page; where the default port is taken, on a free one.
func (d *demo) startPage(listen string) error {
	page := newDemoPage(demoPageConfig{
		Shop: d.shop, Xero: d.xero, Pool: d.pool, DashboardURL: d.base, Token: d.token, Now: time.Now,
	})
	var err error
	if d.page, err = d.serve(listen, page); err != nil && listen == "127.0.0.1:8421" {
		d.page, err = d.serve("127.0.0.1:0", page)
	}
	return err
}

func (d *demo) startCron() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.shop.Run(ctx, demoCron)
	}()
	d.stops = append(d.stops, func() {
		cancel()
		<-done
	})
}

// once raises one invoice and waits until the shop shows how it ended.
func (d *demo) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	inv := d.shop.RaiseInvoice(demoCart())
	fmt.Fprintf(d.io.out, "\nraised invoice %s, %s %s\n", inv.IncrementID, inv.GrandTotal, inv.Currency)
	chip, err := d.shop.WaitChip(ctx, inv.ID)
	if err != nil {
		return fmt.Errorf("wait for the shop to show invoice %s synced: %w", inv.IncrementID, err)
	}
	detail, err := d.settled(ctx, inv.ID)
	if err != nil {
		return err
	}
	d.printShop(inv.ID)
	if err := printRun(d.io, detail); err != nil {
		return err
	}
	if chip.Status != "synced" {
		return fmt.Errorf("invoice %s ended as %s", inv.IncrementID, chip.Status)
	}
	return nil
}

// printShop prints what the shop saw, since the invoice was raised.
func (d *demo) printShop(invoiceID int64) {
	inv, _ := d.shop.Invoice(invoiceID)
	row := inv.Outbox[0]
	after := func(t time.Time) float64 { return float64(t.Sub(row.CreatedAt).Microseconds()) / 1000 }
	fmt.Fprintf(d.io.out, "   +0.0 ms  outbox row written, chip Pending\n")
	fmt.Fprintf(d.io.out, "%+7.1f ms  webhook answered 202 (the demo's cron runs every second, Magento's every minute)\n", after(row.DoneAt))
	fmt.Fprintf(d.io.out, "%+7.1f ms  chip %s %s\n\n", after(inv.Chip.ChangedAt), inv.Chip.Status, inv.Chip.ProviderReference)
}

// settled reads the run once the shop's answer is on record here too.
func (d *demo) settled(ctx context.Context, invoiceID int64) (runDetail, error) {
	inv, _ := d.shop.Invoice(invoiceID)
	id, err := uuid.Parse(inv.Outbox[0].SyncRunID)
	if err != nil {
		return runDetail{}, fmt.Errorf("find the run of invoice %d: %w", invoiceID, err)
	}
	for {
		detail, err := readRun(ctx, d.pool, id)
		if err != nil || detail.ToldAt != nil {
			return detail, err
		}
		select {
		case <-ctx.Done():
			return detail, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// demoCart is what a customer of the demo shop buys.
func demoCart() magentosim.Cart {
	first, last, company, postcode := "Ada", "Lovelace", "Analytical Engines Ltd", "N1 1AA"
	address := canon.Address{Kind: "billing", Street: []string{"12 Dorset Street"}, City: "London", Postcode: &postcode, CountryID: "GB"}
	dec := decimal.RequireFromString
	return magentosim.Cart{
		Customer: canon.Contact{MagentoID: 1042, Email: "ada@example.com", FirstName: &first, LastName: &last, Company: &company, WebsiteID: 1,
			Addresses: []canon.Address{address}},
		BillingAddress: &address, PaymentMethod: "checkmo",
		Items: []magentosim.Item{
			{SKU: "ROPE-10", Name: "Mooring rope, 10 m", Price: dec("18.95"), Qty: dec("2"), TaxPercent: dec("20")},
			{SKU: "WINDLASS", Name: "Windlass key", Price: dec("24.5833"), Qty: dec("3"), TaxPercent: dec("20")},
			{SKU: "GUIDE-7", Name: "Canal guide, volume 7", Price: dec("12.99"), Qty: dec("1"), TaxPercent: dec("0")},
		},
		Shipping: dec("4.99"), ShippingTaxPercent: dec("20"),
	}
}

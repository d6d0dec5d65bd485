package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb"
	"towpath/pkg/policy"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/quota"
	"towpath/pkg/secret"
	"towpath/pkg/server"
	"towpath/pkg/shopjwt"
)

// stack is what was started; stop takes it down in reverse and may be repeated.
type stack struct{ stops []func() }

func (s *stack) onStop(f func()) { s.stops = append(s.stops, f) }

func (s *stack) stop() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
	s.stops = nil
}

// bench is one measurement: its private Postgres and what it found.
type bench struct {
	stack
	cmd    benchCommand
	io     console
	db     *pgdb.Private
	admin  *pgxpool.Pool
	binDir string // of the server's programs
	folder string // this process's own, on the disk of the data
	report benchReport
}

func (b *bench) startCluster(ctx context.Context) error {
	bin, err := b.io.settingOr(b.cmd.PGBin, "PGBIN", "")
	if err != nil {
		return err
	}
	b.db, err = pgdb.StartPrivate(ctx, pgdb.Options{BinDir: bin, DataRoot: b.cmd.DataRoot, MaxConnections: maxBenchClients + 100})
	if err != nil {
		return err
	}
	b.onStop(func() {
		if err := b.db.Stop(); err != nil {
			fmt.Fprintln(b.io.err, "towpath:", err)
		}
	})
	if b.admin, err = pgdb.Open(ctx, pgdb.Config{URL: b.db.URL("postgres"), MaxConns: 2}); err != nil {
		return err
	}
	b.onStop(b.admin.Close)
	return nil
}

// describe notes what the figures were measured on.
func (b *bench) describe(ctx context.Context) error {
	var data string
	err := b.admin.QueryRow(ctx, `
		SELECT current_setting('server_version'), current_setting('data_directory'),
			(SELECT setting FROM pg_config WHERE name = 'BINDIR')`).Scan(&b.report.PostgresVersion, &data, &b.binDir)
	if err != nil {
		return fmt.Errorf("ask the database what it is: %w", err)
	}
	b.folder = filepath.Dir(data)
	b.report.DataRoot = filepath.Dir(b.folder)
	b.report.Cores, b.report.GoVersion = runtime.NumCPU(), runtime.Version()
	b.report.Disk, err = probeDisk(ctx, b.folder, time.Second)
	return err
}

// database makes a migrated database.
func (b *bench) database(ctx context.Context, name string) (*pgxpool.Pool, error) {
	if _, err := b.admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, fmt.Errorf("make database %s: %w", name, err)
	}
	pool, err := pgdb.Open(ctx, pgdb.Config{URL: b.db.URL(name), MaxConns: 4})
	if err != nil {
		return nil, err
	}
	if _, err := pgdb.Migrate(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// settle lets each round begin alike: nothing left to be written.
func (b *bench) settle(ctx context.Context) error {
	if _, err := b.admin.Exec(ctx, "CHECKPOINT"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// parties are a tenant's shop and its Xero.
type parties struct {
	tenant           uuid.UUID
	orgID            string // of its own: two shops of one organisation share numbers and budget
	apiKey           string
	shop             *magentosim.Shop
	shopURL, xeroURL string
}

// newParties starts a shop and a Xero; they stop with the stack.
func newParties(s *stack) (parties, error) {
	p := parties{tenant: uuid.New(), orgID: uuid.NewString(), apiKey: shopjwt.NewAPIKey(), shop: magentosim.New(magentosim.Config{Events: []string{"invoice.created"}})}
	var err error
	if p.shopURL, err = s.host(p.shop); err != nil {
		return p, err
	}
	p.xeroURL, err = s.host(xerosim.New(xerosim.Config{OrgID: p.orgID, Tokens: []string{demoToken}}))
	p.shop.Connect(p.tenant.String(), p.apiKey, "http://127.0.0.1:1")
	return p, err
}

// site is a Towpath around one database, with its tenants.
type site struct {
	stack
	url    string
	box    *secret.Box
	pool   *pgxpool.Pool
	shops  []parties
	server *server.Server
	base   string
}

// newSite starts everything of one measurement, with the very server that
// towpath serve starts.
func (b *bench) newSite(ctx context.Context, name string, tenants int, play server.Roles) (*site, error) {
	s := &site{url: b.db.URL(name)}
	b.onStop(s.stop)
	var err error
	if s.box, err = newBox(); err != nil {
		return nil, err
	}
	if s.pool, err = b.database(ctx, name); err != nil {
		return nil, err
	}
	s.onStop(s.pool.Close)
	for range tenants {
		if err := s.connect(ctx); err != nil {
			return nil, err
		}
	}
	return s, s.serve(ctx, play)
}

// newBox seals with a key that nobody keeps.
func newBox() (*secret.Box, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return secret.ParseKeys(base64.StdEncoding.EncodeToString(key))
}

// connect stores a tenant and its binding to a simulated Xero.
func (s *site) connect(ctx context.Context) error {
	p, err := newParties(&s.stack)
	if err != nil {
		return err
	}
	s.shops = append(s.shops, p)
	queries := dbsqlc.New()
	err = queries.TenantInsert(ctx, s.pool, dbsqlc.TenantInsertParams{
		ID: p.tenant, Name: "Bench", MagentoUrl: p.shopURL, ConnectionStatus: "active",
		ApiKeySealed: s.box.Seal([]byte(p.apiKey), secret.Place(secret.TenantAPIKey, p.tenant.String())),
	})
	if err != nil {
		return fmt.Errorf("store tenant: %w", err)
	}
	row := dbsqlc.BindingInsertParams{
		ID: uuid.New(), TenantID: p.tenant, Provider: "xero", Wire: policy.WireAccounting, ApiUrl: p.xeroURL, OrgID: p.orgID,
	}
	row.TokenSealed = s.box.Seal([]byte(demoToken), secret.Place(secret.BindingToken, row.ID.String()))
	if err := queries.BindingInsert(ctx, s.pool, row); err != nil {
		return fmt.Errorf("store binding: %w", err)
	}
	err = queries.PolicyInsert(ctx, s.pool, dbsqlc.PolicyInsertParams{BindingID: row.ID, Version: 1, Policy: policy.Encode(demoPolicy())})
	if err != nil {
		return fmt.Errorf("store policy: %w", err)
	}
	return nil
}

// noLimits lets the simulated Xero be called as fast as Towpath can: with the real
// one's 60 calls a minute, the figures would be Xero's.
var noLimits = quota.Limits{PerMinute: 1_000_000, AtOnce: 5}

// serve starts Towpath in these roles, in place of the one before. It logs as
// it does in service, to nobody.
func (s *site) serve(ctx context.Context, play server.Roles) error {
	if s.server != nil {
		s.server.Stop()
	}
	var err error
	s.server, err = server.Start(ctx, server.Config{
		DatabaseURL: s.url, Listen: "127.0.0.1:0", BaseURL: "http://127.0.0.1", Box: s.box, AllowPrivate: outbound.Private{All: true},
		Roles: play, Workers: 500, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Limits: noLimits,
	})
	if err != nil {
		return err
	}
	s.onStop(s.server.Stop)
	s.base = "http://" + s.server.Addr()
	for _, p := range s.shops {
		p.shop.Connect(p.tenant.String(), p.apiKey, s.base)
	}
	return nil
}

// host serves a handler until the stack stops.
func (s *stack) host(handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	web := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = web.Serve(listener) // ends with Close below
	}()
	s.onStop(func() {
		_ = web.Close()
		<-done
	})
	return "http://" + listener.Addr().String(), nil
}

// load is the machine's load average of the last minute; nil where the system
// does not tell.
func load() *float64 {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(raw), " ")
	value, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return nil
	}
	return &value
}

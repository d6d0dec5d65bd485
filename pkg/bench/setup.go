package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dashboard"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/quota"
	"towpath/pkg/secret"
	"towpath/pkg/server"
	"towpath/pkg/shopjwt"
	"towpath/pkg/stack"
)

// measurement is one bench: its private Postgres and what it found.
type measurement struct {
	stack.Stack
	cfg    Config
	db     *pgdb.Private
	admin  *pgxpool.Pool
	binDir string // of the server's programs
	folder string // this process's own, on the disk of the data
	report Report
}

func (b *measurement) startCluster(ctx context.Context) error {
	var err error
	b.db, err = pgdb.StartPrivate(ctx, pgdb.Options{BinDir: b.cfg.BinDir, DataRoot: b.cfg.DataRoot, MaxConnections: maxClients + 100})
	if err != nil {
		return err
	}
	b.OnStop(func() {
		if err := b.db.Stop(); err != nil {
			b.cfg.Logger.Error("stop postgres", "error", err)
		}
	})
	if b.admin, err = pgdb.Open(ctx, pgdb.Config{URL: b.db.URL("postgres"), MaxConns: 2}); err != nil {
		return err
	}
	b.OnStop(b.admin.Close)
	return nil
}

// describe notes what the figures were measured on.
func (b *measurement) describe(ctx context.Context) error {
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
func (b *measurement) database(ctx context.Context, name string) (*pgxpool.Pool, error) {
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
func (b *measurement) settle(ctx context.Context) error {
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

// newParties starts a shop that sends these events (nil: all), and a Xero; they stop with
// the stack.
func newParties(s *stack.Stack, events []string) (parties, error) {
	p := parties{tenant: uuid.New(), orgID: uuid.NewString(), apiKey: shopjwt.NewAPIKey(), shop: magentosim.New(magentosim.Config{Events: events})}
	var err error
	if p.shopURL, err = s.Host("127.0.0.1:0", p.shop); err != nil {
		return p, err
	}
	p.xeroURL, err = s.Host("127.0.0.1:0", xerosim.New(xerosim.Config{OrgID: p.orgID, Tokens: []string{demo.Token}}))
	p.shop.Connect(p.tenant.String(), p.apiKey, "http://127.0.0.1:1")
	return p, err
}

// site is a Towpath around one database, with its tenants.
type site struct {
	stack.Stack
	url    string
	box    *secret.Box
	pool   *pgxpool.Pool
	shops  []parties
	gate   *dashboard.Gate // of its pages; nil: it has none
	all    bool            // shops send every event, and payments and products are booked too
	server *server.Server
	base   string
}

// newSite starts everything of one measurement, with the very server that
// towpath serve starts.
func (b *measurement) newSite(ctx context.Context, name string, tenants int, play server.Roles) (*site, error) {
	s := &site{url: b.db.URL(name), all: name == largeDatabase}
	b.OnStop(s.Stop)
	var err error
	if s.box, err = secret.NewBox(); err != nil {
		return nil, err
	}
	if s.pool, err = b.database(ctx, name); err != nil {
		return nil, err
	}
	s.OnStop(s.pool.Close)
	for range tenants {
		if err := s.connect(ctx); err != nil {
			return nil, err
		}
	}
	return s, s.serve(ctx, play)
}

// connect stores a tenant and its binding to a simulated Xero.
func (s *site) connect(ctx context.Context) error {
	events := onlyInvoices
	if s.all {
		events = nil
	}
	p, err := newParties(&s.Stack, events)
	if err != nil {
		return err
	}
	s.shops = append(s.shops, p)
	queries := dbsqlc.New()
	err = queries.TenantInsert(ctx, s.pool, dbsqlc.TenantInsertParams{
		ID: p.tenant, Name: fmt.Sprintf("Bench %d", len(s.shops)), MagentoUrl: p.shopURL, ConnectionStatus: "active",
		ApiKeySealed: s.box.Seal([]byte(p.apiKey), secret.Place(secret.TenantAPIKey, p.tenant.String())),
	})
	if err != nil {
		return fmt.Errorf("store tenant: %w", err)
	}
	row := dbsqlc.BindingInsertParams{
		ID: uuid.New(), TenantID: p.tenant, Provider: "xero", Wire: provider.WireAccounting, ApiUrl: p.xeroURL, OrgID: p.orgID,
	}
	row.TokenSealed = s.box.Seal([]byte(demo.Token), secret.Place(secret.BindingToken, row.ID.String()))
	if err := queries.BindingInsert(ctx, s.pool, row); err != nil {
		return fmt.Errorf("store binding: %w", err)
	}
	settings := demo.Policy()
	if s.all {
		bank, err := demo.BankAccount(ctx, p.xeroURL, p.orgID)
		if err != nil {
			return err
		}
		settings.SyncProducts, settings.SyncCustomers, settings.DefaultBankAccountID = true, true, &bank
	}
	err = queries.PolicyInsert(ctx, s.pool, dbsqlc.PolicyInsertParams{BindingID: row.ID, Version: 1, Policy: policy.Encode(settings)})
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
		Limits: noLimits, Gate: s.gate,
	})
	if err != nil {
		return err
	}
	s.OnStop(s.server.Stop)
	s.base = "http://" + s.server.Addr()
	for _, p := range s.shops {
		p.shop.Connect(p.tenant.String(), p.apiKey, s.base)
	}
	return nil
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

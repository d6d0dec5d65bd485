package soak

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/secret"
	"towpath/pkg/shopjwt"
	"towpath/pkg/stack"
)

// processes is how many serve processes share the database.
const processes = 2

// world is everything that takes part.
type world struct {
	stack.Stack
	cfg   Config
	db    *pgdb.Private
	pool  *pgxpool.Pool
	box   *secret.Box
	key   string // what the box was made of
	xero  *xerosim.Sim
	shops []*shop
	front string // where the shops send to: whichever process lives

	mu       sync.Mutex
	children []*child

	settling                             atomic.Bool
	kills, crashes, terminations, faults atomic.Int64
	seen                                 seen
}

// shop is a simulated shop with its tenant and its binding.
type shop struct {
	*magentosim.Shop
	name, prefix string
	tenant       uuid.UUID
	apiKey       string
	share        float64 // of the traffic
}

// child is a serve process, or the place of one that was killed.
type child struct {
	address string
	cmd     *exec.Cmd
	exited  chan struct{}
}

// The shops: two of one organisation, and a third whose numbers are the first one's.
// Whoever of these two is first has the number, and the other's invoice is held.
func shops() []*shop {
	return []*shop{
		{name: "Atelier", prefix: "A-", share: 0.6},
		{name: "Bazaar", prefix: "B-", share: 0.35},
		{name: "Clash", prefix: "A-", share: 0.05},
	}
}

// web calls the processes and the front door before them.
var web = outbound.New(outbound.Config{AllowPrivate: true})

func newWorld(ctx context.Context, cfg Config) (*world, error) {
	w := &world{cfg: cfg, shops: shops()}
	for _, step := range []func(context.Context) error{w.startDatabase, w.startLedger, w.startFront, w.startChildren} {
		if err := step(ctx); err != nil {
			w.Stop()
			return nil, err
		}
	}
	return w, nil
}

func (w *world) startDatabase(ctx context.Context) error {
	var err error
	if w.db, err = pgdb.StartPrivate(ctx, pgdb.Options{BinDir: w.cfg.BinDir}); err != nil {
		return err
	}
	w.OnStop(func() {
		if err := w.db.Stop(); err != nil {
			w.cfg.Logger.Error("stop postgres", "error", err)
		}
	})
	if w.pool, err = pgdb.Open(ctx, pgdb.Config{URL: w.db.URL("postgres"), MaxConns: 4, ApplicationName: "soak"}); err != nil {
		return err
	}
	w.OnStop(w.pool.Close)
	if _, err := pgdb.Migrate(ctx, w.pool); err != nil {
		return err
	}
	raw := [32]byte{}
	random := w.random(1)
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	w.key = base64.StdEncoding.EncodeToString(raw[:])
	w.box, err = secret.ParseKeys(w.key)
	return err
}

// startLedger starts a Xero whose limits are far away, so that the budget is not what
// is waited for.
func (w *world) startLedger(ctx context.Context) error {
	w.xero = xerosim.New(xerosim.Config{
		OrgID: demo.OrgID, Tokens: []string{demo.Token}, ShuffleBatches: w.cfg.Seed | 1,
		Limits: xerosim.Limits{PerMinute: 6000, PerDay: 10_000_000, Concurrent: 5},
	})
	address, err := w.Host("127.0.0.1:0", w.xero)
	if err != nil {
		return err
	}
	bank, err := demo.BankAccount(ctx, address, demo.OrgID)
	if err != nil {
		return err
	}
	for _, s := range w.shops {
		if err := w.connect(ctx, s, address, bank); err != nil {
			return err
		}
	}
	return nil
}

// connect stores a tenant and its binding to the ledger.
func (w *world) connect(ctx context.Context, s *shop, ledger, bank string) error {
	s.Shop, s.tenant, s.apiKey = magentosim.New(magentosim.Config{}), uuid.New(), shopjwt.NewAPIKey()
	address, err := w.Host("127.0.0.1:0", s.Shop)
	if err != nil {
		return err
	}
	queries := dbsqlc.New()
	err = queries.TenantInsert(ctx, w.pool, dbsqlc.TenantInsertParams{
		ID: s.tenant, Name: s.name, MagentoUrl: address, ConnectionStatus: "active",
		ApiKeySealed: w.box.Seal([]byte(s.apiKey), secret.Place(secret.TenantAPIKey, s.tenant.String())),
	})
	if err != nil {
		return fmt.Errorf("store tenant: %w", err)
	}
	row := dbsqlc.BindingInsertParams{
		ID: uuid.New(), TenantID: s.tenant, Provider: "xero", Wire: provider.WireAccounting, ApiUrl: ledger, OrgID: demo.OrgID,
	}
	row.TokenSealed = w.box.Seal([]byte(demo.Token), secret.Place(secret.BindingToken, row.ID.String()))
	if err := queries.BindingInsert(ctx, w.pool, row); err != nil {
		return fmt.Errorf("store binding: %w", err)
	}
	settings := demo.Policy()
	settings.InvoiceNumberPrefix = &s.prefix
	settings.SyncProducts, settings.DefaultBankAccountID = true, &bank
	err = queries.PolicyInsert(ctx, w.pool, dbsqlc.PolicyInsertParams{BindingID: row.ID, Version: 1, Policy: policy.Encode(settings)})
	if err != nil {
		return fmt.Errorf("store policy: %w", err)
	}
	return nil
}

// startFront is the proxy before the processes: it sends each request to one that
// should live.
func (w *world) startFront(context.Context) error {
	var turn atomic.Int64
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			w.mu.Lock()
			address := w.children[int(turn.Add(1))%len(w.children)].address
			w.mu.Unlock()
			r.SetURL(&url.URL{Scheme: "http", Host: address})
		},
		ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) },
	}
	var err error
	w.front, err = w.Host("127.0.0.1:0", proxy)
	return err
}

func (w *world) startChildren(ctx context.Context) error {
	w.OnStop(func() {
		w.mu.Lock()
		children := slices.Clone(w.children)
		w.mu.Unlock()
		for _, c := range children {
			c.kill()
		}
	})
	for range processes {
		c := &child{}
		w.mu.Lock()
		w.children = append(w.children, c)
		w.mu.Unlock()
		if err := w.start(ctx, c); err != nil {
			return err
		}
	}
	for _, s := range w.shops {
		s.Connect(s.tenant.String(), s.apiKey, w.front)
	}
	return nil
}

// start runs a serve process in a place, at a port of its own, and waits until it is
// ready.
func (w *world) start(ctx context.Context, c *child) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	cmd := exec.Command(w.cfg.Binary, "serve", "--roles", "ingress,worker", "--listen", address)
	cmd.Env = append(slices.Clone(w.cfg.Env), "DATABASE_URL="+w.db.URL("postgres"), "TOWPATH_SECRET_KEY="+w.key,
		"TOWPATH_BASE_URL="+w.front, "TOWPATH_ALLOW_PRIVATE_URLS=true", "TOWPATH_LOG_LEVEL=error")
	log, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer log.Close()
	cmd.Stderr = log
	dieWithParent(cmd)
	started, exited := make(chan error), make(chan struct{})
	go func() {
		defer close(exited)
		runtime.LockOSThread() // "parent" is the thread: this one lives as long as the process
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start serve: %w", err)
	}
	w.mu.Lock()
	c.address, c.cmd, c.exited = address, cmd, exited
	w.mu.Unlock()
	return w.ready(ctx, c)
}

// ready waits until a process is; one that ended was met by a crash of the database.
func (w *world) ready(ctx context.Context, c *child) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.address+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("ask for readiness: %w", err)
		}
		if resp, err := web.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-c.exited:
			return errEnded
		case <-ctx.Done():
			return fmt.Errorf("serve is not ready: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// kill ends a process by SIGKILL and waits for its end.
func (c *child) kill() {
	if c.cmd == nil {
		return
	}
	_ = c.cmd.Process.Kill() // an error means that it is gone
	<-c.exited
}

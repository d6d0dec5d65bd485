package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/loopback"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/shopjwt"
)

var soakWebhooks = flag.Int("soak.webhooks", 400, "webhooks of the two-process soak")

// installation is real towpath processes on one database, a simulated shop and a
// simulated Xero, all over loopback.
type installation struct {
	env  map[string]string
	pool *pgxpool.Pool
	paired
}

// paired is one shop and the Xero that it is bound to.
type paired struct {
	shop   *magentosim.Shop
	xero   *xerosim.Sim
	tenant string
	key    string
}

func newSoak(t *testing.T) *installation {
	t.Helper()
	s := &installation{env: map[string]string{
		"DATABASE_URL": pgtest.URL(t), "TOWPATH_SECRET_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"TOWPATH_ALLOW_PRIVATE_URLS": "true", "TOWPATH_LOG_LEVEL": "error",
	}}
	var err error
	s.pool, err = pgxpool.New(t.Context(), s.env["DATABASE_URL"])
	require.NoError(t, err)
	t.Cleanup(s.pool.Close)
	s.paired = s.pair(t, xerosim.Config{OrgID: demo.OrgID, Limits: xeroLimits})
	return s
}

// pair makes a tenant with a shop and a Xero of its own, ready to post.
func (s *installation) pair(t *testing.T, cfg xerosim.Config) paired {
	t.Helper()
	p := s.shopOf(t, xerosim.New(cfg))
	xero := httptest.NewServer(p.xero)
	t.Cleanup(xero.Close)
	s.bind(t, "--tenant", p.tenant, "--api-url", xero.URL, "--org-id", cfg.OrgID, "--token", "token")
	return p
}

// shopOf makes a tenant with a shop of its own.
func (s *installation) shopOf(t *testing.T, xero *xerosim.Sim) paired {
	t.Helper()
	p := paired{shop: magentosim.New(magentosim.Config{Events: []string{}}), xero: xero, tenant: uuid.NewString(), key: shopjwt.NewAPIKey()}
	shop := httptest.NewServer(p.shop)
	t.Cleanup(shop.Close)
	p.shop.Connect(p.tenant, p.key, "http://127.0.0.1:1")
	s.must(t, "tenant", "create", "--name", "Soak", "--magento-url", shop.URL, "--id", p.tenant, "--api-key", p.key)
	return p
}

// bind makes a binding with the flags, and gives it settings.
func (s *installation) bind(t *testing.T, flags ...string) {
	t.Helper()
	var binding struct{ ID string }
	decode(t, s.must(t, append([]string{"binding", "create", "--provider", "xero", "--json"}, flags...)...), &binding)
	policy := filepath.Join(t.TempDir(), "policy.json")
	require.NoError(t, os.WriteFile(policy, []byte(`{"default_xero_revenue_account_code":"200",
		"tax_rate_map":{"20.00":"OUTPUT2","0.00":"ZERORATEDOUTPUT"}}`), 0o600))
	s.must(t, "binding", "policy", "set", binding.ID, "--file", policy)
}

// must runs a command in this process and answers what it printed.
func (s *installation) must(t *testing.T, args ...string) []byte {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), args, consoleOf(s.env, &out, &errs))
	require.Zero(t, code, "towpath %v: %s", args, errs.String())
	return out.Bytes()
}

// process starts a real serve process and waits until it is ready.
func (s *installation) process(t *testing.T) (*exec.Cmd, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	cmd := towpath(t, "serve", "--listen", address)
	cmd.Env = []string{asProcess + "=1"}
	for name, value := range s.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		resp, err := loopback.Client.Get("http://" + address + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, 30*time.Second, 20*time.Millisecond)
	return cmd, "http://" + address
}

// send posts one event until it is accepted, as the shop's outbox would.
func (s paired) send(ctx context.Context, id int64, bases []string, dead *atomic.Bool) error {
	body := fmt.Sprintf(`{"magento_entity_id":%d,"website_id":1,"store_id":1,"occurred_at":%q,"payload":[]}`, id, time.Now().UTC().Format(time.RFC3339))
	for n := int(id); ctx.Err() == nil; n++ {
		base := bases[n%len(bases)]
		if dead.Load() {
			base = bases[1]
		}
		token, err := shopjwt.MintShop(s.key, s.tenant, time.Now())
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/webhooks/magento/"+s.tenant+"/invoice.created?provider=xero", bytes.NewBufferString(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", fmt.Sprintf("invoice.created:%d", id))
		resp, err := loopback.Client.Do(req)
		if err != nil {
			continue // the process was killed: the shop sends again
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusAccepted {
			return nil
		}
		if resp.StatusCode < 500 {
			return fmt.Errorf("webhook %d: %d %s", id, resp.StatusCode, answer)
		}
	}
	return ctx.Err()
}

func Test_Two_processes_one_killed_lose_and_double_nothing(t *testing.T) {
	pgtest.Long(t)
	t.Parallel()
	s := newSoak(t)
	victim, first := s.process(t)
	_, second := s.process(t)

	webhooks := *soakWebhooks
	totals := map[string]string{}
	for range webhooks {
		inv := s.shop.RaiseInvoice(demo.Cart())
		totals[inv.IncrementID] = inv.GrandTotal
	}
	// Some answers of Xero are lost after they took effect, some before.
	for range 1 + webhooks/400 {
		s.xero.Inject(xerosim.Fault{Operation: "PUT /Invoices", When: xerosim.After, Reset: true},
			xerosim.Fault{Operation: "PUT /Invoices", When: xerosim.Before, Status: 503, Body: "The Xero API is temporarily unavailable"})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	sampled, stopSampling := s.sample(t)

	began := time.Now()
	var dead atomic.Bool
	var accepted atomic.Int64
	ids := make(chan int64)
	errs := make(chan error, 16)
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for id := range ids {
				if err := s.send(ctx, id, []string{first, second}, &dead); err != nil {
					errs <- err
					return
				}
				accepted.Add(1)
			}
		})
	}
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		_ = s.await(ctx, func() bool { return accepted.Load() >= int64(webhooks/2) })
		_ = victim.Process.Kill() // SIGKILL, with jobs in flight
		dead.Store(true)
	}()
	for _, inv := range s.shop.Invoices() {
		select {
		case ids <- inv.ID:
		case err := <-errs:
			require.NoError(t, err)
		}
	}
	close(ids)
	senders.Wait()
	<-killed
	allAccepted := time.Since(began)

	require.NoError(t, s.await(ctx, func() bool {
		var open int
		err := s.pool.QueryRow(ctx, "SELECT count(*) FROM sync_runs WHERE shop_told IS DISTINCT FROM 'told'").Scan(&open)
		return err == nil && open == 0
	}), "runs are still open")
	stopSampling()
	t.Logf("%d webhooks accepted in %s, all told after %s; %d snapshots without a mismatch",
		webhooks, allAccepted.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), sampled.Load())

	t.Logf("calls %v", s.xero.AllCalls())
	require.Positive(t, sampled.Load())
	s.checkDocuments(t, totals)
	require.Len(t, s.xero.Contacts(), 1, "one customer, one contact")
	s.must(t, "verify")
}

// await asks often; nothing here tells of its own.
func (s *installation) await(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// sample looks at run_queue_mismatch in repeatable-read snapshots until stopped.
func (s *installation) sample(t *testing.T) (*atomic.Int64, func()) {
	t.Helper()
	var count atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			var found []string
			err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
				rows, err := tx.Query(ctx, "SELECT coalesce(run_id::text, '?') || ' ' || problem FROM run_queue_mismatch")
				if err != nil {
					return err
				}
				found, err = pgx.CollectRows(rows, pgx.RowTo[string])
				return err
			})
			if ctx.Err() != nil {
				return
			}
			if err != nil || len(found) > 0 {
				t.Errorf("mismatch: %v %v", found, err)
				return
			}
			count.Add(1)
		}
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	return &count, stop
}

// checkDocuments asserts that each invoice has exactly one document, to the penny,
// and that the shop was told of that one and no other.
func (s *installation) checkDocuments(t *testing.T, totals map[string]string) {
	t.Helper()
	posted := s.xero.Invoices()
	require.Len(t, posted, len(totals), "documents")
	for _, doc := range posted {
		total, raised := totals[doc.Number]
		require.True(t, raised, "%s was never raised, or stands twice", doc.Number)
		require.Equal(t, total, doc.Total, doc.Number)
		delete(totals, doc.Number)
	}
	require.Empty(t, totals, "not posted")
	for _, inv := range s.shop.Invoices() {
		require.Equal(t, "synced", inv.Chip.Status, inv.IncrementID)
		for _, told := range s.shop.Told("invoice", inv.ID) {
			require.Equal(t, inv.Chip.ProviderEntityID, told.ProviderEntityID, inv.IncrementID)
		}
	}
}

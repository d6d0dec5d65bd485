package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/julienschmidt/httprouter"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"towpath/pkg/canon"
	"towpath/pkg/demo"
	"towpath/pkg/magento"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
	"towpath/pkg/shopjwt"
	"towpath/pkg/stack"
)

// The measure is the same work done plainly: the same three calls an invoice,
// through the same clients and to the same simulated servers, by River as its
// documentation shows it. One transaction a webhook, three kinds in one queue, one
// JobCompleteTx a job; no lanes, intents, budgets, fairness or history.

type plainFetch struct{ Run uuid.UUID }
type plainPost struct{ Run uuid.UUID }
type plainPush struct{ Run uuid.UUID }

func (plainFetch) Kind() string { return "fetch" }
func (plainPost) Kind() string  { return "post" }
func (plainPush) Kind() string  { return "push" }

// plainTenant is a shop and its Xero.
type plainTenant struct {
	parties
	client *magento.Client
	ledger *xero.Client
	ref    provider.Reference
	verify *shopjwt.Verifier

	mu       sync.Mutex
	contacts map[string]string
}

// plain is River's chain around one database.
type plain struct {
	stack.Stack
	pool    *pgxpool.Pool
	insert  *river.Client[pgx.Tx]
	tenants map[uuid.UUID]*plainTenant
	shops   []parties
	left    atomic.Int64
	done    chan struct{} // closed when none is left
}

const plainTables = `
	CREATE TABLE spent_jtis (jti text PRIMARY KEY, at timestamptz NOT NULL);
	CREATE TABLE sync_runs (id uuid PRIMARY KEY, tenant uuid NOT NULL, key text NOT NULL, entity bigint NOT NULL, body json NOT NULL,
		status text NOT NULL, canonical json, xero text, at timestamptz DEFAULT now(), updated timestamptz, UNIQUE (tenant, key))`

func (b *measurement) newPlain(ctx context.Context, name string, tenants int) (*plain, error) {
	p := &plain{tenants: map[uuid.UUID]*plainTenant{}, done: make(chan struct{})}
	b.OnStop(p.Stop)
	if _, err := b.admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, fmt.Errorf("make database %s: %w", name, err)
	}
	var err error
	if p.pool, err = pgdb.Open(ctx, pgdb.Config{URL: b.db.URL(name), MaxConns: 24}); err != nil {
		return nil, err
	}
	p.OnStop(p.pool.Close)
	migrator, err := rivermigrate.New(riverpgxv5.New(p.pool), nil)
	if err != nil {
		return nil, fmt.Errorf("make river's migrator: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("make river's tables: %w", err)
	}
	if _, err := p.pool.Exec(ctx, plainTables); err != nil {
		return nil, fmt.Errorf("make plain tables: %w", err)
	}
	if p.insert, err = river.NewClient(riverpgxv5.New(p.pool), &river.Config{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		return nil, fmt.Errorf("make river client: %w", err)
	}
	for range tenants {
		if err := p.addTenant(ctx); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *plain) addTenant(ctx context.Context) error {
	both, err := newParties(&p.Stack, onlyInvoices)
	if err != nil {
		return err
	}
	t := &plainTenant{parties: both, contacts: map[string]string{}}
	web := outbound.New(outbound.Config{AllowPrivate: true})
	if t.client, err = magento.New(magento.Config{BaseURL: t.shopURL, TenantID: t.tenant.String(), APIKey: t.apiKey, HTTP: web}); err != nil {
		return err
	}
	token := func(context.Context) (string, error) { return demo.Token, nil }
	if t.ledger, err = xero.New(xero.Config{BaseURL: t.xeroURL, OrgID: t.orgID, HTTP: web, Token: token}); err != nil {
		return err
	}
	if t.ref, err = t.ledger.Reference(ctx); err != nil {
		return err
	}
	t.verify, err = shopjwt.NewVerifier(t.apiKey, t.tenant.String())
	p.tenants[t.tenant] = t
	p.shops = append(p.shops, both)
	return err
}

// ServeHTTP's like of the front door: one transaction a webhook.
func (p *plain) handler() http.Handler {
	router := httprouter.New()
	router.POST("/webhooks/magento/:tenant/:event", func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		id, err := uuid.Parse(params.ByName("tenant"))
		t := p.tenants[id]
		if err != nil || t == nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		run, err := p.accept(r, t)
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, `{"sync_run_id":%q}`, run)
	})
	return router
}

func (p *plain) accept(r *http.Request, t *plainTenant) (uuid.UUID, error) {
	claims, err := t.verify.Verify(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), time.Now())
	if err != nil {
		return uuid.Nil, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 256<<10))
	if err != nil {
		return uuid.Nil, err
	}
	var event struct {
		ID int64 `json:"magento_entity_id"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return uuid.Nil, err
	}
	run, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, err
	}
	ctx := r.Context()
	return run, pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO spent_jtis VALUES ($1, now())", claims.JTI); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO sync_runs (id, tenant, key, entity, body, status) VALUES ($1, $2, $3, $4, $5, 'queued')",
			run, t.tenant, r.Header.Get("Idempotency-Key"), event.ID, body)
		if err != nil {
			return err
		}
		_, err = p.insert.InsertTx(ctx, tx, plainFetch{run}, nil)
		return err
	})
}

// plainRun is what a job reads of its run.
type plainRun struct {
	tenant    *plainTenant
	entity    int64
	canonical json.RawMessage
	xero      *string
}

func (p *plain) run(ctx context.Context, id uuid.UUID) (plainRun, error) {
	var r plainRun
	var tenant uuid.UUID
	err := p.pool.QueryRow(ctx, "SELECT tenant, entity, canonical, xero FROM sync_runs WHERE id = $1", id).Scan(&tenant, &r.entity, &r.canonical, &r.xero)
	r.tenant = p.tenants[tenant]
	return r, err
}

// plainEnd completes a job with what it did and its next job, as River's
// documentation shows it.
func plainEnd[A river.JobArgs](ctx context.Context, p *plain, job *river.Job[A], next river.JobArgs, change string, args ...any) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE sync_runs SET updated = now(), "+change+" WHERE id = $1", args...); err != nil {
			return err
		}
		if next == nil {
			return nil
		}
		_, err := river.ClientFromContext[pgx.Tx](ctx).InsertTx(ctx, tx, next, nil)
		return err
	})
}

type plainFetcher struct {
	river.WorkerDefaults[plainFetch]
	*plain
}

// Work reads the canonical invoice.
func (w plainFetcher) Work(ctx context.Context, job *river.Job[plainFetch]) error {
	run, err := w.run(ctx, job.Args.Run)
	if err != nil {
		return err
	}
	raw, _, err := run.tenant.client.Invoice(ctx, run.entity)
	if err != nil {
		return err
	}
	return plainEnd(ctx, w.plain, job, plainPost(job.Args), "status = 'running', canonical = $2", job.Args.Run, raw)
}

type plainPoster struct {
	river.WorkerDefaults[plainPost]
	*plain
}

// Work writes the document, alone in its call.
func (w plainPoster) Work(ctx context.Context, job *river.Job[plainPost]) error {
	run, err := w.run(ctx, job.Args.Run)
	if err != nil {
		return err
	}
	inv, err := canon.DecodeInvoice(run.canonical)
	if err != nil {
		return err
	}
	contact, err := run.tenant.contact(ctx, policy.BuyerOf(inv, demo.Policy()))
	if err != nil {
		return err
	}
	doc, err := run.tenant.ledger.Document(inv, demo.Policy(), run.tenant.ref, contact, "http://127.0.0.1/"+job.Args.Run.String())
	if err != nil {
		return err
	}
	posted := run.tenant.ledger.EnsureInvoices(ctx, []provider.Item[provider.Document]{{Value: doc, Try: provider.Try{Key: job.Args.Run.String()}}})[0]
	if posted.Err != nil {
		return posted.Err
	}
	return plainEnd(ctx, w.plain, job, plainPush(job.Args), "status = 'succeeded', xero = $2", job.Args.Run, posted.Value.ID)
}

// contact is remembered in the process.
func (t *plainTenant) contact(ctx context.Context, buyer policy.Buyer) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.contacts[buyer.Key]; known != "" {
		return known, nil
	}
	found := t.ledger.EnsureContacts(ctx, []provider.Item[policy.Buyer]{{Value: buyer, Try: provider.Try{Key: uuid.NewString()}}})[0]
	if found.Err == nil {
		t.contacts[buyer.Key] = found.Value
	}
	return found.Value, found.Err
}

type plainPusher struct {
	river.WorkerDefaults[plainPush]
	*plain
}

// Work tells the shop.
func (w plainPusher) Work(ctx context.Context, job *river.Job[plainPush]) error {
	run, err := w.run(ctx, job.Args.Run)
	if err != nil {
		return err
	}
	err = run.tenant.client.PushSyncState(ctx, magento.SyncState{EntityType: magento.EntityInvoice, EntityID: run.entity, Provider: "xero",
		Status: magento.Synced, ProviderEntityID: *run.xero, LastSyncAt: time.Now()})
	if err != nil {
		return err
	}
	if err := plainEnd(ctx, w.plain, job, nil, "status = 'succeeded'", job.Args.Run); err != nil {
		return err
	}
	if w.left.Add(-1) == 0 {
		close(w.done)
	}
	return nil
}

// drain works off runs that wait, of all tenants in turn, and answers the seconds.
func (p *plain) drain(ctx context.Context, runs int) (float64, error) {
	if err := p.pile(ctx, runs); err != nil {
		return 0, err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, plainFetcher{plain: p})
	river.AddWorker(workers, plainPoster{plain: p})
	river.AddWorker(workers, plainPusher{plain: p})
	client, err := river.NewClient(riverpgxv5.New(p.pool), &river.Config{Logger: slog.New(slog.DiscardHandler), Workers: workers,
		FetchCooldown: 10 * time.Millisecond, Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 20}}})
	if err != nil {
		return 0, fmt.Errorf("make river client: %w", err)
	}
	began := time.Now()
	if err := client.Start(ctx); err != nil {
		return 0, fmt.Errorf("start river: %w", err)
	}
	defer func() { _ = client.StopAndCancel(context.WithoutCancel(ctx)) }()
	select {
	case <-p.done:
		return time.Since(began).Seconds(), nil
	case <-ctx.Done():
		return 0, errors.Join(fmt.Errorf("plain River: %d of %d runs are left", p.left.Load(), runs), ctx.Err())
	}
}

// pile inserts the runs with their first jobs, in one transaction.
func (p *plain) pile(ctx context.Context, runs int) error {
	p.left.Store(int64(runs))
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		var jobs []river.InsertManyParams
		for i := range runs {
			t := p.shops[i%len(p.shops)]
			inv := t.shop.RaiseInvoice(demo.Cart())
			id := uuid.Must(uuid.NewV7())
			_, err := tx.Exec(ctx, "INSERT INTO sync_runs (id, tenant, key, entity, body, status) VALUES ($1, $2, $3, $4, '{}', 'queued')",
				id, t.tenant, fmt.Sprint(inv.ID), inv.ID)
			if err != nil {
				return fmt.Errorf("insert run: %w", err)
			}
			jobs = append(jobs, river.InsertManyParams{Args: plainFetch{id}})
		}
		_, err := p.insert.InsertManyFastTx(ctx, tx, jobs)
		return err
	})
}

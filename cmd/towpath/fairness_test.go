package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

var fairBacklog = flag.Int("fair.backlog", 2000, "events of one tenant that another tenant's invoice does not wait for")

// otherOrgID is an organisation with a budget of its own.
const otherOrgID = "0a0b0c0d-0000-4000-8000-000000000002"

// fairDelay is what one tenant's backlog may add to another's invoice: to the one in the
// middle, and five times that to a single one. A bound for a machine that does nothing
// else, as .ci/run fairness is.
var fairDelay = flag.Duration("fair.delay", 0, "fail where the backlog adds more than that (0: only report it)")

func Test_One_tenants_backlog_does_not_keep_anothers_invoice_waiting(t *testing.T) {
	pgtest.Long(t)
	// Not parallel: it measures, and what runs beside it would be measured too.
	s := newSoak(t)
	_, base := s.process(t)
	other := s.pair(t, xerosim.Config{OrgID: otherOrgID, Limits: xeroLimits})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()

	idle := other.latencies(ctx, t, base, 4, func() bool { return false })
	var accepted atomic.Int64
	sent := make(chan error, 1)
	webhooks := min(*fairBacklog, mostWebhooks)
	s.pile(ctx, t, *fairBacklog-webhooks)
	go func() { sent <- s.flood(ctx, base, webhooks, &accepted) }()
	require.NoError(t, s.await(ctx, func() bool { return accepted.Load() >= int64(webhooks/4) }))
	during := other.latencies(ctx, t, base, 9, func() bool { return s.open(ctx, t) == 0 })
	require.NoError(t, <-sent)
	waiting := s.open(ctx, t)
	after := other.latencies(ctx, t, base, 4, func() bool { return s.open(ctx, t) == 0 })
	t.Logf("idle: median %s, most %s; while %d events come: median %s, most %s; with %d waiting: median %s, most %s",
		median(idle), slices.Max(idle), *fairBacklog, median(during), slices.Max(during), waiting, median(after), slices.Max(after))
	require.Positive(t, waiting, "there was no backlog")
	for _, took := range [][]time.Duration{during, after} {
		if *fairDelay > 0 {
			require.Less(t, median(took)-median(idle), *fairDelay)
			require.Less(t, slices.Max(took)-median(idle), 5**fairDelay)
		}
	}
	before, left := s.overtaken(ctx, t, other.tenant)
	t.Logf("%d events of the other tenant waited as these came, %d when they were told", before, left)
	require.Greater(t, 2*left, before, "most of what came before was worked off first")
	s.must(t, "verify")
}

// overtaken counts, over the invoices of a tenant, the first tenant's events that waited
// when each came, and those of them that still did when it had been told. In the order
// of arrival none would. It does not hang on the machine's pace.
func (s *installation) overtaken(ctx context.Context, t *testing.T, tenant string) (before, left int) {
	t.Helper()
	require.NoError(t, s.pool.QueryRow(ctx, `
		SELECT count(*), count(*) FILTER (WHERE flood.told_at IS NULL OR flood.told_at > late.told_at)
		FROM sync_runs AS late
		JOIN sync_runs AS flood ON flood.tenant_id = $1
			AND flood.received_at < late.received_at
			AND (flood.told_at IS NULL OR flood.told_at > late.received_at)
		WHERE late.tenant_id = $2`, s.tenant, tenant).Scan(&before, &left))
	require.Positive(t, before, "there was no backlog")
	return before, left
}

// mostWebhooks of a backlog come as webhooks; what is more is accepted in sets.
const mostWebhooks = 2000

// pile accepts the events of n invoices as the ingress does, many in a transaction.
func (s *installation) pile(ctx context.Context, t *testing.T, n int) {
	t.Helper()
	tenant := uuid.MustParse(s.tenant)
	var binding uuid.UUID
	var version int32
	require.NoError(t, s.pool.QueryRow(ctx, "SELECT id, policy_version FROM bindings WHERE tenant_id = $1", tenant).Scan(&binding, &version))
	for ; n > 0; n -= 500 {
		var set []syncrun.Event
		for range min(n, 500) {
			id := s.shop.RaiseInvoice(demo.Cart()).ID
			set = append(set, syncrun.Event{
				TenantID: tenant, BindingID: binding, PolicyVersion: version, Name: "invoice.created", EntityID: id,
				OccurredAt: time.Now(), IdempotencyKey: fmt.Sprintf("invoice.created:%d", id), Body: json.RawMessage("{}"),
				JTI: uuid.NewString(), JTIExpiresAt: time.Now().Add(time.Minute),
			})
		}
		require.NoError(t, pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			_, err := syncrun.Accept(ctx, tx, riverjobs.Enqueue, set)
			return err
		}))
	}
}

// xeroLimits are Xero's.
var xeroLimits = xerosim.Limits{PerMinute: 60, PerDay: 5000, Concurrent: 5}

// flood sends the events of n invoices, several at a time.
func (s *installation) flood(ctx context.Context, base string, n int, accepted *atomic.Int64) error {
	ids := make(chan int64)
	errs := make(chan error, 8)
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for id := range ids {
				if err := s.send(ctx, id, []string{base}, new(atomic.Bool)); err != nil {
					errs <- err
					return
				}
				accepted.Add(1)
			}
		})
	}
	defer senders.Wait()
	defer close(ids)
	for range n {
		select {
		case ids <- s.shop.RaiseInvoice(demo.Cart()).ID:
		case err := <-errs:
			return err
		}
	}
	return nil
}

// open counts the runs of the first tenant that the shop has not been told of.
func (s *installation) open(ctx context.Context, t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, s.pool.QueryRow(ctx, `
		SELECT count(*) FROM sync_runs WHERE tenant_id = $1 AND shop_told IS DISTINCT FROM 'told'`, s.tenant).Scan(&n))
	return n
}

// latencies raises n invoices one after another, or fewer where enough says so,
// and answers how long each took from its webhook to the shop's chip.
func (p paired) latencies(ctx context.Context, t *testing.T, base string, n int, enough func() bool) []time.Duration {
	t.Helper()
	var took []time.Duration
	for len(took) < n && (len(took) == 0 || !enough()) {
		inv := p.shop.RaiseInvoice(demo.Cart())
		began := time.Now()
		require.NoError(t, p.send(ctx, inv.ID, []string{base}, new(atomic.Bool)))
		chip, err := p.shop.WaitChip(ctx, inv.ID)
		require.NoError(t, err)
		require.Equal(t, "synced", chip.Status)
		took = append(took, time.Since(began).Round(time.Millisecond))
	}
	return took
}

func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

package quota_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/quota"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// window is the length in which no more than a minute's calls begin.
const window = 61 * time.Second

// testingT is a test or a rapid check.
type testingT interface {
	require.TestingT
	Helper()
}

// querier is a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// book drives a binding's budget at simulated times and keeps its own account of
// what was granted.
type book struct {
	pool    *pgxpool.Pool
	binding uuid.UUID
	limits  quota.Limits
	now     time.Time
	granted []grant
}

// grant is a call for which there is leave.
type grant struct {
	id           int64
	at           time.Time // since when it counts
	backfill     bool
	begun, ended bool
}

func newBook(t testingT, pool *pgxpool.Pool, limits quota.Limits) *book {
	t.Helper()
	return &book{pool: pool, binding: newBinding(t, pool), limits: limits, now: time.Now().Truncate(time.Microsecond)}
}

// newBinding makes a binding of a tenant of its own.
func newBinding(t testingT, pool *pgxpool.Pool) uuid.UUID {
	t.Helper()
	ctx, queries, tenant, binding := context.Background(), dbsqlc.New(), uuid.New(), uuid.New()
	require.NoError(t, queries.TenantInsert(ctx, pool, dbsqlc.TenantInsertParams{
		ID: tenant, Name: "Shop", MagentoUrl: "http://shop.example", ApiKeySealed: []byte("key"), ConnectionStatus: "active",
	}))
	require.NoError(t, queries.BindingInsert(ctx, pool, dbsqlc.BindingInsertParams{
		ID: binding, TenantID: tenant, Provider: "xero", Wire: "accounting", ApiUrl: "http://xero.example",
	}))
	return binding
}

// open makes a book on a database of its own.
func open(t *testing.T, limits quota.Limits) *book {
	t.Helper()
	return newBook(t, pgtest.New(t), limits)
}

// ask asks for calls at a time: their ids, or how long to wait.
func (b *book) ask(t testingT, db querier, backfill bool, load quota.Load, calls int, at time.Time) (ids []int64, wait time.Duration) {
	t.Helper()
	var seconds float64
	require.NoError(t, db.QueryRow(context.Background(), `
		SELECT coalesce(call_ids, '{}'), coalesce(extract(epoch FROM wait), 0)::float8
		FROM provider_call_take($1, $2, $3, $4, $5, $6, $7)`,
		b.binding, backfill, float64(load), calls, b.limits.PerMinute, b.limits.AtOnce, at).Scan(&ids, &seconds))
	return ids, time.Duration(math.Round(seconds*1e6)) * time.Microsecond
}

// take asks at the book's time and enters what is granted.
func (b *book) take(t testingT, backfill bool, load quota.Load, calls int) (granted int, wait time.Duration) {
	t.Helper()
	ids, wait := b.ask(t, b.pool, backfill, load, calls, b.now)
	for _, id := range ids {
		b.granted = append(b.granted, grant{id: id, at: b.now, backfill: backfill})
	}
	return len(ids), wait
}

// begin begins the i-th call at the book's time, unless too many are under way
// (false) or it was asked for too long ago (nil).
func (b *book) begin(t testingT, i int) *bool {
	t.Helper()
	var begun *bool
	_, atOnce := b.most(b.granted[i].backfill)
	require.NoError(t, b.pool.QueryRow(context.Background(), "SELECT provider_call_begin($1, $2, NULL, $3)", b.granted[i].id, atOnce, b.now).Scan(&begun))
	if begun != nil && *begun {
		b.granted[i].begun, b.granted[i].at = true, b.now
	}
	return begun
}

// call asks for a call and begins it.
func (b *book) call(t testingT, backfill bool, load quota.Load) (begun bool, wait time.Duration) {
	t.Helper()
	granted, wait := b.take(t, backfill, load, 1)
	if granted == 0 {
		return false, wait
	}
	if began := b.begin(t, len(b.granted)-1); began != nil && *began {
		return true, 0
	}
	b.giveBack(t, len(b.granted)-1)
	return false, 500 * time.Millisecond
}

// live makes a call of what happens now that carries as much as it can.
func (b *book) live(t testingT) bool {
	t.Helper()
	begun, _ := b.call(t, false, quota.Full)
	return begun
}

// backfill makes a call of backfill.
func (b *book) backfill(t testingT) bool {
	t.Helper()
	begun, _ := b.call(t, true, quota.Full)
	return begun
}

// done ends the i-th call at the book's time; minute and day are what the answer
// said, nil for nothing. The database stamps its own time, which is set back.
func (b *book) done(t testingT, i int, minute, day *int) {
	t.Helper()
	b.granted[i].ended = true
	b.exec(t, "SELECT provider_call_done($1, $2, $3)", b.granted[i].id, minute, day)
	if minute != nil {
		b.exec(t, "UPDATE call_budgets SET others_at = $2 WHERE binding_id = $1", b.binding, b.now)
	}
	if day != nil {
		b.exec(t, "UPDATE call_budgets SET day_left_at = $2 WHERE binding_id = $1", b.binding, b.now)
	}
}

// giveBack returns the i-th call, which has not begun.
func (b *book) giveBack(t testingT, i int) {
	t.Helper()
	b.exec(t, "SELECT provider_call_return($1)", []int64{b.granted[i].id})
	b.granted = slices.Delete(b.granted, i, i+1)
}

func (b *book) exec(t testingT, sql string, args ...any) {
	t.Helper()
	_, err := b.pool.Exec(context.Background(), sql, args...)
	require.NoError(t, err)
}

// used counts the calls of the last window, begun or not.
func (b *book) used() int { return len(b.places(func(grant) bool { return true })) }

// underWay are the places of the calls that have not ended, leaving out those
// whose process must have died.
func (b *book) underWay() []int { return b.places(func(g grant) bool { return g.begun && !g.ended }) }

// waiting are the places of the calls that have not begun.
func (b *book) waiting() []int { return b.places(func(g grant) bool { return !g.begun }) }

// places finds calls of the last window.
func (b *book) places(is func(grant) bool) (found []int) {
	for i, g := range b.granted {
		if is(g) && g.at.After(b.now.Add(-window)) {
			found = append(found, i)
		}
	}
	return found
}

func ptr(n int) *int { return &n }

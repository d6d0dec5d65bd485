package budget_test

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

	"towpath/pkg/budget"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb/pgtest"
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
	limits  budget.Limits
	now     time.Time
	granted []grant
}

// grant is a call that was let go.
type grant struct {
	id       int64
	at       time.Time
	backfill bool
	ended    bool
}

func newBook(t testingT, pool *pgxpool.Pool, limits budget.Limits) *book {
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
func open(t *testing.T, limits budget.Limits) *book {
	t.Helper()
	return newBook(t, pgtest.New(t), limits)
}

// ask asks for a call at a time: its id, or how long to wait.
func (b *book) ask(t testingT, db querier, backfill bool, load budget.Load, at time.Time) (id int64, wait time.Duration) {
	t.Helper()
	var seconds float64
	require.NoError(t, db.QueryRow(context.Background(), `
		SELECT coalesce(call_id, 0), coalesce(extract(epoch FROM wait), 0)::float8
		FROM provider_call_take($1, $2, $3, $4, $5, $6)`,
		b.binding, backfill, float64(load), b.limits.PerMinute, b.limits.AtOnce, at).Scan(&id, &seconds))
	return id, time.Duration(math.Round(seconds*1e6)) * time.Microsecond
}

// take asks at the book's time and enters what is granted.
func (b *book) take(t testingT, backfill bool, load budget.Load) (granted bool, wait time.Duration) {
	t.Helper()
	id, wait := b.ask(t, b.pool, backfill, load, b.now)
	if id != 0 {
		b.granted = append(b.granted, grant{id: id, at: b.now, backfill: backfill})
	}
	return id != 0, wait
}

// live asks for a call of what happens now that carries as much as it can.
func (b *book) live(t testingT) bool {
	t.Helper()
	granted, _ := b.take(t, false, budget.Full)
	return granted
}

// backfill asks for a call of backfill.
func (b *book) backfill(t testingT) bool {
	t.Helper()
	granted, _ := b.take(t, true, budget.Full)
	return granted
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

// giveBack returns the i-th call unmade.
func (b *book) giveBack(t testingT, i int) {
	t.Helper()
	b.exec(t, "SELECT provider_call_return($1)", b.granted[i].id)
	b.granted = slices.Delete(b.granted, i, i+1)
}

func (b *book) exec(t testingT, sql string, args ...any) {
	t.Helper()
	_, err := b.pool.Exec(context.Background(), sql, args...)
	require.NoError(t, err)
}

// used counts the calls that began in the length of time before the book's.
func (b *book) used(length time.Duration) (n int) {
	for _, g := range b.granted {
		if g.at.After(b.now.Add(-length)) {
			n++
		}
	}
	return n
}

// underWay are the places of the calls that have not ended, leaving out those
// whose process must have died.
func (b *book) underWay() (places []int) {
	for i, g := range b.granted {
		if !g.ended && g.at.After(b.now.Add(-window)) {
			places = append(places, i)
		}
	}
	return places
}

func ptr(n int) *int { return &n }

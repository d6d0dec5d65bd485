package quota_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/quota"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// Xero's window and the life of a lease, as a test of them must know them.
const (
	window = 61 * time.Second
	life   = 2 * time.Minute
)

// testingT is a test or a rapid check.
type testingT interface {
	require.TestingT
	Helper()
}

// book drives a budget at simulated times and keeps its own account of what was
// granted and called.
type book struct {
	quota.Budget
	limits quota.Limits
	now    time.Time
	work   []*work
	calls  []call
}

// work is what has a lease.
type work struct {
	id       int64
	client   string
	backfill bool
	left     int
	granted  time.Time
	made     []time.Time // not reported yet
	calling  bool
	dead     bool // nothing is heard of it any more
}

// call is a call that was made.
type call struct {
	at       time.Time
	backfill bool
}

// noon is a full hour.
var noon = time.Date(2026, 4, 29, 12, 0, 0, 0, time.UTC)

func open(limits quota.Limits) *book { return &book{limits: limits, now: noon} }

// ask asks for calls without a change to the book.
func (b *book) ask(ask quota.Ask) (quota.Budget, quota.Answer) {
	if ask.Load == 0 {
		ask.Load = quota.Full
	}
	return b.Reserve(b.now, b.limits, ask)
}

// take begins a piece of work; nil where it has to wait.
func (b *book) take(ask quota.Ask) (*work, time.Duration) {
	w := &work{id: rand.Int64(), client: ask.Client, backfill: ask.Backfill, granted: b.now}
	ask.Lease = w.id
	after, answer := b.ask(ask)
	b.Budget = after
	if answer.Granted == 0 {
		return nil, answer.Wait
	}
	w.left = answer.Granted
	b.work = append(b.work, w)
	return w, 0
}

// more asks for further calls of a piece of work.
func (b *book) more(w *work, calls int) (granted int, wait time.Duration) {
	after, answer := b.ask(quota.Ask{Calls: calls, Backfill: w.backfill, Lease: w.id, Client: w.client})
	b.Budget = after
	w.left += answer.Granted
	if answer.Granted > 0 {
		w.granted = b.now
	}
	return answer.Granted, answer.Wait
}

// call makes a call now.
func (b *book) call(w *work) {
	w.left--
	w.calling = true
	w.made = append(w.made, b.now)
	b.calls = append(b.calls, call{b.now, w.backfill})
}

// settle ends a piece of work with what the last answer said.
func (b *book) settle(w *work, word quota.Word) {
	b.Budget = b.Settle(b.now, quota.Report{Lease: w.id, Made: w.made, Word: word})
	b.forget(w)
}

func (b *book) forget(w *work) {
	b.work = slices.DeleteFunc(b.work, func(o *work) bool { return o == w })
}

// one makes a call of a piece of work of its own, and says whether it could. The
// answer says what is left of minute and day, nil for nothing.
func (b *book) one(backfill bool, minute, day *int) bool {
	w, _ := b.take(quota.Ask{Calls: 1, Backfill: backfill})
	if w == nil {
		return false
	}
	b.call(w)
	b.settle(w, quota.Word{At: b.now, Minute: minute, Day: day})
	return true
}

func (b *book) live() bool     { return b.one(false, nil, nil) }
func (b *book) backfill() bool { return b.one(true, nil, nil) }

// wait is how long one more call has to wait.
func (b *book) wait(backfill bool) time.Duration {
	_, answer := b.ask(quota.Ask{Calls: 1, Backfill: backfill, Lease: rand.Int64()})
	return answer.Wait
}

// usage is the usage now.
func (b *book) usage() quota.Usage { return b.Usage(b.now, b.limits) }

func ptr(n int) *int { return &n }

// newBinding makes a binding of a tenant of its own; without an organisation it is
// not known yet.
func newBinding(t testingT, pool *pgxpool.Pool, org string) uuid.UUID {
	t.Helper()
	ctx, queries, tenant, binding := background, dbsqlc.New(), uuid.New(), uuid.New()
	require.NoError(t, queries.TenantInsert(ctx, pool, dbsqlc.TenantInsertParams{
		ID: tenant, Name: "Shop", MagentoUrl: "http://shop.example", ApiKeySealed: []byte("key"), ConnectionStatus: "active",
	}))
	require.NoError(t, queries.BindingInsert(ctx, pool, dbsqlc.BindingInsertParams{
		ID: binding, TenantID: tenant, Provider: "xero", Wire: "accounting", ApiUrl: "http://xero.example", OrgID: org,
	}))
	return binding
}

package riverjobs_test

import (
	"log/slog"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/pgdb"
	"towpath/pkg/provider/freeagent/freeagentsim"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/riverjobs"
)

// ledgerWrites counts the calls that write, by method and the names in the path.
type ledgerWrites struct {
	mu   sync.Mutex
	made map[string]int
}

func (w *ledgerWrites) before(ledger http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.mu.Lock()
			if w.made == nil {
				w.made = map[string]int{}
			}
			w.made[r.Method+" "+r.URL.Path]++
			w.mu.Unlock()
		}
		ledger.ServeHTTP(rw, r)
	})
}

// taken answers what was counted since the last time.
func (w *ledgerWrites) taken() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	made := w.made
	w.made = map[string]int{}
	return made
}

// backedUp is a bundle on a server of its own, whose databases can be copied. Its ledger of
// wire v2 takes everything twice.
func backedUp(t *testing.T, wire string, w *ledgerWrites) (*bundle, *pgdb.Private) {
	t.Helper()
	server, err := pgdb.StartPrivate(t.Context(), pgdb.Options{BinDir: os.Getenv("PGBIN"), NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	administer(t, server, "CREATE DATABASE towpath")
	b := &bundle{url: server.URL("towpath")}
	pool := openPool(t, b.url)
	_, err = pgdb.Migrate(t.Context(), pool)
	require.NoError(t, err)
	pool.Close()
	if wire == "v2" {
		b.v2 = freeagentsim.New(freeagentsim.RealFreeAgent(freeagentsim.Config{DuplicateReferences: true}))
		b.ledger = v2Sim{b.v2}
		b.bind(t, wire, serve(t, w.before(b.v2)), samplePolicy())
	} else {
		b.xero = xerosim.New(xerosim.Config{OrgID: orgID})
		b.ledger = xeroSim{b.xero}
		b.bind(t, wire, serve(t, w.before(b.xero)), samplePolicy())
	}
	p := b.banked(t)
	p.SyncCustomers, p.SyncProducts = true, wire == "accounting"
	b.setPolicy(t, 2, p)
	return b, server
}

func administer(t *testing.T, server *pgdb.Private, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// at is the bundle on another database.
func (b *bundle) at(t *testing.T, url string) *bundle {
	t.Helper()
	other := *b
	other.url, other.pool = url, openPool(t, url)
	t.Cleanup(other.pool.Close)
	var err error
	other.insert, err = riverjobs.NewInserter(other.pool, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	other.op = &riverjobs.Operator{Pool: other.pool, Client: other.insert, Who: "test"}
	return &other
}

// forgottenEvent is an event of the shop's.
type forgottenEvent struct {
	name string
	id   int64
}

// sales are, in the shop, an invoice that is paid, one that is taken back in part, one that
// is paid and then taken back in part, a customer's change and a product.
func (b *bundle) sales(t *testing.T) []forgottenEvent {
	t.Helper()
	var events []forgottenEvent
	for _, sale := range []struct{ paid, refunded bool }{{true, false}, {false, true}, {true, true}} {
		inv, err := b.shop.RaiseCanonical(canontest.Named(t, "plain_vat").Raw)
		require.NoError(t, err)
		events = append(events, forgottenEvent{"invoice.created", inv.ID})
		if sale.paid {
			require.NoError(t, b.shop.MarkPaid(inv.ID))
			events = append(events, forgottenEvent{"invoice.paid", inv.ID})
		}
		if sale.refunded {
			memo, err := b.shop.RefundInvoice(inv.ID, b.partly(t, inv, 1))
			require.NoError(t, err)
			events = append(events, forgottenEvent{"creditmemo.created", memo.ID})
		}
	}
	events = append(events, forgottenEvent{"customer.upserted", customerOf(t)})
	if b.xero != nil {
		_, err := b.shop.SaveProduct(magentosim.Product{ID: 7, SKU: "24-MB01", Name: "Rope", Price: new(decimal.RequireFromString("5.25"))})
		require.NoError(t, err)
		events = append(events, forgottenEvent{"product.upserted", 7})
	}
	return events
}

func (b *bundle) acceptAll(t *testing.T, events []forgottenEvent) []uuid.UUID {
	t.Helper()
	runs := make([]uuid.UUID, len(events))
	for i, e := range events {
		runs[i] = b.accept(t, e.name, e.id)
	}
	return runs
}

// ends works until the runs have succeeded, and says what the ledger has.
func (b *bundle) ends(t *testing.T, runs []uuid.UUID) map[string]int {
	t.Helper()
	w := b.work(t)
	for _, run := range runs {
		b.succeeded(t, run)
	}
	w.drain()
	has := map[string]int{
		"invoices": len(b.ledger.documents()), "contacts": b.ledger.contacts(), "payments": b.ledger.payments(), "credits": b.ledger.credits(), "allocations": b.ledger.allocations(),
	}
	if b.xero != nil {
		has["items"] = len(b.xero.Items())
	}
	return has
}

// A copy of the database's files is made; then all is written; then the copy goes on, where
// the runs are queued, or, where they came only after it, with runs of the same events that
// have other ids.
func Test_What_a_restore_forgot_is_not_written_twice(t *testing.T) {
	t.Parallel()
	for _, wire := range []string{"accounting", "v2"} {
		for _, when := range []string{"queued_before", "accepted_after"} {
			t.Run(when+"_the_backup_on_"+wire, func(t *testing.T) {
				t.Parallel()
				var writes ledgerWrites
				b, server := backedUp(t, wire, &writes)
				events := b.sales(t)
				var runs []uuid.UUID
				if when == "queued_before" {
					runs = b.acceptAll(t, events)
				}
				b.pool.Close()
				administer(t, server, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = 'towpath'")
				administer(t, server, "CREATE DATABASE backup TEMPLATE towpath")

				lost := b.at(t, b.url)
				if when == "accepted_after" {
					runs = lost.acceptAll(t, events)
				}
				had := lost.ends(t, runs)
				require.Equal(t, 3, had["invoices"])
				require.Equal(t, 2, had["credits"])
				require.Equal(t, 3, had["payments"], "two payments and a refund")
				require.Equal(t, 1, had["allocations"])

				require.NotEmpty(t, writes.taken())
				back := b.at(t, server.URL("backup"))
				_, err := back.pool.Exec(t.Context(), "SELECT restore_note('told', now())")
				require.NoError(t, err)
				if when == "accepted_after" {
					runs = back.acceptAll(t, events)
				}
				require.Equal(t, had, back.ends(t, runs))
				again := map[string]int{}
				if wire == "accounting" {
					again["POST /api.xro/2.0/Items"] = 1 // Xero finds the item by its code
				}
				require.Equal(t, again, writes.taken(), "all was looked up, and nothing else was written")
				back.noMismatch(t)
			})
		}
	}
}

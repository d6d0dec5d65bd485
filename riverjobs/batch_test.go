package riverjobs_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/metrics"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

func Test_Batch(t *testing.T) {
	t.Parallel()

	t.Run("Sixty_invoices_of_a_known_customer_go_out_in_three_calls", func(t *testing.T) {
		t.Parallel()
		b, g := setup(t), newGate("before invoice")
		b.knowCustomer(t)
		mismatches := b.sample(t)
		b.work(t, watch(g.at), oneAtATime)
		t.Cleanup(g.release)
		b.raiseMany(t, 1, now)
		arrived(t, g.arrived)
		b.raiseMany(t, 60, now)
		b.allAtLedger(t, 61)
		before := b.ledger.calls("invoice")
		g.release()
		require.Equal(t, map[string]int{syncrun.Succeeded: 62}, b.allTold(t))
		mismatches()
		b.eachOnce(t, 62)
		b.toThePenny(t)
		require.Equal(t, 1, b.ledger.calls("contact"))
		require.LessOrEqual(t, b.ledger.calls("invoice")-before, 1+3, "the one at the gate, and three")
	})

	t.Run("Fifty_new_customers_are_made_in_one_call", func(t *testing.T) {
		t.Parallel()
		b, g := setup(t), newGate("before invoice")
		b.knowCustomer(t)
		b.work(t, watch(g.at), oneAtATime)
		t.Cleanup(g.release)
		b.raiseMany(t, 1, now)
		arrived(t, g.arrived)
		b.raiseOfMany(t, 50, now)
		b.allAtLedger(t, 51)
		g.release()
		require.Equal(t, map[string]int{syncrun.Succeeded: 52}, b.allTold(t))
		b.eachOnce(t, 52)
		b.toThePenny(t)
		require.Equal(t, 51, b.ledger.contacts())
		require.Equal(t, 1+1, b.ledger.calls("contact"))
	})

	t.Run("Each_document_is_judged_by_itself", func(t *testing.T) {
		t.Parallel()
		b, spoil := setupSpoilt(t)
		b.knowCustomer(t)
		mismatches := b.sample(t)
		good, _ := b.queue(t, func() []uuid.UUID {
			ids := b.raiseMany(t, 30, now)
			return append(ids, b.raiseOfMany(t, 10, now)...)
		})
		unmapped, bad := b.raiseUnmapped(t), b.raiseMany(t, 1, now)[0]
		spoil.number(b.number(t, bad))
		b.allAtLedger(t, 42)
		b.pauseFor(t, 0)
		b.until(t, unmapped, heldFor("tax_rate_not_mapped"))
		require.Contains(t, text(b.onceTold(t, bad, syncrun.Failed).ErrorDetail), "DueDate is not a valid date")
		for _, id := range good {
			b.onceTold(t, id, syncrun.Succeeded)
		}
		mismatches()
		b.eachOnce(t, 1+40)
		b.toThePenny(t)
		_, largest := b.xero.Batches("PUT /Invoices")
		require.Greater(t, largest, 30)
	})

	t.Run("Company_that_is_left_out_by_the_settings_or_known_already_needs_no_call", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.knowCustomer(t)
		known, err := b.shop.RaiseCanonical(canontest.Named(t, "plain_vat").Raw)
		require.NoError(t, err)
		w := b.work(t)
		b.until(t, b.accept(t, "invoice.created", known.ID), toldAs(syncrun.Succeeded))
		w.stop()
		var zero uuid.UUID
		b.queue(t, func() []uuid.UUID {
			ids := b.raiseMany(t, 8, now)
			ids = append(ids, b.acceptAt(t, now, "invoice.created", known.ID)...)
			ids = append(ids, b.raiseRaw(t, now, canontest.Named(t, "zero_value").Raw)...)
			zero = ids[9]
			return ids
		})
		b.exec(t, `UPDATE policies SET policy = jsonb_set(policy, '{sync_zero_value_invoices}', 'false')`)
		b.pauseFor(t, 0)
		require.Equal(t, map[string]int{syncrun.Succeeded: 1 + 1 + 8 + 1, syncrun.Skipped: 1}, b.allTold(t))
		b.onceTold(t, zero, syncrun.Skipped)
		b.eachOnce(t, 1+1+8)
	})

	t.Run("Calls_are_shared_out_among_the_documents_of_a_batch", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.knowCustomer(t)
		reg := prometheus.NewRegistry()
		b.queue(t, func() []uuid.UUID { return b.raiseMany(t, 45, now) }, func(cfg *riverjobs.Config) {
			cfg.Metrics = metrics.New(reg, metrics.Options{})
		})
		before := b.xero.AllCalls()["PUT /Invoices"]
		b.pauseFor(t, 0)
		b.allTold(t)
		documents, calls := callsPerDocument(t, reg)
		require.EqualValues(t, 45, documents)
		require.InDelta(t, b.xero.AllCalls()["PUT /Invoices"]-before, calls, 0.001)
	})

	t.Run("Jobs_that_were_in_a_batch_before_count_as_in_hand_when_they_lead", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.knowCustomer(t)
		_, first := b.queue(t, func() []uuid.UUID { return b.raiseMany(t, 40, now) })
		b.xero.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"3"}}})
		b.pauseFor(t, 0)
		eventually(t, func() bool {
			return b.count(t, "SELECT count(*) FROM sync_runs WHERE error_code = 'rate_limited'") > 30
		}, "a batch meets the limit")
		b.pauseFor(t, time.Hour)
		first.stop()
		for range 60 { // nobody takes company any more
			b.xero.Inject(xerosim.Fault{Operation: "PUT /Invoices", Hang: make(chan struct{})})
		}
		alone := b.work(t, func(cfg *riverjobs.Config) { cfg.Workers, cfg.Limits.AtOnce = 30, 100 }, aloneAtLedger)
		t.Cleanup(alone.stop)
		b.pauseFor(t, 0)
		eventually(t, func() bool { return b.states(t, posting)["running"] >= 5 }, "five are at their calls")
		most := 0
		for until := time.Now().Add(3 * time.Second); time.Now().Before(until); pause(t) {
			most = max(most, b.count(t, "SELECT count(*) FROM river.river_job WHERE kind = $1 AND state IN ('available', 'running')", posting))
		}
		require.LessOrEqual(t, most, 5)
	})
}

// knowCustomer lets the ledger know the customer of raiseMany.
func (b *bundle) knowCustomer(t *testing.T) {
	t.Helper()
	w := b.work(t)
	b.until(t, b.raiseMany(t, 1, now)[0], toldAs(syncrun.Succeeded))
	w.stop()
}

// allAtLedger waits until so many runs have come to wait for the ledger.
func (b *bundle) allAtLedger(t *testing.T, n int) {
	t.Helper()
	eventually(t, func() bool {
		return b.count(t, "SELECT count(*) FROM sync_runs WHERE stage = 'post' AND binding_id = $1", b.binding) == n
	}, "all are read")
}

// queue lets the runs that raise makes wait for the ledger together, beside a worker of
// one job at a time. The pause of the binding is still to be ended: then five are in
// hand, and the first of them takes all the others along.
func (b *bundle) queue(t *testing.T, raise func() []uuid.UUID, change ...func(*riverjobs.Config)) ([]uuid.UUID, worker) {
	t.Helper()
	b.pauseFor(t, time.Hour)
	w := b.work(t, append(change, oneAtATime)...)
	ids := raise()
	eventually(t, func() bool { return b.states(t, posting)["pending"] == len(ids) }, "all are read")
	return ids, w
}

// toThePenny asserts that each document comes to what the shop says.
func (b *bundle) toThePenny(t *testing.T) {
	t.Helper()
	totals := map[string]string{}
	for _, inv := range b.shop.Invoices() {
		totals[inv.IncrementID] = inv.GrandTotal
	}
	for _, d := range b.ledger.documents() {
		require.Equal(t, totals[d.number], d.total, d.number)
	}
}

// raiseUnmapped raises an invoice with a tax rate that the settings do not know.
func (b *bundle) raiseUnmapped(t *testing.T) uuid.UUID {
	t.Helper()
	inv := b.shop.RaiseInvoice(magentosim.Cart{
		Customer: canontest.Named(t, "plain_vat").Invoice.Customer,
		Items:    []magentosim.Item{{SKU: "A", Name: "A", Price: decimal.NewFromInt(10), Qty: decimal.NewFromInt(1), TaxPercent: decimal.NewFromInt(21)}},
	})
	return b.accept(t, "invoice.created", inv.ID)
}

// number is the shop's number of a run's invoice.
func (b *bundle) number(t *testing.T, id uuid.UUID) string {
	t.Helper()
	inv, found := b.shop.Invoice(b.run(t, id).MagentoEntityID)
	require.True(t, found)
	return inv.IncrementID
}

// spoiler stands before the simulated Xero and makes some documents such that it
// refuses them, in its own words, and counts its answers.
type spoiler struct {
	http.Handler
	mu       sync.Mutex
	numbers  map[string]bool
	statuses map[int]int
}

// setupSpoilt is setup with a spoiler before Xero.
func setupSpoilt(t *testing.T) (*bundle, *spoiler) {
	t.Helper()
	return setupBehind(t, xerosim.Config{OrgID: orgID})
}

func setupBehind(t *testing.T, cfg xerosim.Config) (*bundle, *spoiler) {
	t.Helper()
	b := &bundle{xero: xerosim.New(cfg)}
	b.ledger = xeroSim{b.xero}
	s := &spoiler{Handler: b.xero, numbers: map[string]bool{}, statuses: map[int]int{}}
	b.bind(t, "accounting", serve(t, s), samplePolicy())
	return b, s
}

// number spoils the document with that number from now on.
func (s *spoiler) number(number string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers[number] = true
}

// answered is how often an HTTP status was answered.
func (s *spoiler) answered(status int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.statuses[status]
}

// ServeHTTP spoils and passes on.
func (s *spoiler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(s.spoilt(body)))
	}
	s.Handler.ServeHTTP(statusWriter{w, s}, r)
}

func (s *spoiler) spoilt(body []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lists map[string][]map[string]json.RawMessage
	if json.Unmarshal(body, &lists) != nil {
		return body
	}
	for _, e := range lists["Invoices"] {
		if number, err := strconv.Unquote(string(e["InvoiceNumber"])); err == nil && s.numbers[number] {
			e["DueDate"] = json.RawMessage(`"never"`)
		}
	}
	changed, err := json.Marshal(lists)
	if err != nil {
		return body
	}
	return changed
}

// statusWriter counts the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	s *spoiler
}

// WriteHeader counts.
func (w statusWriter) WriteHeader(status int) {
	w.s.mu.Lock()
	w.s.statuses[status]++
	w.s.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets net/http find the true writer.
func (w statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// callsPerDocument reads the metric: of how many documents, and their calls.
func callsPerDocument(t *testing.T, reg *prometheus.Registry) (documents uint64, calls float64) {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != "towpath_provider_calls_per_document" {
			continue
		}
		for _, m := range f.GetMetric() {
			documents += m.GetHistogram().GetSampleCount()
			calls += m.GetHistogram().GetSampleSum()
		}
	}
	return documents, calls
}

// aloneAtLedger makes every document go alone, as on a wire that takes one a call.
func aloneAtLedger(cfg *riverjobs.Config) {
	openLedger := cfg.Ledgers
	cfg.Ledgers = func(binding dbsqlc.Binding, permit provider.Permit) (riverjobs.Ledger, error) {
		ledger, err := openLedger(binding, permit)
		return lonely{ledger}, err
	}
}

type lonely struct{ riverjobs.Ledger }

// BatchSize is one.
func (lonely) BatchSize() int { return 1 }

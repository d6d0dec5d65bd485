package riverjobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/riverjobs"
)

// storm is everything that can go wrong, at once.
type storm struct {
	b        *bundle
	raised   map[uuid.UUID]string // run -> the invoice's number
	silenced map[uuid.UUID]bool   // runs whose telling was cancelled by hand
	did      map[string]int       // what the hands have done
	writes   atomic.Int64
}

func newStorm(b *bundle) *storm {
	return &storm{b: b, raised: map[uuid.UUID]string{}, silenced: map[uuid.UUID]bool{}, did: map[string]int{}}
}

// work starts a worker whose calls time out soon and whose ledger panics now and
// then. The second one waits long before it tries again, so that jobs are
// retryable and scheduled too.
func (s *storm) work(t *testing.T, which int) worker {
	t.Helper()
	return s.b.work(t, callTimeout(2*time.Second), firstDelay([]time.Duration{20 * time.Millisecond, 8 * time.Second}[which]),
		watch(func(_ context.Context, place string) error {
			if (place == "before invoice" || place == "after invoice") && s.writes.Add(1)%23 == 0 {
				panic("the ledger client panics")
			}
			return nil
		}))
}

// faults are spread over the calls of the whole storm in the order given.
func (s *storm) faults() {
	for range 4 {
		for _, operation := range []string{"PUT /Invoices", "PUT /Contacts"} {
			s.b.xero.Inject(
				xerosim.Fault{Operation: operation, Status: http.StatusInternalServerError},
				xerosim.Fault{Operation: operation, When: xerosim.After, Status: http.StatusInternalServerError},
				xerosim.Fault{Operation: operation, When: xerosim.After, Half: true},
				xerosim.Fault{Operation: operation, When: xerosim.After, Reset: true, Times: 2},
				xerosim.Fault{Operation: operation, When: xerosim.After, Hang: make(chan struct{})},
				xerosim.Fault{Operation: operation, Hang: make(chan struct{})},
				xerosim.Fault{Operation: operation, Status: http.StatusServiceUnavailable},
				xerosim.Fault{Operation: operation, Status: http.StatusForbidden},
				xerosim.Fault{Operation: operation, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}},
			)
			s.b.refuse()
		}
		s.b.shop.Inject(magentosim.RouteInvoice, magentosim.Maintenance(503), magentosim.Drops(magentosim.CutReset),
			magentosim.Answers(http.StatusNotFound, `{"message":"No such entity."}`), magentosim.Drops(magentosim.CutHalf),
			magentosim.Answers(http.StatusTooManyRequests, `{}`), magentosim.Unauthorized(), magentosim.Unauthorized(), magentosim.Waits(magentosim.NewGate()))
		s.b.shop.Inject(magentosim.RouteSyncState, magentosim.Maintenance(503), magentosim.Drops(magentosim.CutReset).AfterEffect(),
			magentosim.Answers(http.StatusInternalServerError, `{}`).AfterEffect(), magentosim.Waits(magentosim.NewGate()))
	}
}

// raise makes an event: mostly invoices of a few customers, now and then one
// that is held.
func (s *storm) raise(t *testing.T, n int) {
	t.Helper()
	if n%40 == 7 {
		s.raised[s.b.accept(t, "creditmemo.created", int64(n))] = ""
		return
	}
	names := []string{"plain_vat", "mixed_rates", "guest_free_shipping", "unit_based_tax", "zero_value", "eur_export_no_tax"}
	inv, id := s.b.raise(t, names[n%len(names)])
	s.raised[id] = inv.IncrementID
}

// act is something that a hand does to a job that was found in one of states.
type act struct {
	name   string
	states string // of river_job
	do     func(ctx context.Context, b *bundle, job *rivertype.JobRow, run uuid.UUID) error
}

func statement(text string) func(context.Context, *bundle, *rivertype.JobRow, uuid.UUID) error {
	return func(ctx context.Context, b *bundle, job *rivertype.JobRow, _ uuid.UUID) error {
		done, err := b.pool.Exec(ctx, text, job.ID)
		if err == nil && done.RowsAffected() == 0 {
			return riverjobs.ErrNothingToDo // it ended meanwhile
		}
		return err
	}
}

func riverCancel(ctx context.Context, b *bundle, job *rivertype.JobRow, _ uuid.UUID) error {
	_, err := b.insert.JobCancel(ctx, job.ID)
	return err
}

func riverRetry(ctx context.Context, b *bundle, job *rivertype.JobRow, _ uuid.UUID) error {
	_, err := b.insert.JobRetry(ctx, job.ID)
	return err
}

func acts() []act {
	const (
		waiting = "{available,pending,retryable,scheduled}"
		end     = "UPDATE river.river_job SET finalized_at = now(), state = "
		only    = " WHERE id = $1 AND finalized_at IS NULL"
	)
	return []act{
		{"river cancels waiting", waiting, riverCancel},
		{"river cancels running", "{running}", riverCancel},
		{"sql cancels waiting", waiting, statement(end + "'cancelled'" + only)},
		{"sql cancels running", "{running}", statement(end + "'cancelled'" + only)},
		{"sql discards waiting", waiting, statement(end + "'discarded'" + only)},
		{"sql discards running", "{running}", statement(end + "'discarded'" + only)},
		{"sql deletes waiting", waiting, statement("DELETE FROM river.river_job" + only)},
		{"sql deletes running", "{running}", statement("DELETE FROM river.river_job" + only)},
		{"river retries retryable", "{retryable}", riverRetry},
		{"river retries scheduled", "{scheduled}", riverRetry},
		{"river retries discarded", "{discarded}", riverRetry},
		{"river retries cancelled", "{cancelled}", riverRetry},
		{"river retries completed", "{completed}", riverRetry},
		{"operator retries ended", "{completed,discarded,cancelled}", func(ctx context.Context, b *bundle, _ *rivertype.JobRow, run uuid.UUID) error {
			return b.op.Retry(ctx, run)
		}},
		{"operator cancels", waiting, func(ctx context.Context, b *bundle, _ *rivertype.JobRow, run uuid.UUID) error {
			return b.op.Cancel(ctx, run)
		}},
	}
}

// hand does one of the acts, on a random job that it fits, if there is one.
func (s *storm) hand(t *testing.T, n int) {
	t.Helper()
	all := acts()
	a := all[n%len(all)]
	if s.did[a.name] >= 6 {
		return
	}
	var id int64
	err := s.b.pool.QueryRow(t.Context(), `
		SELECT id
		FROM river.river_job
		WHERE state = ANY ($1::text::river.river_job_state[])
		ORDER BY random()
		LIMIT 1`, a.states).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return
	}
	require.NoError(t, err)
	job, err := s.b.insert.JobGet(t.Context(), id)
	if errors.Is(err, rivertype.ErrNotFound) {
		return
	}
	require.NoError(t, err)
	run, err := runOf(job)
	require.NoError(t, err)
	if job.Kind == (riverjobs.PushSyncStateArgs{}).Kind() {
		s.silenced[run] = true
	}
	err = a.do(t.Context(), s.b, job, run)
	if errors.Is(err, riverjobs.ErrNothingToDo) || errors.Is(err, rivertype.ErrNotFound) {
		return
	}
	require.NoError(t, err, a.name)
	s.did[a.name]++
}

// reconnect is the person who mends the connections that were refused, and whose servers
// answer again: else all would wait for one probe at a time, and little would be left to
// get hold of.
func (s *storm) reconnect(t *testing.T) {
	t.Helper()
	queries := dbsqlc.New()
	_, err := queries.BindingSetStatus(t.Context(), s.b.pool, dbsqlc.BindingSetStatusParams{ID: s.b.binding, Status: "active"})
	require.NoError(t, err)
	_, err = queries.TenantSetConnection(t.Context(), s.b.pool, dbsqlc.TenantSetConnectionParams{ID: s.b.tenant.ID, ConnectionStatus: "active"})
	require.NoError(t, err)
	for _, partition := range []uuid.UUID{s.b.tenant.ID, s.b.binding} {
		_, err = queries.CircuitClose(t.Context(), s.b.pool, partition.String())
		require.NoError(t, err)
	}
}

// enough reports whether every act was done several times.
func (s *storm) enough() bool {
	for _, a := range acts() {
		if s.did[a.name] < 3 {
			return false
		}
	}
	return true
}

// runOf reads the run's id out of a job of any kind.
func runOf(job *rivertype.JobRow) (uuid.UUID, error) {
	var args struct {
		RunID uuid.UUID `json:"run_id"`
	}
	err := json.Unmarshal(job.EncodedArgs, &args)
	return args.RunID, err
}

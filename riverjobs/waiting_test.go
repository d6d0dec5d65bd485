package riverjobs_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider/xero/xerosim"
)

// run reads a run.
func (b *bundle) run(t *testing.T, id uuid.UUID) dbsqlc.SyncRun {
	t.Helper()
	run, err := dbsqlc.New().SyncRunGet(t.Context(), b.pool, id)
	require.NoError(t, err)
	return run
}

// until waits for the run to meet the condition; it asks the database often
// instead of guessing how long anything takes.
func (b *bundle) until(t *testing.T, id uuid.UUID, condition func(dbsqlc.SyncRun) bool) dbsqlc.SyncRun {
	t.Helper()
	var run dbsqlc.SyncRun
	for deadline := time.Now().Add(60 * time.Second); ; {
		run = b.run(t, id)
		if condition(run) {
			return run
		}
		if time.Now().After(deadline) {
			require.Failf(t, "waited too long", "run %s is %s at %s, attempt %d: %s %s %s", id, run.Status, run.Stage, run.Attempt, text(run.HoldReason), text(run.ErrorMessage), text(run.ErrorDetail))
		}
		pause(t)
	}
}

// eventually waits for a condition; it asks often.
func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !condition(); pause(t) {
		require.False(t, time.Now().After(deadline), what)
	}
}

// pause is the time between two questions, cut short with the test.
func pause(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(25 * time.Millisecond):
	case <-t.Context().Done():
		require.Fail(t, "the test ended")
	}
}

// arrived waits until something has come to the gate.
func arrived(t *testing.T, gate <-chan struct{}) {
	t.Helper()
	select {
	case <-gate:
	case <-time.After(60 * time.Second):
		require.Fail(t, "nothing came to the gate")
	}
}

// is makes a condition of a status.
func is(status string) func(dbsqlc.SyncRun) bool {
	return func(run dbsqlc.SyncRun) bool { return run.Status == status }
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func told(run dbsqlc.SyncRun) bool { return run.ShopTold != nil && *run.ShopTold == "told" }

// noMismatch asserts promise 1.
func (b *bundle) noMismatch(t *testing.T) {
	t.Helper()
	rows, err := dbsqlc.New().RunQueueMismatchList(t.Context(), b.pool)
	require.NoError(t, err)
	require.Empty(t, rows)
}

// history is the run's events in order, as "step: from -> to".
func (b *bundle) history(t *testing.T, id uuid.UUID) []dbsqlc.SyncRunEvent {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), "SELECT * FROM sync_run_events WHERE run_id = $1 ORDER BY id", id)
	require.NoError(t, err)
	events, err := pgx.CollectRows(rows, pgx.RowToStructByName[dbsqlc.SyncRunEvent])
	require.NoError(t, err)
	return events
}

// job reads the newest job of a kind of a run.
func (b *bundle) job(t *testing.T, kind string, id uuid.UUID) *rivertype.JobRow {
	t.Helper()
	var jobID int64
	require.NoError(t, b.pool.QueryRow(t.Context(),
		"SELECT id FROM river.river_job WHERE kind = $1 AND args ->> 'run_id' = $2 ORDER BY id DESC LIMIT 1", kind, id.String()).Scan(&jobID))
	job, err := b.insert.JobGet(t.Context(), jobID)
	require.NoError(t, err)
	return job
}

// jobs counts a run's jobs of a kind, whatever their state.
func (b *bundle) jobs(t *testing.T, kind string, id uuid.UUID) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(),
		"SELECT count(*) FROM river.river_job WHERE kind = $1 AND args ->> 'run_id' = $2", kind, id.String()).Scan(&n))
	return n
}

// onceTold asserts that the run ended once, that the shop was told that end and
// nothing else, and that both sides agree.
func (b *bundle) onceTold(t *testing.T, id uuid.UUID, status string) dbsqlc.SyncRun {
	t.Helper()
	run := b.until(t, id, told)
	require.Equal(t, status, run.Status, "%s %s", text(run.ErrorMessage), text(run.ErrorDetail))
	ends := 0
	for _, e := range b.history(t, id) {
		if e.ToStatus == status && text(e.FromStatus) != status {
			ends++
		}
	}
	require.Equal(t, 1, ends, "it ended more than once")
	var open int
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT count(*) FROM provider_intents WHERE run_id = $1 AND settled_at IS NULL", id).Scan(&open))
	require.Zero(t, open, "an ended run holds an object")
	said := b.shop.Told("invoice", run.MagentoEntityID)
	require.NotEmpty(t, said)
	for _, other := range said[1:] {
		require.Equal(t, said[0].Chip.Status, other.Chip.Status)
		require.Equal(t, said[0].LastSyncAt, other.LastSyncAt)
	}
	b.noMismatch(t)
	return run
}

const hour = time.Hour

// toldAs makes a condition of an end that the shop knows.
func toldAs(status string) func(dbsqlc.SyncRun) bool {
	return func(run dbsqlc.SyncRun) bool { return run.Status == status && told(run) }
}

// steps is the run's history as "step from to who".
func (b *bundle) steps(t *testing.T, id uuid.UUID) (list []string) {
	t.Helper()
	for _, e := range b.history(t, id) {
		list = append(list, e.Step+" "+text(e.FromStatus)+" "+e.ToStatus+" "+text(e.Who))
	}
	return list
}

// live counts a run's jobs that are still to end.
func (b *bundle) live(t *testing.T, id uuid.UUID) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(),
		"SELECT count(*) FROM river.river_job WHERE finalized_at IS NULL AND args ->> 'run_id' = $1", id.String()).Scan(&n))
	return n
}

func (b *bundle) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), statement, args...)
	require.NoError(t, err)
}

// refuse makes Xero refuse the next document by validation.
func (b *bundle) refuse() {
	b.xero.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: http.StatusBadRequest, Body: `{"ErrorNumber":10,"Type":"ValidationException",` +
		`"Message":"A validation exception occurred","Elements":[{"ValidationErrors":[{"Message":"The description is too long"}]}]}`})
}

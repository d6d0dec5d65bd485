package syncrun_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/policy"
	"towpath/pkg/syncrun"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// bundle is a database with one tenant and one binding; no River client is
// needed to insert a job.
type bundle struct {
	pool            *pgxpool.Pool
	tenant, binding uuid.UUID
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{pool: pgtest.New(t), tenant: uuid.New(), binding: uuid.New()}
	queries := dbsqlc.New()
	require.NoError(t, queries.TenantInsert(t.Context(), b.pool, dbsqlc.TenantInsertParams{
		ID: b.tenant, Name: "Test", MagentoUrl: "https://shop.example", ApiKeySealed: []byte("sealed"), ConnectionStatus: "active",
	}))
	require.NoError(t, queries.BindingInsert(t.Context(), b.pool, dbsqlc.BindingInsertParams{
		ID: b.binding, TenantID: b.tenant, Provider: "xero", Wire: "accounting", ApiUrl: "https://xero.example",
	}))
	require.NoError(t, queries.PolicyInsert(t.Context(), b.pool, dbsqlc.PolicyInsertParams{
		BindingID: b.binding, Version: 1, Policy: policy.Encode(policy.Default()),
	}))
	return b
}

// event is an event with a token of its own.
func (b *bundle) event(name string, id int64, key string) syncrun.Event {
	return syncrun.Event{
		TenantID: b.tenant, BindingID: b.binding, PolicyVersion: 1, Name: name, EntityID: id, IdempotencyKey: key,
		OccurredAt: time.Date(2026, 4, 29, 10, 11, 12, 0, time.UTC), Body: json.RawMessage(`{}`),
		JTI: uuid.NewString(), JTIExpiresAt: time.Now().Add(time.Hour),
	}
}

// enqueue stores events as riverjobs does.
func enqueue(ctx context.Context, tx pgx.Tx, rows dbsqlc.SyncRunAcceptParams) ([]int64, error) {
	rows.Kind = "fetch_canonical"
	return dbsqlc.New().SyncRunAccept(ctx, tx, rows)
}

func (b *bundle) accept(t *testing.T, events ...syncrun.Event) ([]syncrun.Accepted, error) {
	t.Helper()
	var accepted []syncrun.Accepted
	err := pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
		var err error
		accepted, err = syncrun.Accept(t.Context(), tx, enqueue, events)
		return err
	})
	for _, a := range accepted {
		err = errors.Join(err, a.Refused)
	}
	return accepted, err
}

func (b *bundle) mustAccept(t *testing.T, events ...syncrun.Event) []syncrun.Accepted {
	t.Helper()
	accepted, err := b.accept(t, events...)
	require.NoError(t, err)
	return accepted
}

func (b *bundle) count(t *testing.T, query string) int {
	t.Helper()
	var n int
	require.NoError(t, b.pool.QueryRow(t.Context(), query).Scan(&n))
	return n
}

// take makes the run's job running, as River's fetch does, and answers its id.
func (b *bundle) take(t *testing.T, run uuid.UUID) int64 {
	t.Helper()
	var id int64
	require.NoError(t, b.pool.QueryRow(t.Context(), `UPDATE river.river_job SET state = 'running', attempt = attempt + 1, attempted_at = now(),
		attempted_by = array_append(attempted_by, 'worker') WHERE id = (SELECT river_job_id FROM sync_runs WHERE id = $1) RETURNING id`, run).Scan(&id))
	return id
}

// intend is T3 of one intent, as the recorder has it: what is refused is not committed.
func intend(ctx context.Context, tx pgx.Tx, intent syncrun.Intent) (syncrun.Taken, error) {
	judged, err := syncrun.Intend(ctx, tx, []syncrun.Intent{intent})
	if err != nil {
		return syncrun.Taken{}, err
	}
	return judged[0].Taken, judged[0].Refused
}

// mustIntend records that this attempt of the run is about to write customer 7's contact.
func (b *bundle) mustIntend(t *testing.T, run uuid.UUID, attempt int) (taken syncrun.Taken) {
	t.Helper()
	in := syncrun.Intent{
		JobID: b.take(t, run), Attempt: attempt, RunID: run, BindingID: b.binding, Operation: syncrun.WriteContact, ObjectKey: "customer-7", BodyHash: "x", Who: "test",
	}
	require.NoError(t, pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) (err error) {
		taken, err = intend(t.Context(), tx, in)
		return err
	}))
	return taken
}

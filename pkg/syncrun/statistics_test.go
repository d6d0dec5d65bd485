package syncrun_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/syncrun"
)

// The plans of a connection are made while the tables are empty, as on a new database,
// and nothing tells the planner of the burst that comes then: what a webhook, an intent
// and an end read must not grow with what is there.
func Test_A_burst_on_an_empty_database_is_not_read_for_each_run(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	for _, table := range []string{"sync_runs", "spent_jtis", "entity_xref", "provider_intents", "river.river_job"} {
		_, err := b.pool.Exec(ctx, "ALTER TABLE "+table+" SET (autovacuum_enabled = off)")
		require.NoError(t, err)
	}
	conn, err := b.pool.Acquire(ctx)
	require.NoError(t, err)
	defer conn.Release()

	runs, next := []uuid.UUID{uuid.New()}, int64(0)
	event := func() syncrun.Event {
		next++
		return b.event("invoice.created", next, fmt.Sprintf("invoice.created:%d", next))
	}
	asks := map[string]func(tx pgx.Tx) error{
		"a webhook": func(tx pgx.Tx) error {
			_, err := syncrun.Accept(ctx, tx, enqueue, []syncrun.Event{event()})
			return err
		},
		"an intent": func(tx pgx.Tx) error {
			_, err := syncrun.Intend(ctx, tx, []syncrun.Intent{{JobID: b.job(ctx, tx, runs[0]), RunID: runs[0], BindingID: b.binding, Operation: syncrun.WriteInvoice, ObjectKey: "1"}})
			return err
		},
		"an end": func(tx pgx.Tx) error {
			_, err := dbsqlc.New().SyncRunWake(ctx, tx, runs[:1])
			return err
		},
		"a look-up": func(tx pgx.Tx) error {
			_, err := dbsqlc.New().EntityXrefList(ctx, tx, dbsqlc.EntityXrefListParams{BindingID: b.binding, EntityTypes: []string{"contact"}, ShopIds: []string{"7"}})
			return err
		},
		"a key": func(tx pgx.Tx) error {
			_, err := dbsqlc.New().ProviderIntentKeys(ctx, tx, dbsqlc.ProviderIntentKeysParams{RunIds: runs[:1], Operation: syncrun.WriteInvoice})
			return err
		},
	}
	// read is how many rows of the table that it reads most a transaction reads, which is undone.
	read := func(ask func(tx pgx.Tx) error) (rows int, of string) {
		tx, err := conn.Begin(ctx)
		require.NoError(t, err)
		defer func() { require.NoError(t, tx.Rollback(ctx)) }()
		return pgtest.RowsRead(t, tx, func() error { return ask(tx) })
	}
	const untilPlansStay = 7 // Postgres plans a statement anew for its first five
	for range untilPlansStay {
		for _, ask := range asks {
			read(ask)
		}
	}
	var burst []syncrun.Event
	for range 300 {
		burst = append(burst, event())
	}
	runs = nil
	for _, accepted := range b.mustAccept(t, burst...) {
		runs = append(runs, accepted.RunID)
	}
	_, err = b.pool.Exec(ctx, `
		INSERT INTO entity_xref (tenant_id, provider, org_key, entity_type, shop_id, provider_id, run_id)
		SELECT run.tenant_id, 'xero', 'https://xero.example', 'contact', 'c' || row_number() OVER (), gen_random_uuid()::text, run.id
		FROM sync_runs AS run`)
	require.NoError(t, err)
	_, err = b.pool.Exec(ctx, `
		INSERT INTO provider_intents (run_id, operation, object_key, binding_id, body_hash)
		SELECT run.id, 'contact', run.id::text, run.binding_id, 'x'
		FROM sync_runs AS run`)
	require.NoError(t, err)
	for what, ask := range asks {
		rows, of := read(ask)
		require.Less(t, rows, 50, "%s reads %s", what, of)
	}
}

func (b *bundle) job(ctx context.Context, tx pgx.Tx, run uuid.UUID) (id int64) {
	// Before the burst there is none.
	_ = tx.QueryRow(ctx, "SELECT river_job_id FROM sync_runs WHERE id = $1", run).Scan(&id)
	return id
}

package sql_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
)

// lastWithFunctions is the last migration that has functions in it: a database
// of that version has them all, and no record of them.
const lastWithFunctions = "0002_shares_and_budgets.sql"

func TestUpgrade(t *testing.T) {
	t.Parallel()

	t.Run("Database_without_function_files_ends_like_a_new_one", func(t *testing.T) {
		t.Parallel()
		pool := oldDatabase(t, lastWithFunctions)
		require.Error(t, pgdb.Ready(t.Context(), pool), "the functions are pending")
		_, err := pgdb.Migrate(t.Context(), pool)
		require.NoError(t, err)
		require.NoError(t, pgdb.Ready(t.Context(), pool))
		if diff := cmp.Diff(catalog(t, pgtest.New(t)), catalog(t, pool)); diff != "" {
			t.Errorf("a new database (-) and an upgraded one (+) differ:\n%s", diff)
		}
	})

	t.Run("Process_of_the_old_version_goes_on_with_its_runs", func(t *testing.T) {
		t.Parallel()
		pool := oldDatabase(t, lastWithFunctions)
		old, err := pool.Acquire(t.Context()) // with statements prepared and plans kept before the upgrade
		require.NoError(t, err)
		defer old.Release()
		move := func(state, changes string) {
			_, err := old.Exec(t.Context(), `UPDATE river.river_job SET state = $1, scheduled_at = clock_timestamp()`+changes, state)
			require.NoError(t, err)
		}
		seedRun(t, pool)
		move("running", `, attempt = 1, attempted_by = '{old}'`)
		require.Equal(t, []string{"running"}, statuses(t, pool))

		_, err = pgdb.Migrate(t.Context(), pool)
		require.NoError(t, err)
		require.Equal(t, []string{"running"}, statuses(t, pool))
		move("retryable", "")
		require.Equal(t, []string{"queued"}, statuses(t, pool))
		move("available", "")
		move("running", `, attempt = 2`)
		require.Equal(t, []string{"running"}, statuses(t, pool))
		move("discarded", `, finalized_at = clock_timestamp()`)
		require.Equal(t, []string{"failed"}, statuses(t, pool))
		rows, _ := pool.Query(t.Context(), `SELECT problem FROM run_queue_mismatch`)
		problems, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Empty(t, problems)
	})
}

// Runs in every state and stage come through, of the tables of several versions.
func TestUpgrade_with_runs_in_every_state(t *testing.T) {
	t.Parallel()
	for _, last := range []string{lastWithFunctions, "0008_every_event.sql", "0012_runs_by_number.sql"} {
		t.Run(last, func(t *testing.T) {
			t.Parallel()
			pool := oldDatabase(t, last)
			seedStates(t, pool)
			before := standing(t, pool)
			require.Len(t, before, 10)
			_, err := pgdb.Migrate(t.Context(), pool)
			require.NoError(t, err)
			require.Equal(t, before, standing(t, pool))
			rows, _ := pool.Query(t.Context(), `SELECT problem FROM run_queue_mismatch`)
			problems, err := pgx.CollectRows(rows, pgx.RowTo[string])
			require.NoError(t, err)
			require.Empty(t, problems)

			// A run that waited goes on under the functions of now.
			_, err = pool.Exec(t.Context(), `UPDATE river.river_job SET state = 'running', attempt = 1, attempted_by = '{new}'
				WHERE id = (SELECT river_job_id FROM sync_runs WHERE status = 'queued' AND stage = 'fetch' LIMIT 1)`)
			require.NoError(t, err)
			after := standing(t, pool)
			require.NotEqual(t, before, after)
			require.Len(t, after, 10)
		})
	}
}

// standing is each run with its job, as far as both say how they stand.
func standing(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, _ := pool.Query(t.Context(), `
		SELECT format('%s: %s at %s, job %s %s, told %s', run.magento_entity_id, run.status, run.stage,
			job.kind, job.state, run.shop_told)
		FROM sync_runs AS run
		LEFT JOIN river.river_job AS job ON job.id = run.river_job_id
		ORDER BY run.magento_entity_id`)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return found
}

// seedStates adds a run of every state and stage, past the triggers: as they stand when
// the processes of the old version have stopped, or are killed.
func seedStates(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `
		INSERT INTO tenants (id, name, magento_url, api_key_sealed)
		VALUES ('00000000-0000-0000-0000-000000000001', 'Shop', 'https://shop.test', '');
		INSERT INTO bindings (id, tenant_id, provider, wire, api_url)
		VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'xero', 'accounting', 'https://ledger.test');
		INSERT INTO policies (binding_id, version, policy)
		VALUES ('00000000-0000-0000-0000-000000000002', 1, '{}')`)
	require.NoError(t, err)
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	_, err = tx.Exec(t.Context(), "SET LOCAL session_replication_role = replica")
	require.NoError(t, err)
	for i, s := range []struct{ status, stage, kind, job, more string }{
		{"queued", "fetch", "fetch_canonical", "available", ""},
		{"queued", "post", "post_invoice", "retryable", ""},
		{"running", "fetch", "fetch_canonical", "running", ""},
		{"running", "post", "post_invoice", "running", ""},
		{"held", "post", "post_invoice", "scheduled", "hold_reason = 'period_locked'"},
		{"succeeded", "push", "push_sync_state", "retryable", "finished_at = now(), shop_told = 'pending'"},
		{"succeeded", "done", "", "", "finished_at = now(), shop_told = 'told', told_at = now()"},
		{"skipped_by_policy", "done", "", "", "finished_at = now(), shop_told = 'told', skip_reason = 'unpaid_invoice'"},
		{"failed", "done", "", "", "finished_at = now(), shop_told = 'told', error_code = 'validation', error_message = 'no'"},
		{"cancelled", "done", "", "", "finished_at = now(), shop_told = 'given_up'"},
	} {
		id := fmt.Sprintf("00000000-0000-0000-0000-0000000001%02d", i)
		var job *int64
		if s.kind != "" {
			require.NoError(t, tx.QueryRow(t.Context(), `
				INSERT INTO river.river_job (kind, queue, max_attempts, args, state, scheduled_at, attempt, attempted_by)
				VALUES ($1, $1, 25, jsonb_build_object('run_id', $2::text, 'share', '00000000-0000-0000-0000-000000000002'), $3::river.river_job_state,
					now() - interval '1 minute', CASE WHEN $3::text = 'running' THEN 1 ELSE 0 END, CASE WHEN $3::text = 'running' THEN '{old}'::text[] END)
				RETURNING id`, s.kind, id, s.job).Scan(&job))
		}
		_, err = tx.Exec(t.Context(), `
			INSERT INTO sync_runs (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id,
				idempotency_key, dedupe_key, lane, occurred_at, body, status, stage, river_job_id, hold_reason, finished_at, shop_told)
			VALUES ($1, '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 1, 'invoice.created', 'invoice', $2::bigint,
				'invoice.created:' || $2::bigint, 'invoice.created:' || $2::bigint, 'invoice:' || $2::bigint, now(), '{}', $3::text, $4::text, $5,
				CASE WHEN $3::text = 'held' THEN 'x' END, CASE WHEN $4::text IN ('push', 'done') THEN now() END, CASE $4::text WHEN 'push' THEN 'pending' WHEN 'done' THEN 'told' END)`,
			id, int64(i+1), s.status, s.stage, job)
		require.NoError(t, err, "%v", s)
		if s.more != "" {
			_, err = tx.Exec(t.Context(), "UPDATE sync_runs SET "+s.more+" WHERE id = $1", id)
			require.NoError(t, err, "%v", s)
		}
	}
	require.NoError(t, tx.Commit(t.Context()))
}

// oldDatabase is one whose tables are those of a migration, with functions of before
// function files.
func oldDatabase(t *testing.T, last string) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.Empty(t)
	files := fstest.MapFS{}
	for name, text := range migrationFiles(t) {
		if name <= last {
			files["migrations/"+name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	_, err := pgdb.MigrateFrom(t.Context(), pool, files)
	require.NoError(t, err)
	return pool
}

// seedRun adds one queued run with its job, as 0002 knows them.
func seedRun(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `
		INSERT INTO tenants (id, name, magento_url, api_key_sealed)
		VALUES ('00000000-0000-0000-0000-000000000001', 'Shop', 'https://shop.test', '');
		INSERT INTO bindings (id, tenant_id, provider, wire, api_url)
		VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'xero', 'accounting', 'https://ledger.test');
		INSERT INTO policies (binding_id, version, policy)
		VALUES ('00000000-0000-0000-0000-000000000002', 1, '{}');
		WITH job AS (
			INSERT INTO river.river_job (kind, queue, max_attempts, args)
			VALUES ('fetch_canonical', 'fetch_canonical', 25,
				'{"run_id":"00000000-0000-0000-0000-000000000003","share":"00000000-0000-0000-0000-000000000001"}')
			RETURNING id
		)
		INSERT INTO sync_runs (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id,
			idempotency_key, dedupe_key, lane, occurred_at, body, river_job_id)
		SELECT '00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001',
			'00000000-0000-0000-0000-000000000002', 1, 'invoice.created', 'invoice', 1,
			'invoice.created:1', 'invoice.created:1', 'invoice:1', now(), '{}', id
		FROM job`)
	require.NoError(t, err)
}

func statuses(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, _ := pool.Query(t.Context(), `SELECT status FROM sync_runs`)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return found
}

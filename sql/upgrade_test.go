package sql_test

import (
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
		pool := oldDatabase(t)
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
		pool := oldDatabase(t)
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

// oldDatabase is one as the version before function files left it.
func oldDatabase(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.Empty(t)
	files := fstest.MapFS{}
	for name, text := range migrationFiles(t) {
		if name <= lastWithFunctions {
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

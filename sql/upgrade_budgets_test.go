package sql_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
	"towpath/pkg/quota"
)

// Test_Upgrade_carries_budgets_over is the migration that counts calls by
// organisation: what bindings had called by then counts for it.
func Test_Upgrade_carries_budgets_over(t *testing.T) {
	t.Parallel()
	pool := oldDatabase(t, lastWithFunctions)
	_, err := pool.Exec(t.Context(), `
		INSERT INTO tenants (id, name, magento_url, api_key_sealed)
		SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'Shop', 'https://shop.test', '' FROM generate_series(1, 4) AS n;
		INSERT INTO bindings (id, tenant_id, provider, wire, api_url, org_id)
		SELECT ('00000000-0000-0000-0000-0000000000b' || n)::uuid, ('00000000-0000-0000-0000-00000000000' || n)::uuid,
			CASE WHEN n = 4 THEN 'freeagent' ELSE 'xero' END, CASE WHEN n = 4 THEN 'v2' ELSE 'accounting' END, 'https://ledger.test',
			CASE n WHEN 1 THEN 'A-1' WHEN 2 THEN 'a-1' ELSE '' END
		FROM generate_series(1, 4) AS n;
		INSERT INTO call_budgets (binding_id, per_minute, at_once, day_left, day_limit, day_left_at, live_from, live_slot)
		SELECT ('00000000-0000-0000-0000-0000000000b' || n)::uuid, 60, 5, 700 - n, 5000, now(),
			CASE n WHEN 1 THEN now() + interval '1 minute' END, CASE n WHEN 1 THEN now() + interval '2 minutes' END
		FROM generate_series(1, 4) AS n;
		-- n calls each, of which one had not begun, and one that is old
		INSERT INTO provider_calls (binding_id, counted_at, begun, ended)
		SELECT ('00000000-0000-0000-0000-0000000000b' || n)::uuid, clock_timestamp(), i > 1, i > 2
		FROM generate_series(1, 4) AS n, generate_series(1, n) AS i;
		INSERT INTO provider_calls (binding_id, counted_at, begun, ended)
		SELECT ('00000000-0000-0000-0000-0000000000b' || n)::uuid, clock_timestamp() - interval '5 minutes', true, true
		FROM generate_series(1, 4) AS n`)
	require.NoError(t, err)
	_, err = pgdb.Migrate(t.Context(), pool)
	require.NoError(t, err)

	one := usageOf(t, pool, "b1", quota.LimitsOf("xero", "accounting"))
	require.Equal(t, one, usageOf(t, pool, "b2", quota.LimitsOf("xero", "accounting")), "one organisation, in two spellings")
	require.Equal(t, 3, one.Minute().Used)
	require.Equal(t, 698, one.Day.Left)
	require.NotNil(t, one.LiveFrom)
	unknown := usageOf(t, pool, "b3", quota.LimitsOf("xero", "accounting"))
	require.Equal(t, 3, unknown.Minute().Used)
	require.Nil(t, unknown.LiveFrom)
	freeAgent := usageOf(t, pool, "b4", quota.LimitsOf("freeagent", "v2"))
	require.Equal(t, "hour", freeAgent.Windows[1].Name)
	require.GreaterOrEqual(t, freeAgent.Windows[1].Used, 4)
}

// usageOf is the usage of a binding's budget at the moment of the upgrade.
func usageOf(t *testing.T, pool *pgxpool.Pool, binding string, limits quota.Limits) quota.Usage {
	t.Helper()
	var state []byte
	var now time.Time
	require.NoError(t, pool.QueryRow(t.Context(), `
		SELECT budget.state, (SELECT max(applied_at) FROM schema_migrations)
		FROM bindings AS binding
		JOIN call_budgets AS budget ON budget.key = call_budget_key(binding)
		WHERE binding.id = ('00000000-0000-0000-0000-0000000000' || $1)::uuid`, binding).Scan(&state, &now))
	return quota.Decode(state).Usage(now, limits)
}

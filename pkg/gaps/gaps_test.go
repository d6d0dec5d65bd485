package gaps_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/gaps"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/policy"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

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
	require.NoError(t, queries.PolicyInsert(t.Context(), b.pool, dbsqlc.PolicyInsertParams{BindingID: b.binding, Version: 1, Policy: policy.Encode(policy.Default())}))
	return b
}

// came stores an event of an entity; number is in its body, or in its canonical form.
func (b *bundle) came(t *testing.T, event string, store, id int64, body, canonical string, at time.Time) {
	t.Helper()
	entity := map[string]string{"invoice.created": "invoice", "invoice.paid": "invoice", "creditmemo.created": "creditmemo"}[event]
	_, err := b.pool.Exec(t.Context(), `INSERT INTO sync_runs (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id, store_id, idempotency_key,
			dedupe_key, lane, occurred_at, received_at, body, canonical, status, stage, finished_at, shop_told)
		VALUES (gen_random_uuid(), $1, $2, 1, $3::text, $4, $5::bigint, $6, gen_random_uuid()::text, gen_random_uuid()::text, 'lane', $7::timestamptz, $7::timestamptz, $8::json, nullif($9, '')::json, 'succeeded', 'done', now(), 'told')`,
		b.tenant, b.binding, event, entity, id, store, at, body, canonical)
	require.NoError(t, err)
}

// invoices come with these numbers, their ids being the numbers' last digits.
func (b *bundle) invoices(t *testing.T, store int64, format string, numbers ...int64) {
	t.Helper()
	for _, n := range numbers {
		b.came(t, "invoice.created", store, n, fmt.Sprintf(`{"payload":{"increment_id":"`+format+`"}}`, n), "", time.Now())
	}
}

func (b *bundle) list(t *testing.T) []gaps.Gap {
	t.Helper()
	all, err := gaps.List(t.Context(), gaps.Request{Pool: b.pool, Most: 100})
	require.NoError(t, err)
	return all
}

func Test_What_is_missing_between_numbers_of_a_store_is_a_range_with_its_command(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.invoices(t, 1, "%09d", 7, 8, 9, 13, 14, 16)
	all := b.list(t)
	require.Len(t, all, 2)
	require.Equal(t, "000000010", all[0].First)
	require.Equal(t, "000000012", all[0].Last)
	require.EqualValues(t, 3, all[0].Missing)
	require.True(t, all[0].Certain)
	require.Equal(t, "towpath backfill --binding "+b.binding.String()+" --event invoice.created --ids 10-12", all[0].Command)
	require.Equal(t, "000000015", all[1].First)
	require.Equal(t, "000000015", all[1].Last)

	b.invoices(t, 1, "%09d", 10, 11, 12, 15)
	require.Empty(t, b.list(t), "they came after all")
}

func Test_Stores_kinds_and_series_are_apart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := time.Now()
	b.came(t, "invoice.created", 1, 1, `{"payload":{"increment_id":"000000001"}}`, "", now)
	b.came(t, "invoice.created", 2, 2, `{"payload":{"increment_id":"2000000001"}}`, "", now)
	b.came(t, "creditmemo.created", 1, 1, `{"payload":{"increment_id":"000000001"}}`, "", now)
	b.came(t, "invoice.created", 1, 3, `{"payload":{"increment_id":"000000002"}}`, "", now)
	b.came(t, "invoice.created", 1, 4, `{"payload":{"increment_id":"2026-000001/UK"}}`, "", now)
	b.came(t, "invoice.created", 1, 5, `{"payload":{"increment_id":"2026-000002/UK"}}`, "", now)
	b.came(t, "invoice.created", 1, 6, `{"payload":{"increment_id":"2027000000009"}}`, "", now)
	b.came(t, "invoice.created", 2, 7, `{"payload":[]}`, `{"magento_id":7,"order_increment_id":"9","increment_id":"2000000002","store_id":2}`, now)
	b.came(t, "invoice.paid", 1, 90, `{"payload":{"increment_id":"000000090"}}`, "", now) // no invoice came
	b.came(t, "invoice.created", 1, 8, `{"payload":{"increment_id":null,"note":"\u0000\ud800"}}`, "", now)
	require.Empty(t, b.list(t))

	// A third credit memo, and an invoice of store 2 that was asked for by hand: its run
	// has no store.
	b.came(t, "creditmemo.created", 1, 9, `{"payload":{"increment_id":"000000003"}}`, "", now)
	b.came(t, "invoice.created", 0, 12, `{}`, `{"magento_id":12,"increment_id":"2000000005","store_id":2}`, now)
	all := b.list(t)
	require.Len(t, all, 2)
	require.Equal(t, "creditmemo.created", all[0].Event)
	require.False(t, all[0].Certain, "seven ids for one number")
	require.Equal(t, "towpath backfill --binding "+b.binding.String()+" --event creditmemo.created --ids 2-8 --store 1", all[0].Command)
	require.EqualValues(t, 2, all[1].StoreID)
	require.Equal(t, "2000000003", all[1].First)
	require.Equal(t, "2000000004", all[1].Last)
	require.Equal(t, "9-11", all[1].IDs, "8 came, with a number that is not known")
}

func Test_A_shop_that_counts_by_a_step_misses_only_what_is_on_it(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.invoices(t, 1, "%09d", 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 37)
	all := b.list(t)
	require.Len(t, all, 1)
	require.Equal(t, "000000031", all[0].First)
	require.Equal(t, "000000034", all[0].Last)
	require.EqualValues(t, 2, all[0].Missing)
}

func Test_Ids_that_do_not_follow_the_numbers_are_for_the_shops_database(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := time.Now()
	b.came(t, "invoice.created", 3, 50, `{"payload":{"increment_id":"A'1"}}`, "", now.Add(-time.Hour))
	b.came(t, "invoice.created", 3, 40, `{"payload":{"increment_id":"A'3"}}`, "", now)
	all := b.list(t)
	require.Len(t, all, 1)
	require.Empty(t, all[0].IDs)
	require.Equal(t, "SELECT entity_id FROM sales_invoice WHERE increment_id BETWEEN 'A''2' AND 'A''2' AND store_id = 3", all[0].Command)
	since, err := gaps.List(t.Context(), gaps.Request{Pool: b.pool, Most: 9, Since: now.Add(-time.Minute)})
	require.NoError(t, err)
	require.Empty(t, since, "one number has none missing before it")
	other := uuid.New()
	none, err := gaps.List(t.Context(), gaps.Request{Pool: b.pool, Most: 9, TenantID: &other})
	require.NoError(t, err)
	require.Empty(t, none)
}

package find

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

type bundle struct {
	t               *testing.T
	pool            *pgxpool.Pool
	tenant, binding uuid.UUID
	n               int
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{t: t, pool: pgtest.New(t), tenant: uuid.New(), binding: uuid.New()}
	b.exec(`INSERT INTO tenants (id, name, magento_url, api_key_sealed) VALUES ($1, 'Acme', 'https://shop.example', 'x')`, b.tenant)
	b.exec(`INSERT INTO bindings (id, tenant_id, provider, wire, api_url) VALUES ($1, $2, 'xero', 'accounting', 'https://api.xero.com')`, b.binding, b.tenant)
	b.exec(`INSERT INTO policies (binding_id, version, policy) VALUES ($1, 1, '{}')`, b.binding)
	return b
}

func (b *bundle) exec(sql string, args ...any) {
	b.t.Helper()
	_, err := b.pool.Exec(b.t.Context(), sql, args...)
	require.NoError(b.t, err)
}

// add stores a run that came a second after the last one; canonical nil: never read.
func (b *bundle) add(stage, number string, canonical any) uuid.UUID {
	b.t.Helper()
	b.n++
	id, key := uuid.New(), fmt.Sprint("invoice.created:", b.n)
	status, code, done := "queued", any(nil), stage == "done"
	if done {
		status = "succeeded"
		if canonical == nil {
			status, code = "failed", "not_found"
		}
	}
	b.exec(`INSERT INTO sync_runs (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id, idempotency_key,
			dedupe_key, lane, occurred_at, received_at, body, status, stage, error_code, canonical, finished_at, shop_told, river_job_id)
		VALUES ($1, $2, $3, 1, 'invoice.created', 'invoice', $4::bigint, $5, $5, $5, now(), timestamptz '2026-04-29Z' + $4::bigint * interval '1 s',
			$6::json, $7, $8, $9, $10::json, CASE WHEN $11::boolean THEN now() END, CASE WHEN $11::boolean THEN 'told' END, CASE WHEN NOT $11::boolean THEN $4::bigint END)`,
		id, b.tenant, b.binding, b.n, key, fmt.Sprintf(`{"payload":{"increment_id":"%s"}}`, number), status, stage, code, canonical, done)
	return id
}

func (b *bundle) find(text string) []uuid.UUID {
	b.t.Helper()
	ids, err := Runs(b.t.Context(), b.pool, Request{Text: text})
	require.NoError(b.t, err)
	require.NotNil(b.t, ids)
	return ids
}

// fill adds earlier runs as after an upgrade.
func (b *bundle) fill() {
	b.t.Helper()
	b.exec(`INSERT INTO run_search_fill VALUES ('9999-01-01Z', 'ffffffff-ffff-ffff-ffff-ffffffffffff')`)
	(&Filler{Pool: b.pool, Logger: slog.New(slog.DiscardHandler)}).Run(b.t.Context())
}

func Test_A_run_is_found_by_what_people_know_of_it(t *testing.T) {
	t.Parallel()
	b := setup(t)
	anna := b.add("done", "000000123", `{"increment_id":"000000123","order_increment_id":"W-9","grand_total":"119","currency":"EUR",
		"customer":{"email":"Anna@Example.org","first_name":"Anna","last_name":"Müller"}}`)
	bert := b.add("done", "000000124", `{"increment_id":"000000124","customer":{"email":"b@example.org","first_name":"Bert","last_name":"Müller"}}`)
	unread, gone := b.add("fetch", "000000125", nil), b.add("done", "000000126", nil)
	b.exec(`INSERT INTO entity_xref (tenant_id, provider, org_key, entity_type, shop_id, provider_id, provider_reference, run_id)
		VALUES ($1, 'xero', 'o', 'invoice', '1', 'x', 'SHOP-77', $2)`, b.tenant, anna)
	b.fill()
	for text, want := range map[string][]uuid.UUID{
		"000000123": {anna}, "#000000123": {anna}, "W-9": {anna}, "anna": {anna}, "MÜLLER": {bert, anna}, "mül bert": {bert},
		"anna@example": {anna}, "119.00": {anna}, "€119,00": {anna}, "shop-77": {anna}, "000000125": {unread}, "000000126": {gone},
		gone.String(): {gone}, "nobody": {}, "": {}, "' & | !": {}, `\`: {}, "a:*b": {},
	} {
		require.Equal(t, want, b.find(text), "%q", text)
	}
}

func Test_Earlier_runs_are_added_in_steps_and_once(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for n := range 2*fillSet + 1 {
		b.add("done", "x", fmt.Sprintf(`{"increment_id":"N%d","customer":{"email":"a@b.c"}}`, n))
	}
	b.fill()
	require.Len(t, b.find("a@b.c"), 2*fillSet+1)
	b.fill() // a repeat changes nothing
	require.Len(t, b.find("n0"), 1)
	require.Len(t, b.find("a@b.c"), 2*fillSet+1)
}

// What most buyers bear is found among the newest, and not by reading all that bear it;
// what few bear is found however old it is.
func Test_Words_that_most_bear_are_not_read_to_the_end(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const runs = 40_000
	b.exec(`INSERT INTO sync_runs (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id, idempotency_key,
			dedupe_key, lane, occurred_at, received_at, body, status, stage, finished_at, shop_told)
		SELECT gen_random_uuid(), $1, $2, 1, 'invoice.created', 'invoice', n, n, n, n, now(), timestamptz '2026-04-29Z' + n * interval '1 s',
			'{}', 'succeeded', 'done', now(), 'told'
		FROM generate_series(1, $3::int) AS n`, b.tenant, b.binding, runs)
	b.exec(`INSERT INTO run_search (run_id, received_at, number, customer, amount, currency, terms)
		SELECT id, received_at, '', '', '', '', CASE WHEN magento_entity_id % 2 = 0 THEN 'smith'::tsvector WHEN magento_entity_id = 7 THEN 'rare' ELSE 'jones' END
		FROM sync_runs`)
	b.exec(`ANALYZE sync_runs, run_search`)
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(t.Context())) }()
	var ids []uuid.UUID
	rows, of := pgtest.RowsRead(t, tx, func() (err error) {
		ids, err = byWords(t.Context(), tx, Request{}, query("smith"))
		return err
	})
	require.Len(t, ids, Most)
	require.Less(t, rows, runs, "of %s", of)
	var wrong int
	require.NoError(t, tx.QueryRow(t.Context(), `SELECT count(*) FROM sync_runs
		WHERE id = ANY ($1) AND (magento_entity_id % 2 = 1 OR magento_entity_id <= $2)`, ids, runs-2*Most).Scan(&wrong))
	require.Zero(t, wrong, "the newest that bear it")
	require.Len(t, b.find("rare"), 1, "the oldest but six")
}

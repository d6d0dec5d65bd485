package bench

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"towpath/pkg/demo"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/secret"
	"towpath/pkg/server"
	"towpath/pkg/verify"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// columnsSet names, of the row that the condition finds, the columns that hold
// something.
func columnsSet(t *testing.T, pool *pgxpool.Pool, table, condition string) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), fmt.Sprintf(`
		SELECT field.key
		FROM %s AS row, jsonb_each(to_jsonb(row)) AS field
		WHERE %s AND field.value <> 'null'`, table, condition))
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.NotEmpty(t, names, "%s: no row", table)
	slices.Sort(names)
	return names
}

// connected is a site of one tenant on a database of the tests.
func connected(t *testing.T) (s *site, binding uuid.UUID) {
	t.Helper()
	return connectedTo(t, false)
}

// connectedTo is one whose shop sends all events, or only invoices.
func connectedTo(t *testing.T, all bool) (s *site, binding uuid.UUID) {
	t.Helper()
	box, err := secret.NewBox()
	require.NoError(t, err)
	pool := pgtest.New(t)
	s = &site{url: pool.Config().ConnString(), pool: pool, box: box, all: all}
	t.Cleanup(s.Stop)
	require.NoError(t, s.connect(t.Context()))
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT id FROM bindings").Scan(&binding))
	return s, binding
}

// requirePromises: what a bench inserts is as sound as what comes in.
func (s *site) requirePromises(t *testing.T) {
	t.Helper()
	findings, err := verify.Look{}.Check(t.Context(), s.pool)
	require.NoError(t, err)
	for _, f := range findings {
		require.Zero(t, f.Broken, "%s: %v", f.Name, f.Samples)
	}
}

// The limit is only one if it is the same work.
func Test_The_limits_inserts_are_those_of_a_webhook(t *testing.T) {
	t.Parallel()
	s, binding := connected(t)
	require.NoError(t, s.serve(t.Context(), server.Roles{Ingress: true}))
	shop := s.shops[0].shop
	inv := shop.RaiseInvoice(demo.Cart())
	require.NoError(t, s.drainOutboxes(t.Context()))
	inv, _ = shop.Invoice(inv.ID)
	webhook := inv.Outbox[0].SyncRunID
	l := &limit{statements: acceptStatements(s.shops[0].tenant, binding)}
	require.NoError(t, pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error { return insertAccepted(t.Context(), tx, l.forPgx(), 1001) }))

	var made string
	require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT id FROM sync_runs WHERE magento_entity_id = 1001").Scan(&made))
	for table, of := range map[string]string{
		"sync_runs": "row.id = '%s'", "sync_run_events": "row.run_id = '%s'", "river.river_job": "row.args ->> 'run_id' = '%s'",
	} {
		require.Equal(t, columnsSet(t, s.pool, table, fmt.Sprintf(of, webhook)), columnsSet(t, s.pool, table, fmt.Sprintf(of, made)), table)
	}
	require.Equal(t, columnsSet(t, s.pool, "spent_jtis", "request_key NOT LIKE '%:1001'"), columnsSet(t, s.pool, "spent_jtis", "request_key LIKE '%:1001'"))
	s.requirePromises(t)
}

func Test_Without_pgbench_a_loop_does_the_same(t *testing.T) {
	t.Parallel()
	s, binding := connected(t)
	l := &limit{url: s.url, statements: acceptStatements(s.shops[0].tenant, binding)}
	perSecond, err := l.loop(t.Context(), &measurement{cfg: Config{Seconds: 1}}, 2, firstID(0))
	require.NoError(t, err)
	require.Positive(t, perSecond)
	s.requirePromises(t)
}

func Test_The_script_of_pgbench_is_one_transaction(t *testing.T) {
	t.Parallel()
	l := &limit{statements: acceptStatements(uuid.New(), uuid.New())}
	script := l.script(16)
	require.Equal(t, 1, strings.Count(script, "BEGIN;"))
	require.Equal(t, 1, strings.Count(script, "COMMIT;"))
	require.Equal(t, 4, strings.Count(script, "INSERT INTO"))
	require.Equal(t, 1, strings.Count(script, `RETURNING id AS job_id \gset`))
	require.NotRegexp(t, `\b(TENANT|BINDING|KIND|QUEUE|TRIES|RUN|KEY)\b`, script)
}

func Test_Quantiles_are_measured_values(t *testing.T) {
	t.Parallel()
	var took []time.Duration
	for n := 100; n >= 1; n-- {
		took = append(took, time.Duration(n)*time.Millisecond)
	}
	require.InDelta(t, 50.0, quantile(took, 0.5), 0)
	require.InDelta(t, 99.0, quantile(took, 0.99), 0)
	require.InDelta(t, 100.0, quantile(took, 1), 0)
	require.InDelta(t, 7.0, quantile([]time.Duration{7 * time.Millisecond}, 0.99), 0)
	require.Zero(t, quantile(nil, 0.5))
}

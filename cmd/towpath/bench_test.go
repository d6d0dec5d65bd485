package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func Test_Bench_measures_everything_and_leaves_nothing(t *testing.T) {
	t.Parallel()
	d := &desk{}
	p := d.start(t, "bench", "--seconds", "1", "--clients", "2", "--samples", "2", "--backlog", "12", "--tenants", "1,3", "--json")
	server := serverOf(t, p)
	require.Equal(t, exitDone, p.wait(t, 3*time.Minute), p.output())
	require.True(t, server.gone(), "%+v", server)

	raw := []byte(p.output())
	requireSnakeCase(t, raw)
	var fields map[string]json.RawMessage
	decode(t, raw, &fields)
	for _, name := range []string{"cores", "load_before", "load_after", "go_version", "postgres_version", "data_root", "disk",
		"seconds", "webhooks", "idle", "backlogs"} {
		require.Contains(t, fields, name)
	}
	var r benchReport
	decode(t, raw, &r)
	require.Positive(t, r.Disk.PerSecond)
	require.Len(t, r.Doors, 1)
	door := r.Doors[0]
	require.Contains(t, []string{"pgbench", "pgx"}, door.Limit.By)
	require.Len(t, door.Limit.Rounds, 2)
	require.Len(t, door.Plain.Rounds, 2)
	require.Len(t, door.Webhooks.Rounds, 2)
	require.InDelta(t, door.Webhooks.PerSecond/door.Limit.PerSecond, door.ToLimit, 0.001)
	require.InDelta(t, door.Webhooks.PerSecond/door.Plain.PerSecond, door.ToPlain, 0.001)
	require.Positive(t, door.Webhooks.P50MS)
	require.GreaterOrEqual(t, door.Webhooks.P99MS, door.Webhooks.P50MS)
	require.Equal(t, 2, r.Idle.Samples)
	require.Positive(t, r.Idle.P50MS)
	require.Len(t, r.Idle.Steps, 5, "%+v", r.Idle.Steps)
	require.Len(t, r.Drains, 2)
	for i, tenants := range []int{1, 3} {
		require.Equal(t, tenants, r.Drains[i].Tenants)
		require.Equal(t, 12, r.Drains[i].Runs)
		require.Positive(t, r.Drains[i].PerSecond)
		require.InDelta(t, r.Drains[i].PerSecond/r.Drains[i].Plain, r.Drains[i].Ratio, 0.001)
		require.Positive(t, r.Drains[i].Snapshots)
		require.Zero(t, r.Drains[i].Mismatches)
	}
}

func Test_A_report_is_printed_as_a_table(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, benchReport{
		Cores: 2, DataRoot: "/data",
		Doors: []doorFigure{doorFigure{
			Clients: 16, Limit: limitFigure{By: "pgbench", Rounds: []float64{3900, 4100}}, Plain: webhookFigure{Rounds: []float64{1500, 1500}},
			Webhooks: webhookFigure{Rounds: []float64{2900, 3100}, NotAccepted: 7},
		}.sum()},
		Idle:   idleFigure{Samples: 60, Steps: []stepFigure{{Step: "fetch done", MedianMS: 2.5}}},
		Drains: []drainFigure{{Tenants: 20, Runs: 500, PerSecond: 300, Plain: 200, Ratio: 1.5, Snapshots: 9}},
	}.print(&out))
	for _, text := range []string{"2 cores, load unknown before", "by pgbench, 16 senders", "2.00, 0.75", "7 were not accepted", "2.5 ms  fetch done",
		"500 runs of 20 tenants", "1.50 times", "0 rows in 9 snapshots"} {
		require.Contains(t, out.String(), text)
	}
}

// columnsSet names, of the row that the condition finds, the columns that hold
// something.
func (d *desk) columnsSet(t *testing.T, table, condition string) []string {
	t.Helper()
	rows, err := d.pool.Query(t.Context(), fmt.Sprintf(`
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

// The limit is only one if it is the same work.
func Test_The_limits_inserts_are_those_of_a_webhook(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.serve(t, "ingress")
	d.shop.RaiseInvoice(demoCart())
	webhook := d.send(t)
	l := &limit{statements: acceptStatements(uuid.MustParse(d.tenant), uuid.MustParse(d.binding))}
	require.NoError(t, pgx.BeginFunc(t.Context(), d.pool, func(tx pgx.Tx) error { return insertAccepted(t.Context(), tx, l.forPgx(), 1001) }))

	var made string
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT id FROM sync_runs WHERE magento_entity_id = 1001").Scan(&made))
	for table, of := range map[string]string{
		"sync_runs": "row.id = '%s'", "sync_run_events": "row.run_id = '%s'", "river.river_job": "row.args ->> 'run_id' = '%s'",
	} {
		require.Equal(t, d.columnsSet(t, table, fmt.Sprintf(of, webhook)), d.columnsSet(t, table, fmt.Sprintf(of, made)), table)
	}
	require.Equal(t, d.columnsSet(t, "spent_jtis", "request_key NOT LIKE '%:1001'"), d.columnsSet(t, "spent_jtis", "request_key LIKE '%:1001'"))
	d.must(t, "verify")
}

func Test_Without_pgbench_a_loop_does_the_same(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	l := &limit{url: d.env["DATABASE_URL"], statements: acceptStatements(uuid.MustParse(d.tenant), uuid.MustParse(d.binding))}
	perSecond, err := l.loop(t.Context(), &bench{cmd: benchCommand{Seconds: 1}}, 2, firstID(0))
	require.NoError(t, err)
	require.Positive(t, perSecond)
	d.must(t, "verify")
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

package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/bench"
	"towpath/pkg/pgdb/pgtest"
)

func Test_Bench_measures_everything_and_leaves_nothing(t *testing.T) {
	pgtest.Long(t)
	t.Parallel()
	d := &desk{}
	root, err := os.MkdirTemp("", "bench") // t.TempDir's are too long for a socket
	require.NoError(t, err)
	require.NoError(t, os.Chmod(root, 0o777)) // as root, the server is somebody else's
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(root)) })
	p := d.start(t, "bench", "--data-root", root, "--seconds", "1", "--clients", "2", "--samples", "2", "--backlog", "12", "--tenants", "1,3", "--json")
	server := serverOf(t, p)
	require.Equal(t, exitDone, p.wait(t, 3*time.Minute), p.output())
	require.True(t, server.gone(), server.left())
	left, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Empty(t, left)

	raw := []byte(p.output())
	requireSnakeCase(t, raw)
	var fields map[string]json.RawMessage
	decode(t, raw, &fields)
	for _, name := range []string{"cores", "load_before", "load_after", "go_version", "postgres_version", "data_root", "disk",
		"seconds", "webhooks", "idle", "backlogs"} {
		require.Contains(t, fields, name)
	}
	var r bench.Report
	decode(t, raw, &r)
	require.Equal(t, root, r.DataRoot)
	require.NotEmpty(t, r.PostgresVersion)
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
	report := bench.Report{
		Cores: 2, DataRoot: "/data",
		Doors: []bench.DoorFigure{{
			Clients: 16, ToPlain: 2, ToLimit: 0.75,
			Limit:    bench.LimitFigure{By: "pgbench", Rounds: []float64{3900, 4100}},
			Plain:    bench.WebhookFigure{Rounds: []float64{1500, 1500}},
			Webhooks: bench.WebhookFigure{Rounds: []float64{2900, 3100}, NotAccepted: 7},
		}},
		Idle:   bench.IdleFigure{Samples: 60, Steps: []bench.StepFigure{{Step: "fetch done", MedianMS: 2.5}}},
		Drains: []bench.DrainFigure{{Tenants: 20, Runs: 500, PerSecond: 300, Plain: 200, Ratio: 1.5, Snapshots: 9}},
	}
	var out strings.Builder
	require.NoError(t, printReport(&out, report))
	for _, text := range []string{"2 cores, load unknown before", "by pgbench, 16 senders", "2.00, 0.75", "7 were not accepted", "2.5 ms  fetch done",
		"500 runs of 20 tenants", "1.50 times", "0 rows in 9 snapshots"} {
		require.Contains(t, out.String(), text)
	}
	raw, err := json.Marshal(report)
	require.NoError(t, err)
	requireSnakeCase(t, raw)
}

func Test_Bench_refuses_what_cannot_be_measured(t *testing.T) {
	t.Parallel()
	refused := (&desk{}).run(t, "bench", "--clients", "0")
	require.Equal(t, exitUsage, refused.code)
	require.Contains(t, refused.err, "--clients is 0; use 1 to 500")
}

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/bench"
)

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

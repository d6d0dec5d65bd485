package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/soak"
)

// A short soak of the real program; the long ones are in docs/evidence.md.
func Test_Soak_finds_nothing_broken(t *testing.T) {
	pgtest.Long(t)
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "towpath") // it starts itself, with an environment of its own
	built, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", built)
	cmd := exec.Command(binary, "soak", "--minutes", "0.3", "--seed", "1", "--rate", "3", "--json")
	out, err := cmd.Output()
	var report soak.Report
	require.NoError(t, json.Unmarshal(out, &report), "%s", out)
	for _, f := range report.Findings {
		require.Zero(t, f.Broken, "%s: %v", f.Name, f.Samples)
	}
	require.NoError(t, err)
	require.Positive(t, report.Kills, "it was short, and nothing went wrong")
	require.Positive(t, report.Events["invoice.created"])
}

func Test_Soak_refuses_what_cannot_be_done(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	require.Equal(t, exitUsage, d.run(t, "soak", "--minutes", "0").code)
	require.Equal(t, exitUsage, d.run(t, "soak", "--rate", "5000").code)
}

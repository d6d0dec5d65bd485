package main

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func Test_Version_as_a_line_and_as_an_object(t *testing.T) {
	t.Parallel()
	d := &desk{env: map[string]string{}}
	require.Equal(t, built().String()+"\n", d.must(t, "--version"))
	require.Equal(t, built().String()+"\n", d.must(t, "runs", "list", "--version"), "behind a command too")
	for _, args := range [][]string{{"--version", "--json"}, {"--json", "--version"}} {
		raw := []byte(d.must(t, args...))
		requireSnakeCase(t, raw)
		var view versionView
		decode(t, raw, &view)
		require.Equal(t, built(), view)
		require.Equal(t, runtime.Version(), view.Go)
	}
	require.Equal(t, exitUsage, d.run(t, "--json").code)
	stamped := versionView{Version: "v1.2.0", Revision: "f871048", Time: "2026-11-30T13:02:06Z", Go: "go1.26.8"}
	require.Equal(t, "towpath v1.2.0 (commit f871048 of 2026-11-30T13:02:06Z; go1.26.8)", stamped.String())
	stamped.Modified = true
	require.Contains(t, stamped.String(), "with changes")
}

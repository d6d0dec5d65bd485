package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func Test_Bash_completes_towpath(t *testing.T) {
	t.Parallel()
	script := file(t, "completion.bash", (&desk{}).must(t, "completion", "bash"))
	for typed, want := range map[string]string{
		"towpath bi":                           "binding",
		"towpath binding policy ":              "get set edit diff history restore",
		"towpath runs retry --status held,fai": "held,failed",
		"towpath runs list --error perio":      "period_locked",
		"towpath serve --roles w":              "worker",
		"towpath binding create --provider x":  "xero",
		"towpath completion ":                  "bash zsh fish",
	} {
		run := exec.Command("bash", append([]string{"-uc", `source "$1"; shift
			COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _towpath; echo "${COMPREPLY[*]-}"`, "test", script}, strings.Split(typed, " ")...)...)
		out, err := run.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Equal(t, want, strings.TrimSpace(string(out)), typed)
	}
	require.Equal(t, exitUsage, (&desk{}).run(t, "completion", "tcsh").code)
}

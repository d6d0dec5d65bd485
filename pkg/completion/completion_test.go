package completion_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"towpath/pkg/completion"
)

// line is a command line with all that is completed.
type line struct {
	Say struct {
		File   string   `placeholder:"FILE"`
		Status []string `placeholder:"STATUS" help:"It's [one]: or more."`
		Kind   string   `enum:"a,b" default:"a"`
		Name   string   `placeholder:"NAME"`
		Hush   bool
		Shell  string `arg:"" optional:"" enum:"bash,zsh," default:""`
	} `cmd:"" help:"Says it: aloud."`
	Tell struct {
		Me  struct{} `cmd:"" help:"Me."`
		You struct{} `cmd:"" help:"You."`
		Him struct{} `cmd:"" hidden:""`
	} `cmd:"" help:"Tells somebody."`
}

// script is the completion of line, in a file.
func script(t *testing.T, shell string) string {
	t.Helper()
	parser, err := kong.New(&line{}, kong.Name("speak"))
	require.NoError(t, err)
	text, err := completion.Script(shell, parser.Model, map[string][]string{"status": {"queued", "held", "failed"}})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func Test_Bash_completes_commands_flags_values_and_files(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	require.NoError(t, err)
	sourced := script(t, "bash")
	here := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(here, "policy.json"), nil, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(here, "say"), 0o700)) // no reason to take the command for a folder
	for typed, want := range map[string]string{
		"speak |":                     "say tell",
		"speak s|":                    "say",
		"speak -|":                    "--help",
		"speak tell |":                "me you",
		"speak tell me |":             "",
		"speak tell me --|":           "--help",
		"speak say --h|":              "--help --hush",
		"speak say --status |":        "queued held failed",
		"speak say --status f|":       "failed",
		"speak say --status held,f|":  "held,failed",
		"speak say --status =|":       "queued held failed",
		"speak say --status = f|":     "failed",
		"speak say --kind |":          "a b",
		"speak say --name |":          "",
		"speak say --hush |":          "bash zsh",
		"speak say --file p|":         "policy.json",
		"speak say --name tell --st|": "--status",
	} {
		t.Run(typed, func(t *testing.T) {
			t.Parallel()
			// Bash hands the words before the cursor, the last of which is being typed.
			words := strings.Split(strings.TrimSuffix(typed, "|"), " ")
			run := exec.Command(bash, append([]string{"-uc", `source "$1"; shift; complete -p speak >/dev/null
				COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _speak; echo "${COMPREPLY[*]-}"`, "test", sourced}, words...)...)
			run.Dir = here
			out, err := run.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, want, strings.TrimSpace(string(out)))
		})
	}
}

// Other shells are not on every machine.
func Test_The_scripts_are_of_their_shells(t *testing.T) {
	t.Parallel()
	for _, shell := range completion.Shells() {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("there is no %s here", shell)
			}
			out, err := exec.Command(path, "-n", script(t, shell)).CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Empty(t, string(out))
		})
	}
	_, err := completion.Script("sh", &kong.Application{Node: &kong.Node{}}, nil)
	require.ErrorContains(t, err, "bash, zsh, fish")
}

func Test_Fish_completes_commands_flags_and_values(t *testing.T) {
	t.Parallel()
	fish, err := exec.LookPath("fish")
	if err != nil {
		t.Skip("there is no fish here")
	}
	sourced := script(t, "fish")
	for typed, want := range map[string]string{
		"speak ": "say tell", "speak tell ": "me you", "speak say --status he": "held", "speak say --st": "--status", "speak say --kind ": "a b",
	} {
		run := exec.Command(fish, "--no-config", "-c", "source $argv[1]; complete -C $argv[2] | string replace -r '\\t.*' ''; or true", sourced, typed)
		run.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := run.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Equal(t, want, strings.Join(strings.Fields(string(out)), " "), typed)
	}
}

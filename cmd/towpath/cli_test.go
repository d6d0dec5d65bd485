package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/systemd"
)

// consoleOf is a console with an environment of its own.
func consoleOf(env map[string]string, out, err io.Writer) console {
	return console{out: out, err: err, in: strings.NewReader(""), readFile: os.ReadFile, lookup: func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}, names: func() []string { return slices.Collect(maps.Keys(env)) }, manager: &systemd.Manager{}}
}

func decode(t *testing.T, raw []byte, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(raw, into), "%s", raw)
}

func Test_Ctrl_C_is_told_as_that(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for command, code := range map[string]int{"runs list": exitFailed, "tenant list": exitFailed, "verify": exitUnseen, "binding status": exitFailed, "gaps": exitFailed} {
		require.Equal(t, said{code: code, err: "towpath: interrupted\n"}, d.runContext(ctx, strings.Fields(command)...), command)
	}
}

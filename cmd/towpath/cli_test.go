package main

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// consoleOf is a console with an environment of its own.
func consoleOf(env map[string]string, out, err io.Writer) console {
	return console{out: out, err: err, in: strings.NewReader(""), readFile: os.ReadFile, lookup: func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}, names: func() []string { return slices.Collect(maps.Keys(env)) }}
}

func decode(t *testing.T, raw []byte, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(raw, into), "%s", raw)
}

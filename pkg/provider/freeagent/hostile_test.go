package freeagent

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
)

// TestHostileAnswers_are_bounded_and_harmless runs alone: it counts what is
// allocated. The answers grow when they are read naively, or a terminal obeys
// them.
func TestHostileAnswers_are_bounded_and_harmless(t *testing.T) {
	long := strings.Repeat("k", 100_000)
	for name, body := range map[string]string{
		"a long name over a long list": `{"errors":{"` + long + `":[` + strings.Repeat(`"a",`, 30_000) + `"b"]}}`,
		"long names inside each other": strings.Repeat(`{"`+strings.Repeat("k", 20)+`":["a",`, 4_000) + `"b"` + strings.Repeat("]}", 4_000),
		"a great many messages":        `{"errors":[` + strings.Repeat(`{"message":"no"},`, 14_000) + `{}]}`,
		"an endless text":              strings.Repeat("A", 9<<20),
		"marks in a message":           `{"errors":[{"message":"\u001b[31mred\u202e\u2028\u0000` + "\u200f\x7f" + `"}],"f\u202eield":["bad"]}`,
		"marks in plain text":          "\x1b]0;x\x07\u202egnp\u2066\xff",
		"a list of nothing":            `{"contacts":[` + strings.Repeat("{},", 2_500_000) + `{}]}`,
		"an endless name":              `{"company":{"name":"` + strings.Repeat("N", 7<<20) + `"},"contacts":[]}`,
	} {
		for _, status := range []int{200, 422, 500} {
			t.Run(http.StatusText(status)+"_"+name, func(t *testing.T) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(status)
					_, _ = w.Write([]byte(body))
				}))
				defer server.Close()
				client, err := New(Config{BaseURL: server.URL, HTTP: server.Client(), Token: func(context.Context) (string, error) { return "tok", nil }})
				require.NoError(t, err)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				a, err := client.must(t.Context(), call{operation: opContactCreate, method: http.MethodPost, path: "/contacts"})
				harmless(t, err)
				if err == nil {
					_, err = elementsOf[contactAnswer](a, "contacts")
					harmless(t, err)
				}
				runtime.ReadMemStats(&after)
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(150<<20), "an answer of up to 8 MiB and what is read of it")
			})
		}
	}
}

// harmless demands that what is kept of an error can be shown anywhere.
func harmless(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var f *provider.Failure
	require.True(t, errors.As(err, &f), "%v", err)
	require.LessOrEqual(t, len(f.Detail), maxDetail)
	for _, said := range []string{f.Message, f.Detail, err.Error()} {
		require.LessOrEqual(t, len(said), 4000)
		require.True(t, utf8.ValidString(said))
		for _, r := range said {
			require.False(t, unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028', "%U in %q", r, said)
		}
	}
}

package xero

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

// Test_What_Xero_says_is_bounded_and_harmless runs alone: it counts what is
// allocated. The answers grow when they are read naively, or a terminal obeys
// them.
func Test_What_Xero_says_is_bounded_and_harmless(t *testing.T) {
	deep := strings.Repeat(`{"`+strings.Repeat("k", 100)+`":`, 5_000)
	for name, body := range map[string]string{
		"a complaint deep inside long names": `{"Type":"ValidationException","Elements":[` + deep + `{"ValidationErrors":[` +
			strings.Repeat(`{"Message":"a"},{"Message":"b"},`, 20_000) + `{}]}` + strings.Repeat("}", 5_000) + `]}`,
		"a great many complaints": `{"Type":"ValidationException","Elements":[{"ValidationErrors":[` + strings.Repeat(`{"Message":"no"},`, 100_000) + `{}]}]}`,
		"a long complaint":        `{"Type":"ValidationException","Elements":[{"ValidationErrors":[{"Message":"` + strings.Repeat("A", 1_900_000) + `"}]}]}`,
		"marks in a complaint":    `{"Type":"ValidationException","Elements":[{"Line\u202eItems":[{"ValidationErrors":[{"Message":"\u001b[31mred\u202e\u2028\u0000end` + "\u200f\x7f" + `"}]}]}]}`,
		"marks in a page":         "<html>\x1b]0;x\x07\u202egnp\u2066\xff</html>",
		"a list of nothing":       `{"Organisations":[` + strings.Repeat("{},", 4_000_000) + `{}]}`,
		"an endless name":         `{"Organisations":[{"Name":"` + strings.Repeat("N", 10<<20) + `","ValidationErrors":[]}]}`,
		"an endless answer":       strings.Repeat("[", 17<<20),
	} {
		for _, status := range []int{200, 400, 500} {
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
				for _, method := range []string{http.MethodGet, http.MethodPut} {
					r := request{operation: opInvoiceCreate, method: method, path: "/Invoices"}
					raw, err := client.do(t.Context(), r)
					var read struct {
						Organisations list[struct {
							Name             text
							ValidationErrors list[struct{ Message text }]
						}]
					}
					if err == nil {
						err = decode(r, raw, &read)
					}
					for _, o := range read.Organisations {
						require.LessOrEqual(t, len(o.Name), maxText)
					}
					harmless(t, err)
				}
				runtime.ReadMemStats(&after)
				if !underRace { // which lets pools forget, so that far more is allocated
					require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(400<<20), "two answers of up to 16 MiB and what is read of them")
				}
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
	require.LessOrEqual(t, len(f.Detail), 2000)
	for _, said := range []string{f.Message, f.Detail, err.Error()} {
		require.LessOrEqual(t, len(said), 4000)
		require.True(t, utf8.ValidString(said))
		for _, r := range said {
			require.False(t, unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028', "%U in %q", r, said)
		}
	}
}

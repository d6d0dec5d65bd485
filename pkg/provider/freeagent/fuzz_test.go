package freeagent

import (
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Whatever comes as an answer is read or refused, in bounded time, and what an
// operator gets to see is valid, bounded text.
func Fuzz_Answers_are_read_or_refused(f *testing.F) {
	for _, seed := range []string{
		`{"invoices":[{"url":"x","reference":42,"total_value":"47.99"}]}`, `{"invoices":{}}`, `{"invoices":null}`,
		`{"invoice":{"total_value":"1e999999999"}}`, `{"credit_note":{"total_value":"-1"}}`,
		`{"errors":[{"message":"x"},"y",{"z":["w"]}]}`, `{"error":"invalid_grant","error_description":"\u0000"}`,
		`<html><body>503</body></html>`, "[[[]]]", "\xff", "",
	} {
		f.Add([]byte(seed), 400)
	}
	client := &Client{cfg: Config{Now: time.Now}}
	f.Fuzz(func(t *testing.T, raw []byte, status int) {
		a := answer{status: status, body: raw}
		for _, k := range []kind{invoices(), creditNotes()} {
			_ = documentIn(k, a).Total.Decimal.String()
		}
		_, _ = elementsOf[documentAnswer](a, "invoices")
		failure := client.failureOf(call{operation: "x", method: "POST"}, a)
		require.NotEmpty(t, failure.Message)
		require.LessOrEqual(t, len(failure.Detail), 4*maxDetail)
		require.True(t, utf8.ValidString(failure.Detail))
	})
}

package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRedact_cuts_user_and_query_from_every_URL(t *testing.T) {
	t.Parallel()
	inner := &url.Error{Op: "Get", URL: "https://u:SECRET@shop.example.com/a?code=SECRET#SECRET", Err: context.DeadlineExceeded}
	err := Redact(fmt.Errorf("get invoice: %w", inner))
	require.Equal(t, `get invoice: Get "https://shop.example.com/a": context deadline exceeded`, err.Error())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotContains(t, fmt.Sprintf("%v %+v", err, errors.Unwrap(err)), "SECRET")
}

func TestRedact_of_texts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"no url here":                                       "no url here",
		"see https://a.example/x":                           "see https://a.example/x",
		"see https://a.example?x=SECRET.":                   "see https://a.example",
		`bad "postgres://u:SECRET@db/x"`:                    `bad "postgres://db/x"`,
		"http://u:SEC?RET@host/x":                           "http://[redacted]",
		"http://u:SEC/RET@host/x":                           "http://[redacted]",
		"http://a.example/x https://SECRET@b.example:8/y?z": "http://a.example/x https://b.example:8/y",
	} {
		require.Equal(t, want, Redact(errors.New(text)).Error())
	}
	plain := errors.New("plain")
	require.Equal(t, plain, Redact(plain))
	require.NoError(t, Redact(nil))
}

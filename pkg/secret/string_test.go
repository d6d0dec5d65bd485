package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestString_shows_itself_to_nobody(t *testing.T) {
	t.Parallel()
	const value = "hunter2"
	type holder struct {
		Open   String
		closed String
		deep   *String
	}
	s := NewString(value)
	h := holder{Open: s, closed: s, deep: &s}
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		shown = append(shown, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, h), fmt.Sprintf(verb, &h))
	}
	asJSON, err := json.Marshal(h)
	require.NoError(t, err)
	asKey, err := json.Marshal(map[string]any{"a": []any{s, &s}})
	require.NoError(t, err)
	var logged bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(handler).Info("x", "secret", s, "holder", h, "pointer", &s)
	}
	shown = append(shown, string(asJSON), string(asKey), logged.String(), fmt.Errorf("a: %w %v", errors.New("b"), s).Error())
	for _, text := range shown {
		require.NotContains(t, text, value)
		require.NotContains(t, text, fmt.Sprintf("%x", value))
	}
	require.Equal(t, Redacted, fmt.Sprint(s))
	require.JSONEq(t, `{"Open":"[redacted]"}`, string(asJSON))
	require.Contains(t, logged.String(), Redacted)
	require.Equal(t, value, s.Reveal())
}

func TestString_zero_value_is_empty(t *testing.T) {
	t.Parallel()
	var s String
	require.True(t, s.IsEmpty())
	require.Empty(t, s.Reveal())
	require.Equal(t, Redacted, s.String())
	require.NoError(t, s.UnmarshalText([]byte("x")))
	require.Equal(t, "x", s.Reveal())
	require.False(t, s.IsEmpty())
}

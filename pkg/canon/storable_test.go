package canon_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
)

func Test_Storable_replaces_only_what_Postgres_refuses(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"a":"x\u0000y"}`:           `{"a":"x�y"}`,
		`{"\u0000":1}`:               `{"�":1}`,
		`"\\u0000 \\ud800"`:          `"\\u0000 \\ud800"`,
		`"\\\u0000"`:                 `"\\�"`,
		`"\ud83d\ude00"`:             `"\ud83d\ude00"`,
		`"\uD83D\uDE00"`:             `"\uD83D\uDE00"`,
		`"\ud800"`:                   `"�"`,
		`"\udc00\ud800"`:             `"��"`,
		`"\ud800\ud83d\ude00\ude00"`: `"�\ud83d\ude00�"`,
		`"\ud800A\ud800\n\ud800\\"`:  `"�A�\n�\\"`,
		`"\ud800\\udc00"`:            `"�\\udc00"`,
		`"\u0001\u00000\ufffd"`:      `"\u0001�0\ufffd"`,
		"\"a\xffb\xc3\"":             `"a�b�"`,
		`"é � 😀"`:                    `"é � 😀"`,
		`[1, 2.50, null]`:            `[1, 2.50, null]`,
		``:                           ``,
		`\`:                          `\`,
		`"\u00`:                      `"\u00`,
	} {
		require.Equal(t, want, string(canon.Storable([]byte(raw))), raw)
	}
}

func Test_Storable_reads_the_same(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{
		`\u0000`, `\ud800`, `\udfff`, `\uDBFF`, `\uDC00`, `\\`, `\"`, `\n`, `\/`, `u0000`, `ud800`, `u`, `0`,
		`\ufffd`, `\u0041`, "é", "😀", "\xff", "\xed\xa0\x80", "�", " ",
	})
	text := rapid.Custom(func(t *rapid.T) string {
		return `"` + strings.Join(rapid.SliceOf(piece).Draw(t, "pieces"), "") + `"`
	})
	rapid.Check(t, func(t *rapid.T) {
		raw := `{` + text.Draw(t, "key") + `:[` + text.Draw(t, "value") + `,1.50],` + text.Draw(t, "key") + `:null}`
		requireStorable(t, []byte(raw))
	})
}

func FuzzStorable(f *testing.F) {
	for _, seed := range []string{`"\ud800\udc00\ud800"`, `{"\\u0000":"\u0000"}`, "\"\xff\"", `"\`, `[1,{"a":"\\\ud800"}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { requireStorable(t, raw) })
}

// requireStorable demands that the result reads as raw does, token by token,
// with U+FFFD for NUL, and that a second pass finds nothing more.
func requireStorable(t require.TestingT, raw []byte) {
	out := canon.Storable(raw)
	require.Equal(t, string(out), string(canon.Storable(out)))
	if !json.Valid(raw) {
		return
	}
	require.True(t, json.Valid(out), "%q became %q", raw, out)
	want := tokens(t, raw)
	for i, token := range want {
		if text, ok := token.(string); ok {
			want[i] = strings.ReplaceAll(text, "\x00", "�")
		}
	}
	require.Equal(t, want, tokens(t, out), "%q became %q", raw, out)
}

func tokens(t require.TestingT, raw []byte) []json.Token {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var all []json.Token
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, token)
	}
}

package foreign_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"towpath/pkg/foreign"
)

func Test_Text(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ said, shown string }{
		"Stays_as_it_is":                        {"Invoice 000000042 is locked.", "Invoice 000000042 is locked."},
		"Keeps_other_scripts_and_emoji":         {"Zaż ها\u200cها 👩\u200d🔧 ❤️", "Zaż ها\u200cها 👩\u200d🔧 ❤️"},
		"Loses_the_escapes_of_a_terminal":       {"\x1b[2J\x1b[31mred\x07", "[2J [31mred"},
		"Loses_eight_bit_escapes":               {"a\u009b31mb", "a 31mb"},
		"Loses_directional_overrides":           {"invoice\u202egnp.exe\u202c \u2066x\u2069 \u200f\u061c", "invoicegnp.exe x"},
		"Loses_what_is_invisible":               {"a\u200bb\u00adc\ufeffd\u2060e\u3164f\U000e0041g", "abcdefg"},
		"Is_one_line":                           {" first\r\n\tsecond\u2028third\u2029fourth \n", "first second third fourth"},
		"Has_no_NUL":                            {"a\x00b", "a b"},
		"Marks_what_is_no_UTF-8":                {"a\xff\xc3b", "a\ufffd\ufffdb"},
		"Has_one_space_where_there_were_many":   {"a  \u00a0 b", "a b"},
		"Is_empty_where_nothing_can_be_seen":    {"\u202e\x00\u200b ", ""},
		"Is_cut_where_it_is_too_long":           {strings.Repeat("a", 41), strings.Repeat("a", 37) + "…"},
		"Is_cut_between_characters":             {strings.Repeat("€", 14), strings.Repeat("€", 12) + "…"},
		"Is_not_cut_where_it_just_fits":         {strings.Repeat("é", 20), strings.Repeat("é", 20)},
		"Is_cut_by_what_is_shown_not_by_length": {strings.Repeat("\u202e", 500) + "seen", "seen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.shown, foreign.Text(c.said, 40))
		})
	}

	t.Run("Of_a_stack_trace_keeps_its_lines", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "panic: [31m\n\tmain.go:1\n  x", foreign.Lines("panic: \x1b[31m\n\tmain.go:1\r\n  x", 100))
	})
}

// Test_Text_costs_no_more_than_it_keeps runs alone, as it counts what is allocated.
func Test_Text_costs_no_more_than_it_keeps(t *testing.T) {
	huge := strings.Repeat("\x1b[31mAAA", 2<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.Len(t, foreign.Text(huge, foreign.Kept), foreign.Kept)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(100<<10))
}

func Test_Error_keeps_its_causes(t *testing.T) {
	t.Parallel()
	err := foreign.Error(fmt.Errorf("read \x1b[31m: %w", context.DeadlineExceeded), 30)
	require.NotContains(t, err.Error(), "\x1b")
	require.LessOrEqual(t, len(err.Error()), 30)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	same := errors.New("as it is")
	require.Same(t, same, foreign.Error(same, 30))
	require.NoError(t, foreign.Error(nil, 30))
}

func Test_JSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sent, read string }{
		"Stays_byte_for_byte":                   {`{"a": "ü \"x\" \\ \/ \ud83d\ude00 注", "n":1.50}`, `{"a": "ü \"x\" \\ \/ \ud83d\ude00 注", "n":1.50}`},
		"Loses_raw_marks":                       {"{\"a\":\"x\u202ey\u0085z\x7f\"}", `{"a":"xy z "}`},
		"Loses_escaped_marks":                   {`{"a":"x\u202Ey\u001b[31m\u0000\u2028\b\f"}`, `{"a":"xy [31m    "}`},
		"Loses_escaped_pairs":                   {`{"a":"x\udb40\udc41y"}`, `{"a":"xy"}`},
		"Loses_line_breaks_and_tabs":            {`{"a":"x\ny\tz\u000a"}`, `{"a":"x y z "}`},
		"Takes_an_escaped_backslash_for_itself": {`{"a":"\\u202e \\b"}`, `{"a":"\\u202e \\b"}`},
		"Leaves_half_pairs_and_bad_bytes":       {"{\"a\":\"\\ud800 \xff\"}", "{\"a\":\"\\ud800 \xff\"}"},
		"Leaves_broken_text_broken":             {"{\"a\x00\":\x1b1,", "{\"a\x00\":\x1b1,"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.read, string(foreign.JSON([]byte(c.sent))))
		})
	}

	t.Run("Keeps_line_breaks_where_they_mean_something", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, `"1 High St\nLeeds\u000a\t"`, string(foreign.JSONLines([]byte(`"1 High\u200b St\nLeeds\u000a\t"`))))
	})
	t.Run("Begins_with_no_byte_order_mark", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "{}", string(foreign.TrimBOM([]byte("\ufeff\ufeff{}"))))
		require.Equal(t, "\xef\xbb", string(foreign.TrimBOM([]byte("\xef\xbb"))))
	})
}

func Test_A_terminal_is_shown_no_escapes(t *testing.T) {
	t.Parallel()
	var shown bytes.Buffer
	w := foreign.Writer(&shown)
	whole := "RUN\tSAYS\n1\t\x1b]0;title\x07 \u202eabc € \x00\xff\u2028\n"
	for i := range len(whole) { // however it is written
		n, err := w.Write([]byte{whole[i]})
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
	require.Equal(t, "RUN\tSAYS\n1\t ]0;title  abc €  \ufffd \n", shown.String())
}

// FuzzForeign: whatever comes, what is kept is bounded, valid and visible, and a
// second pass changes nothing.
func FuzzForeign(f *testing.F) {
	for _, seed := range []string{"", "a", "\x1b[31m", "\u202e\u2028", "%1%1", "\xff\xfe", `"\u202e\ud83d\ude00"`, strings.Repeat("é", 60)} {
		f.Add(seed, 50)
	}
	f.Fuzz(func(t *testing.T, said string, most int) {
		most = max(0, min(most, 1000))
		text := foreign.Text(said, most)
		require.LessOrEqual(t, len(text), most)
		require.True(t, utf8.ValidString(text))
		for _, r := range text {
			require.False(t, unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029', "%U", r)
		}
		require.Equal(t, text, foreign.Text(text, most))

		raw := []byte(said)
		read := foreign.JSON(raw)
		require.LessOrEqual(t, len(read), len(raw))
		require.Equal(t, string(read), string(foreign.JSON(read)))
		if !json.Valid(raw) {
			return
		}
		require.True(t, json.Valid(read))
		var value any
		require.NoError(t, json.Unmarshal(read, &value))
		if s, ok := value.(string); ok {
			require.False(t, strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }))
		}
	})
}

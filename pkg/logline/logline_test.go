package logline_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/logline"
)

func jsonLog(to io.Writer) *slog.Logger {
	return slog.New(logline.New(to, func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) }))
}

func textLog(to io.Writer) *slog.Logger {
	return slog.New(logline.New(to, func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) }))
}

// loud is a type that prints long and is no string.
type loud struct{ Text []string }

func (l loud) String() string { return strings.Join(l.Text, " ") }

func Test_A_line_that_fits_is_left_as_it_is(t *testing.T) {
	t.Parallel()
	var bounded, plain bytes.Buffer
	for _, log := range []*slog.Logger{jsonLog(&bounded), slog.New(slog.NewJSONHandler(&plain, nil))} {
		log.With("tenant", "t").WithGroup("g").Warn("said", "path", strings.Repeat("x", 3000), "n", 7, "error", errors.New("no"))
	}
	strip := func(b bytes.Buffer) string { _, rest, _ := strings.Cut(b.String(), `,"level"`); return rest }
	require.Equal(t, strip(plain), strip(bounded))
}

func Test_Whatever_is_logged_the_line_is_short_and_can_be_read(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("A", 300<<10)
	for name, attrs := range map[string][]any{
		"one long text":      {"path", long, "status", 401},
		"control characters": {"path", strings.Repeat("\x00\u202e\x1b", 4000), "status", 401},
		"invalid bytes":      {"path", strings.Repeat("\xff", 9000), "status", 401},
		"quotes":             {"path", strings.Repeat(`"\`, 5000), "status", 401},
		"an error":           {"error", fmt.Errorf("panic: %s", long), "status", 401},
		"a structure":        {"v", loud{[]string{long, long}}, "status", 401},
		"a group":            {slog.Group("g", "a", long, slog.Group("h", "b", long)), "status", 401},
		"a long key":         {long, "x", "status", 401},
		"several long texts": {"a", long, "b", long, "c", long, "d", long, "e", long, "status", 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asJSON, asText bytes.Buffer
			jsonLog(&asJSON).Error("request", attrs...)
			textLog(&asText).Error("request", attrs...)
			require.LessOrEqual(t, asJSON.Len(), logline.Most)
			require.LessOrEqual(t, asText.Len(), logline.Most)
			require.Equal(t, 1, strings.Count(asJSON.String(), "\n"))
			require.Equal(t, 1, strings.Count(asText.String(), "\n"))
			var said map[string]any
			require.NoError(t, json.Unmarshal(asJSON.Bytes(), &said))
			require.Equal(t, "request", said["msg"])
			require.EqualValues(t, 401, said["status"], "what is short stays")
			require.Contains(t, asText.String(), "[cut]")
			require.NotContains(t, asJSON.String(), "\x1b")
		})
	}
}

func Test_Thousands_of_attributes_leave_the_message(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	attrs := make([]any, 0, 8000)
	for i := range 4000 {
		attrs = append(attrs, fmt.Sprintf("k%d", i), i)
	}
	log := jsonLog(&out)
	for range 40 {
		log = log.With("kept", strings.Repeat("k", 9000))
	}
	log.Error(strings.Repeat("m", 9000), attrs...)
	require.LessOrEqual(t, out.Len(), logline.Most)
	var said map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &said))
	require.Equal(t, "ERROR", said["level"])
}

func Test_Any_line_is_short(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return strings.Repeat(rapid.String().Draw(t, "unit"), rapid.IntRange(0, 600).Draw(t, "times"))
		}), 0, 12).Draw(t, "texts")
		var out bytes.Buffer
		log := jsonLog(&out)
		if rapid.Bool().Draw(t, "text") {
			log = textLog(&out)
		}
		attrs := []any{}
		for i, text := range texts {
			attrs = append(attrs, fmt.Sprint("a", i), text)
		}
		log.Info("m", attrs...)
		if out.Len() > logline.Most || strings.Count(out.String(), "\n") != 1 {
			t.Fatalf("%d bytes", out.Len())
		}
	})
}

func Test_Lines_of_many_goroutines_stay_whole(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := jsonLog(&out)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 100 {
				log.With("i", i).Info("said", "text", strings.Repeat("x", i*100))
			}
		})
	}
	all.Wait()
	n := 0
	for line := range strings.Lines(out.String()) {
		require.True(t, json.Valid([]byte(line)), line)
		n++
	}
	require.Equal(t, 800, n)
}

package foreign

import (
	"io"
	"sync"
	"unicode/utf8"
)

// Writer passes on to out what a terminal only shows: line breaks and tabs, and
// no other control character, no directional mark, nothing invisible, whatever
// was written. It is safe for concurrent use.
func Writer(out io.Writer) io.Writer { return &writer{out: out} }

type writer struct {
	mu   sync.Mutex
	out  io.Writer
	rest []byte // the beginning of a character whose end has not been written yet
}

// Write reports the whole of p as written where the rest could be passed on.
func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := p
	if len(w.rest) > 0 {
		text = append(w.rest, p...)
	}
	shown := make([]byte, 0, len(text))
	for len(text) > 0 && (utf8.FullRune(text) || len(text) >= utf8.UTFMax) {
		r, size := utf8.DecodeRune(text)
		f := fateOf(r)
		switch {
		case f == stays, r == '\n', r == '\t':
			shown = append(shown, text[:size]...)
		case f == blank:
			shown = append(shown, ' ')
		case f == replace:
			shown = utf8.AppendRune(shown, utf8.RuneError)
		}
		text = text[size:]
	}
	w.rest = append([]byte(nil), text...)
	if _, err := w.out.Write(shown); err != nil {
		return 0, err
	}
	return len(p), nil
}

package foreign

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kept is how many bytes of another's words are kept where nothing else is said.
const Kept = 2000

// Ellipsis stands where a text was cut.
const Ellipsis = "…"

// Text is s on one line: visible characters only, runs of space as one, at most
// most bytes. It reads no more of s than it needs, however long s is.
func Text(s string, most int) string { return shorten(s, most, false) }

// Lines is Text that keeps line breaks and tabs, for texts of our own with
// others' words in them, such as a stack trace.
func Lines(s string, most int) string { return shorten(s, most, true) }

// fate is what becomes of a character.
type fate uint8

const (
	stays   fate = iota
	blank        // becomes a space
	goes         // is left out
	replace      // becomes U+FFFD
)

func fateOf(r rune) fate {
	switch {
	case r == utf8.RuneError:
		return replace
	case r < utf8.RuneSelf:
		if r < ' ' || r == 0x7f {
			return blank
		}
		return stays
	case r == '\u200c' || r == '\u200d':
		return stays
	case unicode.IsControl(r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
		return blank
	case unicode.In(r, unicode.Cf, unicode.Co, unicode.Noncharacter_Code_Point, unicode.Other_Default_Ignorable_Code_Point):
		return goes
	}
	return stays
}

func shorten(s string, most int, lines bool) string {
	if len(s) <= most && plain(s) {
		return s
	}
	var out strings.Builder
	spaced := true // nothing at the beginning, and no second space
	for _, r := range s {
		keep := lines && (r == '\n' || r == '\t')
		switch f := fateOf(r); {
		case keep, lines && r == ' ':
			spaced = true
		case f == goes, lines && r == '\r':
			continue
		case f == blank || unicode.IsSpace(r):
			if spaced {
				continue
			}
			r, spaced = ' ', true
		case f == replace:
			r, spaced = utf8.RuneError, false
		default:
			spaced = false
		}
		if out.Len()+utf8.RuneLen(r) > most {
			return cut(strings.TrimRight(out.String(), " "), most)
		}
		out.WriteRune(r)
	}
	return strings.TrimRight(out.String(), " ")
}

// plain reports whether nothing is to be done: the usual text, at no cost.
func plain(s string) bool {
	before := byte(' ')
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c > '~' || c == ' ' && before == ' ' {
			return false
		}
		before = c
	}
	return before != ' ' || s == ""
}

// cut makes room for the ellipsis, never inside a character.
func cut(s string, most int) string {
	if most < len(Ellipsis) {
		return ""
	}
	for end := min(len(s), most-len(Ellipsis)); ; end-- {
		if end == len(s) || utf8.RuneStart(s[end]) {
			return s[:end] + Ellipsis
		}
	}
}

// Error is err with its text as Text has it; its causes are still found below.
func Error(err error, most int) error {
	if err == nil {
		return nil
	}
	said := err.Error()
	text := Text(said, most)
	if text == said {
		return err
	}
	return &foreignError{text: text, cause: err}
}

type foreignError struct {
	text  string
	cause error
}

func (e *foreignError) Error() string { return e.text }
func (e *foreignError) Unwrap() error { return e.cause }

// Timeout makes an error that is asked for it answer as its cause does.
func (e *foreignError) Timeout() bool {
	var timeout interface{ Timeout() bool }
	return errors.As(e.cause, &timeout) && timeout.Timeout()
}

package xero

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"towpath/pkg/foreign"
)

// clean is s on one line: valid UTF-8, control characters and runs of space as
// one space, none at the ends.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.IsSpace(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// cut shortens s to at most n UTF-16 units, Xero's way of counting characters,
// never inside a rune.
func cut(s string, n int) string {
	for i, r := range s {
		n--
		if r > 0xFFFF {
			n--
		}
		if n < 0 {
			return strings.TrimRight(s[:i], " ")
		}
	}
	return s
}

// units is the length of s as Xero counts it.
func units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// clip is what the other side said in at most n bytes, for an operator's eyes.
func clip(s string, n int) string { return foreign.Text(s, n) }

// asciiOnly reports whether s is printable ASCII.
func asciiOnly(s string) bool {
	for _, r := range s {
		if r < ' ' || r > '~' {
			return false
		}
	}
	return true
}

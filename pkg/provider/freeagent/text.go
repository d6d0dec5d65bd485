package freeagent

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxField       = 255   // runes of a contact's field or a comment
	maxDescription = 4_000 // runes of an item's description
)

// cleanText is s without control and invisible characters, with single spaces,
// cut to limit runes. < and > stay: an item's description is plain text.
func cleanText(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r), r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > limit {
		s = strings.TrimSpace(string([]rune(s)[:limit]))
	}
	return s
}

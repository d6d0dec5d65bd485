package canon

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const escapeLength = len(`\u0000`)

// Storable returns a JSON text that Postgres can store and look into: the
// escape \u0000, escapes of half a surrogate pair and bytes that are not UTF-8
// become U+FFFD. Nothing else changes. But for \u0000, package json reads the
// same from both.
func Storable(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		size, keep := storableUnit(raw)
		if keep {
			out = append(out, raw[:size]...)
		} else {
			out = utf8.AppendRune(out, utf8.RuneError)
		}
		raw = raw[size:]
	}
	return out
}

// storableUnit measures the character or escape at the beginning of raw and
// tells whether it may stay. In JSON a backslash stands in strings only, and
// always begins an escape.
func storableUnit(raw []byte) (size int, keep bool) {
	if raw[0] != '\\' {
		r, size := utf8.DecodeRune(raw)
		return size, r != utf8.RuneError || size > 1
	}
	unit, ok := unicodeEscape(raw)
	switch {
	case !ok && len(raw) > 1 && raw[1] < utf8.RuneSelf:
		return 2, true
	case !ok:
		return 1, true
	case !utf16.IsSurrogate(unit):
		return escapeLength, unit != 0
	}
	low, ok := unicodeEscape(raw[escapeLength:])
	if ok && utf16.DecodeRune(unit, low) != utf8.RuneError {
		return 2 * escapeLength, true
	}
	return escapeLength, false
}

// unicodeEscape reads \uXXXX at the beginning of raw.
func unicodeEscape(raw []byte) (rune, bool) {
	if len(raw) < escapeLength || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw[2:escapeLength]), 16, 16)
	return rune(n), err == nil
}

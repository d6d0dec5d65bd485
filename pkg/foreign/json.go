package foreign

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// TrimBOM takes off the byte order marks with which a text begins: each PHP file
// that was saved with one puts another before the answer. RFC 8259, 8.1, lets a
// reader ignore it.
func TrimBOM(raw []byte) []byte {
	for bytes.HasPrefix(raw, []byte("\ufeff")) {
		raw = raw[len("\ufeff"):]
	}
	return raw
}

// JSON is a JSON text without the characters that Text takes out of a text,
// whether they stand there themselves or as escapes. Nothing else changes: what
// was valid is valid, what was broken stays so, and bytes that are not UTF-8 are
// left for others to judge. The escapes of line breaks and tabs become spaces.
func JSON(raw []byte) []byte { return visible(raw, false) }

// JSONLines is JSON that keeps the escapes of line breaks and tabs, for
// documents in which they mean something.
func JSONLines(raw []byte) []byte { return visible(raw, true) }

func visible(raw []byte, lines bool) []byte {
	clean := quiet(raw)
	if clean == len(raw) {
		return raw
	}
	out := append(make([]byte, 0, len(raw)), raw[:clean]...)
	for raw = raw[clean:]; len(raw) > 0; {
		size, f := unit(raw, lines)
		switch f {
		case blank:
			out = append(out, ' ')
		case stays, replace: // what is not UTF-8, or an escape of it, is not ours to judge
			out = append(out, raw[:size]...)
		}
		raw = raw[size:]
	}
	return out
}

// quiet is the length of the beginning in which nothing can be to do.
func quiet(raw []byte) int {
	for i, c := range raw {
		if c >= 0x7f || c == '\\' {
			return i
		}
	}
	return len(raw)
}

// unit measures the character or escape at the beginning of raw and says what
// becomes of it. Raw control characters are left: as white space they are part
// of JSON, and where they are not the text is broken and must stay so.
func unit(raw []byte, lines bool) (size int, f fate) {
	if raw[0] != '\\' {
		r, size := utf8.DecodeRune(raw)
		if r < ' ' {
			return size, stays
		}
		return size, fateOf(r)
	}
	if len(raw) == 1 {
		return 1, stays
	}
	switch raw[1] {
	case 'b', 'f':
		return 2, blank
	case 'n', 'r', 't':
		if lines {
			return 2, stays
		}
		return 2, blank
	case 'u':
		return escape(raw, lines)
	}
	_, size = utf8.DecodeRune(raw[1:])
	return 1 + size, stays
}

// escapeLength is that of \uXXXX.
const escapeLength = 6

// escape judges \uXXXX, and the pair of two for what lies above U+FFFF.
func escape(raw []byte, lines bool) (size int, f fate) {
	r, ok := hexadecimal(raw)
	if !ok {
		return 1, stays // broken
	}
	if utf16.IsSurrogate(r) {
		low, _ := hexadecimal(raw[escapeLength:])
		pair := utf16.DecodeRune(r, low)
		if pair == utf8.RuneError {
			return escapeLength, stays
		}
		return 2 * escapeLength, fateOf(pair)
	}
	if lines && (r == '\n' || r == '\r' || r == '\t') {
		return escapeLength, stays
	}
	return escapeLength, fateOf(r)
}

// hexadecimal reads \uXXXX at the beginning of raw.
func hexadecimal(raw []byte) (rune, bool) {
	if len(raw) < escapeLength || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw[2:escapeLength]), 16, 16)
	return rune(n), err == nil
}

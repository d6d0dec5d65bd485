package freeagent

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDetail bounds the other side's words in a Failure.
const maxDetail = 2000

// words reads the other side's own words out of an error body, in every form
// that has been seen: errors as a string, a list of strings, a list of
// {message}, {error:{message}}, {field:[messages]}, a list without the
// envelope, OAuth's {error,error_description}, and plain text. HTML, which only
// a proxy sends, has no words.
func words(body []byte) string {
	body = bytes.TrimSpace(body)
	var said []string
	var any any
	switch {
	case len(body) == 0:
	case json.Unmarshal(body, &any) == nil:
		said = collect(any, "")
	case !looksLikeHTML(body):
		said = []string{string(body)}
	}
	return cut(strings.Join(said, "; "), maxDetail)
}

// collect walks any JSON value for its texts; field is the key that leads to
// it, named where it is neither part of the envelope nor of a message.
func collect(value any, field string) []string {
	var said []string
	switch v := value.(type) {
	case string:
		if v = strings.TrimSpace(v); v == "" {
			return nil
		}
		if field != "" {
			v = field + " " + v
		}
		return []string{v}
	case []any:
		for _, element := range v {
			said = append(said, collect(element, field)...)
		}
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			inner := field
			if !isEnvelope(key) {
				inner = key
			}
			said = append(said, collect(v[key], inner)...)
		}
	}
	return said
}

func isEnvelope(key string) bool {
	switch key {
	case "errors", "error", "message", "error_description", "base":
		return true
	}
	return false
}

func looksLikeHTML(body []byte) bool {
	return body[0] == '<'
}

// cut shortens s to at most limit bytes, never in the middle of a rune.
func cut(s string, limit int) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) <= limit {
		return s
	}
	s = s[:limit]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

package freeagent

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"towpath/pkg/foreign"
)

// maxDetail bounds the other side's words in a Failure, and maxSaid how many of
// them are gathered: a long name over a long list would be written out for each.
const (
	maxDetail = foreign.Kept
	maxSaid   = 50
)

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
		collect(any, "", &said)
	case !looksLikeHTML(body):
		said = []string{string(body)}
	}
	return foreign.Text(strings.Join(said, "; "), maxDetail)
}

// collect walks any JSON value for its texts; field is the key that leads to
// it, named where it is neither part of the envelope nor of a message.
func collect(value any, field string, said *[]string) {
	if len(*said) == maxSaid {
		return
	}
	switch v := value.(type) {
	case string:
		if v = foreign.Text(v, maxDetail); v == "" {
			return
		}
		if field != "" {
			v = field + " " + v
		}
		*said = append(*said, v)
	case []any:
		for _, element := range v {
			collect(element, field, said)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			inner := field
			if !isEnvelope(key) {
				inner = foreign.Text(key, maxDetail)
			}
			collect(v[key], inner, said)
		}
	}
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

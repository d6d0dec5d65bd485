package magento

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDetail is how much of the shop's words is kept.
const maxDetail = 2000

// isJSON reports whether the whole body is one JSON object or array, as
// everything is that Magento's API says.
func (a answer) isJSON() bool {
	text := bytes.TrimSpace(a.body)
	return len(text) > 0 && (text[0] == '{' || text[0] == '[') && a.cut == nil && json.Valid(text)
}

// isEmpty reports a body of nothing.
func (a answer) isEmpty() bool { return a.cut == nil && len(bytes.TrimSpace(a.body)) == 0 }

// said is what the answer says in one short text: the message of Magento's
// error with its parameters filled in, or the title of a page, without secrets.
func (a answer) said() string {
	var e struct {
		Message    string          `json:"message"`
		Parameters json.RawMessage `json:"parameters"`
	}
	if a.isJSON() {
		if json.Unmarshal(a.body, &e) == nil && e.Message != "" {
			return clip(a.secrets.redact(fillParameters(e.Message, e.Parameters)))
		}
		return ""
	}
	if a.isEmpty() {
		return ""
	}
	if title := pageTitle(a.body); title != "" {
		return clip("a page titled “" + a.secrets.redact(title) + "”")
	}
	return "something that is not JSON"
}

// fillParameters replaces %1, %2 by the items of a list and %name by those of
// an object, as Magento's own front end does; longer names first, so that
// %fieldName is not taken for %field and a rest.
func fillParameters(message string, parameters json.RawMessage) string {
	named := map[string]any{}
	var list []any
	if json.Unmarshal(parameters, &list) == nil {
		for i, value := range list {
			named[strconv.Itoa(i+1)] = value
		}
	} else if json.Unmarshal(parameters, &named) != nil {
		return message
	}
	names := slices.SortedFunc(maps.Keys(named), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	pairs := []string{}
	for _, name := range names {
		pairs = append(pairs, "%"+name, fmt.Sprint(named[name]))
	}
	return strings.NewReplacer(pairs...).Replace(message)
}

// pageTitle is the title of an HTML page, empty where there is none.
func pageTitle(body []byte) string {
	lower := bytes.ToLower(body)
	_, rest, found := bytes.Cut(lower, []byte("<title>"))
	if !found {
		return ""
	}
	title, _, found := bytes.Cut(rest, []byte("</title>"))
	if !found || len(lower) != len(body) {
		return ""
	}
	from := len(body) - len(rest)
	return strings.Join(strings.Fields(string(body[from:from+len(title)])), " ")
}

// clip cuts a text to maxDetail bytes on a rune, and makes it valid UTF-8.
func clip(text string) string {
	text = strings.ToValidUTF8(text, "�")
	if len(text) <= maxDetail {
		return text
	}
	cut := maxDetail
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

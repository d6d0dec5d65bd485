package magento

import (
	"bytes"
	"encoding/json"
	"regexp"

	"towpath/pkg/foreign"
)

// What is kept of the shop's words, in bytes. A shop's message is a template, so
// nothing that is built from it may grow with what it asks for.
const (
	maxDetail     = foreign.Kept
	maxWords      = 4 * maxDetail // looked at, so that what the redaction takes away does not count
	maxFirstWords = 300           // of an answer that is not the API's
	maxPage       = 64 << 10      // searched for a title
)

// isJSON reports whether the whole body is one JSON object or array, as
// everything is that Magento's API says.
func (a answer) isJSON() bool {
	text := bytes.TrimSpace(a.body)
	return len(text) > 0 && (text[0] == '{' || text[0] == '[') && a.cut == nil && json.Valid(text)
}

// isEmpty reports a body of nothing.
func (a answer) isEmpty() bool { return a.cut == nil && len(bytes.TrimSpace(a.body)) == 0 }

// said is what the answer says in one short text: the message of Magento's
// error with its parameters filled in, the title of a page, or the first words of
// what is neither; without secrets, of at most maxDetail bytes.
func (a answer) said() string {
	if a.isJSON() {
		var e struct {
			Message    string          `json:"message"`
			Parameters json.RawMessage `json:"parameters"`
		}
		if json.Unmarshal(a.body, &e) != nil {
			return ""
		}
		return a.secrets.excerpt(fill(e.Message, readParameters(e.Parameters), maxWords), maxDetail)
	}
	if a.isEmpty() {
		return ""
	}
	page := a.body[:min(len(a.body), maxPage)]
	if title := pageTitle(page); title != "" {
		return "a page titled “" + a.secrets.excerpt(title, maxFirstWords) + "”"
	}
	if words := a.secrets.excerpt(firstWords(page), maxFirstWords); words != "" {
		return "something that is not JSON: “" + words + "”"
	}
	return "something that is not JSON"
}

// document finds where JSON begins among other words.
var document = regexp.MustCompile(`\{\s*["}]|\[\s*[{"\]]`)

// firstWords are those before any JSON: what PHP says of itself when the shop's
// developer lets it. A document that broke off, or one with something behind it,
// holds a buyer's data and is not shown; what follows it is.
func firstWords(body []byte) string {
	at := document.FindIndex(body)
	if at == nil {
		return string(body)
	}
	if before := bytes.TrimSpace(body[:at[0]]); len(before) > 0 {
		return string(before)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	var whole json.RawMessage
	if dec.Decode(&whole) != nil {
		return ""
	}
	behind := body[dec.InputOffset():]
	if at := document.FindIndex(behind); at != nil {
		behind = behind[:at[0]]
	}
	return string(behind)
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
	return string(body[from : from+len(title)])
}

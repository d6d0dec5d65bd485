package magento

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// The parameters that are read of an error. Magento's own have at most a
// handful, of a few words each.
const (
	maxParameters = 32
	maxName       = 64
	maxValue      = 500
)

// parameter is what stands for %name in a message.
type parameter struct{ name, value string }

// readParameters reads the items of a list as %1, %2 and those of an object under
// their names, in the order in which fill tries them: longer names first, so that
// %fieldName is not taken for %field and a rest. No more than maxParameters are
// read, however many there are.
func readParameters(raw json.RawMessage) []parameter {
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil || open != json.Delim('[') && open != json.Delim('{') {
		return nil
	}
	var found []parameter
	for len(found) < maxParameters && dec.More() {
		name := strconv.Itoa(len(found) + 1)
		if open == json.Delim('{') {
			token, err := dec.Token()
			if err != nil {
				break
			}
			name, _ = token.(string)
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			break
		}
		found = append(found, parameter{name, scalar(value)})
	}
	slices.SortStableFunc(found, func(a, b parameter) int { return cmp.Compare(len(b.name), len(a.name)) })
	return slices.DeleteFunc(found, func(p parameter) bool { return p.name == "" || len(p.name) > maxName })
}

// scalar is a value as the shop's front end prints it; what is no scalar stays
// JSON.
func scalar(raw json.RawMessage) string {
	text := string(raw)
	switch {
	case text == "null":
		return ""
	case raw[0] == '"':
		if json.Unmarshal(raw, &text) != nil {
			return ""
		}
	}
	return strings.ToValidUTF8(text[:min(len(text), maxValue)], "")
}

// fill replaces %1, %2 and %name by the parameters, as Magento's own front end
// does. What it makes has at most most bytes, and it looks at no more of the
// message: of %1%1%1… with a long first parameter nothing else is bounded.
func fill(message string, with []parameter, most int) string {
	message = message[:min(len(message), most)]
	var out strings.Builder
	for message != "" && out.Len() < most {
		before, rest, found := strings.Cut(message, "%")
		out.WriteString(before)
		if !found {
			break
		}
		message = rest
		i := slices.IndexFunc(with, func(p parameter) bool { return strings.HasPrefix(rest, p.name) })
		if i < 0 {
			out.WriteByte('%')
			continue
		}
		message = rest[len(with[i].name):]
		out.WriteString(with[i].value)
	}
	return out.String()[:min(out.Len(), most)]
}

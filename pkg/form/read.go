package form

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"towpath/pkg/policy"
)

// Rows bounds the rows of a map that a form may send.
const Rows = 500

// Read is the JSON that a form means, for policy.Parse to judge: what is typed wrong
// stays as it was typed. A setting that the form does not have is as in base.
func Read(values url.Values, base policy.Policy) []byte {
	r := reader{values: values}
	return r.object("", policy.Fields(), func(name string) json.RawMessage { return policy.Value(base, name) })
}

type reader struct{ values url.Values }

// object writes fields as a JSON object. A key that is given twice is written twice:
// Parse says so.
func (r reader) object(prefix string, fields []policy.Field, otherwise func(string) json.RawMessage) []byte {
	var out bytes.Buffer
	for _, f := range fields {
		value := otherwise(f.Name)
		if r.has(prefix + f.Name) {
			value = r.value(prefix, f, value)
		}
		if value != nil {
			entry(&out, f.Name, value)
		}
	}
	return braces(out)
}

// has reports whether the form has a setting, or a part of one.
func (r reader) has(name string) bool {
	for key := range r.values {
		if key == name || strings.HasPrefix(key, name+".") {
			return true
		}
	}
	return false
}

// text is the last value of an input: a checkbox stands behind its hidden "false".
func (r reader) text(name string) string {
	all := r.values[name]
	if len(all) == 0 {
		return ""
	}
	return strings.TrimSpace(all[len(all)-1])
}

func (r reader) value(prefix string, f policy.Field, was json.RawMessage) json.RawMessage {
	name := prefix + f.Name
	text := r.text(name)
	switch {
	case f.Kind == policy.Nested:
		return r.object(name+".", f.Fields, func(nested string) json.RawMessage { return fieldOf(was, nested) })
	case f.Kind.ByKey():
		return r.byKey(name, f.Kind)
	case f.Kind == policy.Tracking:
		return r.tracking(name)
	case f.Kind == policy.IDs:
		return ids(text)
	case text == "":
		return nil // its default
	case f.Kind == policy.Switch:
		return boolean(text)
	case f.Kind == policy.Days:
		return number(text)
	case f.Kind == policy.Currency:
		return currency(text)
	}
	return quoted(text)
}

// byKey writes the rows that have a value; a text may be empty.
func (r reader) byKey(name string, kind policy.Kind) json.RawMessage {
	var out bytes.Buffer
	for i := range Rows {
		row := name + "." + strconv.Itoa(i)
		if !r.has(row) {
			break
		}
		key, value := r.text(row+".key"), r.text(row+".value")
		if value == "" && (kind != policy.TextByKey || key == "") {
			continue
		}
		switch {
		case kind == policy.DaysByKey:
			entry(&out, key, number(value))
		case kind == policy.BankByKey && value == leftOpen:
			entry(&out, key, json.RawMessage("null"))
		default:
			entry(&out, key, quoted(value))
		}
	}
	return braces(out)
}

// tracking reads options as they are offered, or as "Category: Option".
func (r reader) tracking(name string) json.RawMessage {
	var all []json.RawMessage
	for i := range trackingSlots {
		text := r.text(name + "." + strconv.Itoa(i))
		switch {
		case text == "":
		case json.Valid([]byte(text)) && strings.HasPrefix(text, "{"):
			all = append(all, json.RawMessage(text))
		default:
			category, option, _ := strings.Cut(text, ":")
			all = append(all, encode(policy.TrackingOption{Name: strings.TrimSpace(category), Option: strings.TrimSpace(option)}))
		}
	}
	if all == nil {
		return json.RawMessage("[]")
	}
	return encode(all)
}

func ids(text string) json.RawMessage {
	all := []json.RawMessage{}
	for _, id := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
		all = append(all, number(id))
	}
	return encode(all)
}

func boolean(text string) json.RawMessage {
	if text == "true" || text == "false" {
		return json.RawMessage(text)
	}
	return quoted(text)
}

// number is a whole number; what is none stays a text, which Parse refuses.
func number(text string) json.RawMessage {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return json.RawMessage(strconv.FormatInt(n, 10))
	}
	return quoted(text)
}

// currency is a code, or "1=GBP, 2=EUR" by website.
func currency(text string) json.RawMessage {
	if !strings.Contains(text, "=") {
		return quoted(strings.ToUpper(text))
	}
	var out bytes.Buffer
	for part := range strings.SplitSeq(text, ",") {
		website, code, _ := strings.Cut(part, "=")
		entry(&out, strings.TrimSpace(website), quoted(strings.ToUpper(strings.TrimSpace(code))))
	}
	return braces(out)
}

func entry(out *bytes.Buffer, name string, value json.RawMessage) {
	if out.Len() > 0 {
		out.WriteByte(',')
	}
	out.Write(quoted(name))
	out.WriteByte(':')
	out.Write(value)
}

func braces(out bytes.Buffer) json.RawMessage { return []byte("{" + out.String() + "}") }

func quoted(text string) json.RawMessage { return encode(text) }

func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // unreachable: texts, and JSON that was looked at
	}
	return raw
}

func fieldOf(raw json.RawMessage, name string) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return nil
	}
	return fields[name]
}

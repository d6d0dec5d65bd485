package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// object is a JSON object that is read field by field. What is wrong with a
// field is noted in errs under its full name, and the field keeps its default.
type object struct {
	prefix string // "b2c_consolidation." inside that object
	fields map[string]json.RawMessage
	errs   *[]FieldError
}

// newObject splits raw into its fields, which must each be given once.
func newObject(raw []byte, prefix string, errs *[]FieldError) (object, error) {
	o := object{prefix: prefix, fields: map[string]json.RawMessage{}, errs: errs}
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil {
		return o, err
	}
	if open != json.Delim('{') {
		return o, errors.New("not an object")
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return o, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return o, err
		}
		name := key.(string)
		if _, twice := o.fields[name]; twice {
			o.fail(name, InvalidFormat, "is given twice; keep one")
		}
		o.fields[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return o, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return o, errors.New("more follows after the object")
	}
	return o, nil
}

func (o object) fail(name, code, message string, args ...any) {
	*o.errs = append(*o.errs, FieldError{Field: o.prefix + name, Code: code, Message: fmt.Sprintf(message, args...)})
}

// take hands out a field once; null is as good as absent.
func (o object) take(name string) (json.RawMessage, bool) {
	raw, ok := o.fields[name]
	delete(o.fields, name)
	return raw, ok && string(raw) != "null"
}

// rest notes the fields that nobody took.
func (o object) rest() {
	for name := range o.fields {
		o.fail(shown(name), UnknownField, "there is no such setting; check its spelling or remove it")
	}
}

func (o object) bool(name string, to *bool) {
	if raw, ok := o.take(name); ok && json.Unmarshal(raw, to) != nil {
		o.fail(name, InvalidFormat, "write true or false")
	}
}

func (o object) int(name string, to *int, low, high int) {
	raw, ok := o.take(name)
	if !ok {
		return
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && (n < int64(low) || n > int64(high)):
		o.fail(name, OutOfRange, "write a number from %d to %d", low, high)
	case err != nil:
		o.fail(name, InvalidFormat, "write a whole number from %d to %d", low, high)
	default:
		*to = int(n)
	}
}

// string reads a text; ok is false where there is none or it is no text.
func (o object) string(name string) (s string, ok bool) {
	raw, ok := o.take(name)
	if !ok {
		return "", false
	}
	if json.Unmarshal(raw, &s) != nil {
		o.fail(name, InvalidFormat, "write a text in quotes")
		return "", false
	}
	return s, true
}

// text reads one line of at most max characters without spaces at its ends.
func (o object) text(name string, to *string, max int) {
	s, ok := o.string(name)
	switch {
	case !ok:
	case utf8.RuneCountInString(s) > max:
		o.fail(name, OutOfRange, "write at most %d characters", max)
	case strings.TrimSpace(s) != s, strings.ContainsFunc(s, unicode.IsControl):
		o.fail(name, InvalidFormat, "remove spaces at the ends, line breaks and control characters")
	default:
		*to = s
	}
}

// optional reads a text of which the empty one means none.
func (o object) optional(name string, to **string, max int) {
	var s string
	if o.text(name, &s, max); s != "" {
		*to = &s
	}
}

// required reads a text that may not be empty or absent.
func (o object) required(name string, to *string, max int) {
	before := len(*o.errs)
	o.text(name, to, max)
	if *to == "" && len(*o.errs) == before {
		o.fail(name, InvalidFormat, "write a text that is not empty")
	}
}

func (o object) choice(name string, to *string, choices ...string) {
	s, ok := o.string(name)
	if !ok {
		return
	}
	for _, choice := range choices {
		if s == choice {
			*to = s
			return
		}
	}
	o.fail(name, OutOfRange, "write one of %s", strings.Join(choices, ", "))
}

// amount reads a number, or a text with one, from zero to high.
func (o object) amount(name string, to *decimal.Decimal, high decimal.Decimal, decimals int32) {
	raw, ok := o.take(name)
	if !ok {
		return
	}
	text := string(raw)
	if raw[0] == '"' {
		text = text[1 : len(text)-1]
	}
	d, err := decimal.NewFromString(text)
	switch {
	case err != nil || len(text) > 30 || d.Exponent() > 15 || d.Exponent() < -30:
		o.fail(name, InvalidFormat, "write an amount such as \"0.05\"")
	case d.IsNegative() || d.GreaterThan(high):
		o.fail(name, OutOfRange, "write an amount from 0 to %s", high)
	case !d.Equal(d.Truncate(decimals)):
		o.fail(name, OutOfRange, "write at most %d decimals", decimals)
	default:
		*to = d.Truncate(decimals)
	}
}

// object reads a nested object; ok is false where there is none.
func (o object) object(name string) (nested object, ok bool) {
	raw, ok := o.take(name)
	if !ok {
		return object{}, false
	}
	nested, err := newObject(raw, o.prefix+name+".", o.errs)
	if err != nil {
		o.fail(name, InvalidFormat, "write an object in curly brackets")
	}
	return nested, err == nil
}

// list reads an array; ok is false where there is none.
func (o object) list(name string) (entries []json.RawMessage, ok bool) {
	raw, ok := o.take(name)
	if !ok {
		return nil, false
	}
	if json.Unmarshal(raw, &entries) != nil {
		o.fail(name, InvalidFormat, "write a list in square brackets")
		return nil, false
	}
	return entries, true
}

// shown is a name as it may stand in an answer: one line, not endless, not empty.
func shown(name string) string {
	runes := []rune(CleanName(name))
	switch {
	case len(runes) == 0:
		return "(empty)"
	case len(runes) > 60:
		return string(runes[:60]) + "…"
	}
	return string(runes)
}

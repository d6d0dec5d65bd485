package xero

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"towpath/pkg/foreign"
)

// The types of this file read Xero's answers, which are looser than its
// published spec: numbers and booleans may come as strings, a missing object
// as [], a date as /Date(ms+0000)/ or as ISO 8601 without a zone.

const zeroGUID = "00000000-0000-0000-0000-000000000000"

// text is a string that may come as a number or a boolean; null and
// containers are empty.
type text string

// maxText is above the longest field that Xero has, a line's description.
const maxText = 16_000

func (t *text) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		if len(s) > maxText {
			s = foreign.Text(s, maxText)
		}
		*t = text(s)
	case 'n', '[', '{':
		*t = ""
	default:
		*t = text(raw)
	}
	return nil
}

// amount is a decimal that may come as a string; empty, null and what is no
// amount of money are absent.
type amount struct{ decimal.NullDecimal }

func (a *amount) UnmarshalJSON(raw []byte) error {
	var t text
	if err := t.UnmarshalJSON(raw); err != nil {
		return err
	}
	d, err := decimal.NewFromString(string(t))
	if err == nil && d.Exponent() >= -maxExponent && d.Exponent() <= maxExponent && len(t) <= 4*maxExponent {
		a.Decimal, a.Valid = d, true
	}
	return nil
}

// maxExponent keeps 1e999999999 from being written out in a comparison.
const maxExponent = 20

// flag is a boolean that may come as "true".
type flag bool

func (f *flag) UnmarshalJSON(raw []byte) error {
	*f = flag(strings.EqualFold(strings.Trim(string(raw), `"`), "true"))
	return nil
}

// list is an array; null and {} are empty.
type list[T any] []T

func (l *list[T]) UnmarshalJSON(raw []byte) error {
	if *l = nil; raw[0] != '[' {
		return nil
	}
	*l = list[T]{} // empty is not unknown
	// One by one: [{},{},…] would take a hundred times its length.
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		if len(*l) == maxEntries {
			return fmt.Errorf("a list has more than %d entries", maxEntries)
		}
		var entry T
		if err := dec.Decode(&entry); err != nil {
			return err
		}
		*l = append(*l, entry)
	}
	return nil
}

// maxEntries is above all that one answer lists.
const maxEntries = 10_000

// object is an object; null and [] are the zero value.
type object[T any] struct{ Value T }

func (o *object[T]) UnmarshalJSON(raw []byte) error {
	if raw[0] != '{' {
		return nil
	}
	return json.Unmarshal(raw, &o.Value)
}

// day is a calendar day, YYYY-MM-DD, or empty. Xero gives the days of documents
// as midnight UTC.
type day string

var msDate = regexp.MustCompile(`^/Date\((-?\d{1,15})([+-]\d{4})?\)/$`)

func (d *day) UnmarshalJSON(raw []byte) error {
	var t text
	if err := t.UnmarshalJSON(raw); err != nil {
		return err
	}
	*d = ""
	if m := msDate.FindStringSubmatch(string(t)); m != nil {
		ms, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return err
		}
		*d = day(time.UnixMilli(ms).UTC().Format(time.DateOnly))
	} else if len(t) >= len(time.DateOnly) {
		if _, err := time.Parse(time.DateOnly, string(t[:len(time.DateOnly)])); err == nil {
			*d = day(t[:len(time.DateOnly)])
		}
	}
	return nil
}

// outcome is what Xero says about one element of a batch.
type outcome struct {
	HasErrors           flag `json:"HasErrors"`
	HasValidationErrors flag `json:"HasValidationErrors"`
	StatusAttribute     text `json:"StatusAttributeString"`
}

// saved reports whether the element exists now. An id alone does not say so:
// elements with errors carry the zero GUID, or are echoed with none.
func (o outcome) saved(id text) bool {
	return id != "" && id != zeroGUID && !bool(o.HasErrors) && !bool(o.HasValidationErrors) &&
		!strings.EqualFold(string(o.StatusAttribute), "ERROR")
}

// complaints gathers every ValidationErrors of a JSON text, each with the place
// it stands at ("LineItems[3]: ..."), without repetitions. Xero writes the text
// as Message; some answers as Description. There are at most maxComplaints of at
// most maxComplaint bytes, however deep the text nests and however long its names.
func complaints(raw []byte) []string {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree any
	if dec.Decode(&tree) != nil {
		return nil
	}
	var found []string
	seen := map[string]bool{}
	collect(tree, "", func(line string) {
		if line = foreign.Text(line, maxComplaint); !seen[line] && len(found) < maxComplaints {
			seen[line] = true
			found = append(found, line)
		}
	})
	return found
}

const (
	maxComplaints = 100
	maxComplaint  = 1000
	maxPlace      = 200
)

func collect(node any, place string, add func(string)) {
	place = place[:min(len(place), maxPlace)]
	switch n := node.(type) {
	case []any:
		for i, child := range n {
			collect(child, place+"["+strconv.Itoa(i)+"]", add)
		}
	case map[string]any:
		for _, message := range messagesOf(n["ValidationErrors"]) {
			add(labelled(place, message))
		}
		for _, key := range sortedKeys(n) {
			if key != "ValidationErrors" && key != "Warnings" {
				collect(n[key], join(place, key), add)
			}
		}
	}
}

func messagesOf(errors any) []string {
	items, _ := errors.([]any)
	var texts []string
	for _, item := range items {
		fields, _ := item.(map[string]any)
		for _, key := range []string{"Message", "Description"} {
			if s, ok := fields[key].(string); ok && clip(s, maxComplaint) != "" {
				texts = append(texts, clip(s, maxComplaint))
				break
			}
		}
	}
	return texts
}

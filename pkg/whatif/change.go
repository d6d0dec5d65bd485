package whatif

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Kind is what a difference is about.
type Kind string

// The kinds of difference.
const (
	Decision   Kind = "decision"    // it would be written, left out or held, where it was not; or left out for another reason
	HoldReason Kind = "hold_reason" // held either way, and for something else
	Contact    Kind = "contact"     // whom it is booked on, and as what
	Lines      Kind = "lines"
	Totals     Kind = "totals"
	Header     Kind = "document" // number, dates, status and the like
	Money      Kind = "payment"  // a payment, or what goes back for a credit memo
	Item       Kind = "item"
)

// Kinds are all of them, in the order in which they are told.
func Kinds() []Kind {
	return []Kind{Decision, HoldReason, Contact, Lines, Totals, Header, Money, Item}
}

// Change is one difference of one document.
type Change struct {
	Kind Kind `json:"kind"`
	// Line counts from 1, in the document as it would be, or as it is where the line
	// goes away; 0: not of a line.
	Line   int    `json:"line"`
	Field  string `json:"field"`  // as the provider names it; empty: the whole line
	Before string `json:"before"` // empty: not there
	After  string `json:"after"`
}

// bodies compares two bodies of one wire. The rows of a document are its arrays of
// objects.
func bodies(kind Kind, before, after json.RawMessage) ([]Change, error) {
	a, err := inner(before)
	if err != nil {
		return nil, err
	}
	b, err := inner(after)
	if err != nil {
		return nil, err
	}
	return objects(kind, 0, "", a, b), nil
}

// inner is the document without the object and the list that it is sent in.
func inner(body json.RawMessage) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("decode body: %w", err)
	}
	for {
		switch w := v.(type) {
		case []any:
			if len(w) != 1 {
				return nil, fmt.Errorf("decode body: %d documents", len(w))
			}
			v = w[0]
			continue
		case map[string]any:
			if len(w) == 1 {
				for _, v = range w {
				}
				if _, scalar := v.(map[string]any); scalar || isList(v) {
					continue
				}
			}
			return w, nil
		}
		return nil, fmt.Errorf("decode body: no object")
	}
}

func isList(v any) bool {
	_, ok := v.([]any)
	return ok
}

// objects compares field by field, nested objects by their path.
func objects(kind Kind, line int, path string, a, b map[string]any) []Change {
	names := slices.Sorted(maps.Keys(b))
	for name := range a {
		if _, ok := b[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var all []Change
	for _, name := range names {
		all = append(all, values(kind, line, path+name, a[name], b[name])...)
	}
	return all
}

func values(kind Kind, line int, path string, a, b any) []Change {
	am, aObject := a.(map[string]any)
	bm, bObject := b.(map[string]any)
	if aObject && bObject {
		return objects(kind, line, path+".", am, bm)
	}
	if line == 0 && (rows(a) || rows(b)) {
		as, _ := a.([]any)
		bs, _ := b.([]any)
		return tables(as, bs)
	}
	before, after := shown(a), shown(b)
	if before == after {
		return nil
	}
	return []Change{{Kind: kind, Line: line, Field: path, Before: before, After: after}}
}

// rows reports whether v is a list of objects.
func rows(v any) bool {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return false
	}
	_, ok = list[0].(map[string]any)
	return ok
}

// shown is a value for people: a text without its quotes, nothing where there is none.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // unreachable: it was decoded from JSON
	}
	return string(bytes.TrimSpace(out.Bytes()))
}

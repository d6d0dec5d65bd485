package policy

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// Change is a setting that differs between two policies, named as in a FieldError:
// entries of maps are told one by one, lists as a whole. A side that is nil does not
// have the entry; null is a value.
type Change struct {
	Field  string          `json:"field"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

func (c Change) String() string {
	side := func(value json.RawMessage) string {
		if value == nil {
			return "none"
		}
		return string(value)
	}
	return c.Field + ": " + side(c.Before) + " -> " + side(c.After)
}

// Changes are the settings that differ, ordered by field.
func Changes(before, after Policy) []Change {
	was, is := flat(before), flat(after)
	names := slices.Collect(maps.Keys(was))
	for name := range is {
		if _, both := was[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	changes := []Change{}
	for _, name := range names {
		if !bytes.Equal(was[name], is[name]) {
			changes = append(changes, Change{Field: name, Before: was[name], After: is[name]})
		}
	}
	return changes
}

// flat are a policy's settings by their full names.
func flat(p Policy) map[string]json.RawMessage {
	to := map[string]json.RawMessage{}
	flatten(fieldsOf(Encode(p)), "", to)
	return to
}

func flatten(fields map[string]json.RawMessage, prefix string, to map[string]json.RawMessage) {
	for name, value := range fields {
		if nested := fieldsOf(value); nested != nil {
			flatten(nested, prefix+name+".", to)
			continue
		}
		var line bytes.Buffer
		if err := json.Compact(&line, value); err != nil {
			panic(err) // unreachable: it is a part of what Encode wrote
		}
		to[prefix+name] = line.Bytes()
	}
}

// Dropped names the settings that before sets and that raw, which Parse has read, does
// not name: they would go back to their defaults. A map that raw names is replaced as
// it says.
func Dropped(raw []byte, before Policy) []string {
	names := []string{}
	given := fieldsOf(bytes.TrimPrefix(raw, []byte("\ufeff")))
	dropped(given, fieldsOf(Encode(before)), fieldsOf(Encode(Default())), "", &names)
	slices.Sort(names)
	return names
}

func dropped(given, was, unset map[string]json.RawMessage, prefix string, names *[]string) {
	for name, otherwise := range unset {
		value, named := given[name]
		switch {
		case !named && !bytes.Equal(was[name], otherwise):
			*names = append(*names, prefix+name)
		case named && len(fieldsOf(otherwise)) > 0 && fieldsOf(value) != nil:
			dropped(fieldsOf(value), fieldsOf(was[name]), fieldsOf(otherwise), prefix+name+".", names)
		}
	}
}

// fieldsOf are the fields of a JSON object; nil of anything else.
func fieldsOf(raw json.RawMessage) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return nil
	}
	return fields
}

// Merge is current with what mine changes of base: two people who began with the same
// settings and changed different ones both have their way, and where they changed the same
// one mine has. It is JSON for Parse.
func Merge(base, mine, current Policy) []byte {
	merged, err := json.Marshal(merge(fieldsOf(Encode(base)), fieldsOf(Encode(mine)), fieldsOf(Encode(current))))
	if err != nil {
		panic(err) // unreachable: it is made of parts of what Encode wrote
	}
	return merged
}

func merge(base, mine, current map[string]json.RawMessage) map[string]json.RawMessage {
	merged := maps.Clone(current)
	for name := range base {
		if _, kept := mine[name]; !kept {
			delete(merged, name)
		}
	}
	for name, value := range mine {
		was, is := fieldsOf(base[name]), fieldsOf(value)
		now, there := current[name]
		switch {
		case bytes.Equal(base[name], value):
		case was != nil && is != nil && there && fieldsOf(now) != nil:
			nested, err := json.Marshal(merge(was, is, fieldsOf(now)))
			if err != nil {
				panic(err) // unreachable, as above
			}
			merged[name] = nested
		default:
			merged[name] = value
		}
	}
	return merged
}

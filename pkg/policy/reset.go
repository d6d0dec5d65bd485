package policy

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// Reset names the settings that before sets and after has at their defaults.
func Reset(before, after Policy) []string {
	was, is, unset := fieldsOf(before), fieldsOf(after), fieldsOf(Default())
	names := []string{}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if bytes.Equal(is[name], unset[name]) && !bytes.Equal(was[name], unset[name]) {
			names = append(names, name)
		}
	}
	return names
}

// fieldsOf are a policy's fields as they are encoded.
func fieldsOf(p Policy) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(Encode(p), &fields); err != nil {
		panic(err) // unreachable: it is what Encode wrote
	}
	return fields
}

package form

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"towpath/pkg/policy"
)

// leftOpen is the value of a payment method whose invoices are not paid; in the
// settings it is null. No account has it for an id.
const leftOpen = "null"

// trackingSlots are the ledger's most per line.
const trackingSlots = 2

// Values are what a form of p would send.
func Values(p policy.Policy) url.Values {
	values := url.Values{}
	write(values, "", policy.Fields(), json.RawMessage(policy.Encode(p)))
	return values
}

func write(values url.Values, prefix string, fields []policy.Field, of json.RawMessage) {
	for _, f := range fields {
		name, raw := prefix+f.Name, fieldOf(of, f.Name)
		switch {
		case f.Kind == policy.Nested:
			write(values, name+".", f.Fields, raw)
		case f.Kind.ByKey():
			rows(values, name, raw)
		case f.Kind == policy.Tracking:
			var all []json.RawMessage
			_ = json.Unmarshal(raw, &all) // of Encode: a list
			for i, option := range all {
				var t policy.TrackingOption
				_ = json.Unmarshal(option, &t)
				values.Set(name+"."+strconv.Itoa(i), string(encode(t)))
			}
			values.Set(name, "")
		default:
			values.Set(name, plain(raw))
		}
	}
}

func rows(values url.Values, name string, raw json.RawMessage) {
	var entries map[string]json.RawMessage
	_ = json.Unmarshal(raw, &entries) // of Encode: an object
	for i, key := range slices.Sorted(maps.Keys(entries)) {
		row := name + "." + strconv.Itoa(i)
		value := plain(entries[key])
		if string(entries[key]) == "null" {
			value = leftOpen
		}
		values.Set(row+".key", key)
		values.Set(row+".value", value)
	}
	values.Set(name, "")
}

// plain is a value as a person types it: null and nothing are empty, a list has commas.
func plain(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return ""
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		var list []json.RawMessage
		_ = json.Unmarshal(raw, &list)
		var all []string
		for _, each := range list {
			all = append(all, plain(each))
		}
		return strings.Join(all, ", ")
	case map[string]any:
		var pairs []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, key+"="+plain(fieldOf(raw, key)))
		}
		return strings.Join(pairs, ", ")
	}
	return string(raw)
}

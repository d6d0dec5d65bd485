package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxSettings is more than any shop's settings take.
const maxSettings = 256 << 10

// Parse reads settings as a merchant saves them. An absent field, or null, has
// its default. All faults are told at once, ordered by field; where there is one
// the policy is not to be used. The error is for what is no JSON object at all.
func Parse(raw []byte) (Policy, []FieldError, error) {
	p := Default()
	if len(raw) > maxSettings {
		return p, nil, fmt.Errorf("parse policy: larger than %d bytes", maxSettings)
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff")) // editors write a byte order mark
	if !json.Valid(raw) {
		return p, nil, fmt.Errorf("parse policy: %w", syntaxError(raw))
	}
	errs := []FieldError{}
	o, err := newObject(raw, "", &errs)
	if err != nil {
		return p, nil, fmt.Errorf("parse policy: %w", err)
	}
	for _, f := range Fields() {
		f.read(o, &p)
	}
	o.rest()
	slices.SortStableFunc(errs, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	if len(errs) == 0 {
		return p, nil, nil
	}
	return p, errs, nil
}

// Encode is the whole effective policy, defaults included, in a stable order;
// Parse gives p back.
func Encode(p Policy) []byte {
	p.WebsiteFilter = orEmpty(p.WebsiteFilter)
	p.StoreFilter = orEmpty(p.StoreFilter)
	p.Tracking = orEmpty(p.Tracking)
	p.TaxRateMap = orEmptyMap(p.TaxRateMap)
	p.PaymentTermsByGroup = orEmptyMap(p.PaymentTermsByGroup)
	p.NumberPrefixByStore = orEmptyMap(p.NumberPrefixByStore)
	p.PaymentMethodMap = orEmptyMap(p.PaymentMethodMap)
	p.V2ItemTypeMap = orEmptyMap(p.V2ItemTypeMap)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(p); err != nil {
		panic(err) // unreachable for a policy that came from Parse or Default
	}
	return out.Bytes()
}

// readSince takes a moment, or a day for its midnight in UTC.
func readSince(o object, name string, to **time.Time) {
	s, ok := o.string(name)
	if !ok {
		return
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil && at.UTC().Year() >= 1970 && at.UTC().Year() <= 9999 {
			utc := at.UTC()
			*to = &utc
			return
		}
	}
	o.fail(name, InvalidFormat, "write a date such as 2026-04-01, or 2026-04-01T00:00:00Z")
}

// syntaxError says where raw stops being JSON.
func syntaxError(raw []byte) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return errors.New("line 1, column 1: there is nothing; settings are a JSON object, at least {}")
	}
	var anything any
	err := json.Unmarshal(raw, &anything)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset < 1 || syntax.Offset > int64(len(raw)) {
		return errors.New("not valid JSON")
	}
	before := raw[:syntax.Offset-1]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	if at := raw[syntax.Offset-1]; at == '/' || at == '#' {
		return fmt.Errorf("line %d, column %d: JSON has no comments; take it out", line, column)
	}
	return fmt.Errorf("line %d, column %d: %w", line, column, syntax)
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func orEmptyMap[T any](m map[string]T) map[string]T {
	if m == nil {
		return map[string]T{}
	}
	return m
}

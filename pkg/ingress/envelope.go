package ingress

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"
)

// maxDepth is how deep a body may nest; the shop's nest once. Postgres' own
// parser gives up far beyond, and would do so at every attempt.
const maxDepth = 64

// envelope is what is read of a webhook's body. The body itself is stored as it
// came, unknown fields and all, without characters that nobody sees.
type envelope struct {
	EntityID   int64
	WebsiteID  int64 // 0 where the shop does not say
	StoreID    int64
	OccurredAt time.Time
}

// decodeEnvelope reads a body. Its errors are one short sentence for the
// merchant and show nothing of the body.
//
// The fields' names are exact (encoding/json alone would fold their case), and
// a field that comes twice is refused: which one was meant cannot be told.
func decodeEnvelope(body []byte) (envelope, error) {
	if !utf8.Valid(body) {
		return envelope{}, errors.New("the body is not UTF-8")
	}
	if tooDeep(body) {
		return envelope{}, fmt.Errorf("the body nests deeper than %d levels", maxDepth)
	}
	fields, err := readFields(body)
	if err != nil {
		return envelope{}, err
	}
	var e envelope
	if e.EntityID, err = integer(fields, "magento_entity_id"); err != nil {
		return envelope{}, err
	}
	if e.EntityID <= 0 {
		return envelope{}, errors.New("magento_entity_id is missing or not above 0")
	}
	if e.WebsiteID, err = integer(fields, "website_id"); err != nil {
		return envelope{}, err
	}
	if e.StoreID, err = integer(fields, "store_id"); err != nil {
		return envelope{}, err
	}
	if e.WebsiteID < 0 || e.StoreID < 0 {
		return envelope{}, errors.New("website_id or store_id is below 0")
	}
	if e.OccurredAt, err = moment(fields["occurred_at"]); err != nil {
		return envelope{}, err
	}
	return e, checkPayload(fields["payload"])
}

// readFields reads one object and nothing behind it; it keeps the fields that
// are looked at. A null is an absent field.
func readFields(body []byte) (map[string]json.RawMessage, error) {
	fields := map[string]json.RawMessage{
		"magento_entity_id": nil, "website_id": nil, "store_id": nil, "occurred_at": nil, "payload": nil,
	}
	seen := make(map[string]bool, len(fields))
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("the body is not a JSON object")
	}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errors.New("the body is not valid JSON")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errors.New("the body is not valid JSON")
		}
		if _, wanted := fields[name]; !wanted {
			continue
		}
		if seen[name] {
			return nil, fmt.Errorf("%s comes twice", name)
		}
		seen[name] = true
		if string(value) != "null" {
			fields[name] = value
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("the body is not valid JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return fields, nil
}

// integer reads a whole number, or the text of one as PHP may send it; 0 where
// the field is absent.
func integer(fields map[string]json.RawMessage, name string) (int64, error) {
	raw := fields[name]
	if raw == nil {
		return 0, nil
	}
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return 0, fmt.Errorf("%s is not an integer", name)
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || text[0] == '+' {
		return 0, fmt.Errorf("%s is not an integer", name)
	}
	return n, nil
}

func moment(raw json.RawMessage) (time.Time, error) {
	var text string
	if raw == nil || json.Unmarshal(raw, &text) != nil {
		return time.Time{}, errors.New("occurred_at is missing or not a text")
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errors.New("occurred_at is not a time such as 2026-04-29T10:11:12Z")
	}
	// An offset may carry a time over either end; RFC 3339 cannot write it then.
	if at = at.UTC(); at.Year() < 1 || at.Year() > 9999 {
		return time.Time{}, errors.New("occurred_at is not within the years 1 to 9999 in UTC")
	}
	return at, nil
}

// checkPayload accepts an object, PHP's empty array for one, or nothing.
func checkPayload(raw json.RawMessage) error {
	var list []json.RawMessage
	switch {
	case raw == nil, raw[0] == '{':
		return nil
	case raw[0] == '[' && json.Unmarshal(raw, &list) == nil && len(list) == 0:
		return nil
	}
	return errors.New("payload is not an object")
}

// tooDeep counts brackets outside of strings; it need not know valid JSON.
func tooDeep(body []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

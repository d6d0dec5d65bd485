package shopjwt

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// exact reads a JSON object by its members' exact names; encoding/json alone takes
// ISS for iss. A name that comes twice is refused: of two, each reader has its
// own.
func exact(raw []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errors.New("not JSON")
		}
		if _, twice := members[name]; twice {
			return nil, errors.New("a name comes twice")
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return nil, errors.New("not JSON")
		}
		members[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("not JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return members, nil
}

// read decodes the members that are there into what into has for them.
func read(members map[string]json.RawMessage, into map[string]any) error {
	for name, target := range into {
		if value, ok := members[name]; ok {
			if err := json.Unmarshal(value, target); err != nil {
				return err
			}
		}
	}
	return nil
}

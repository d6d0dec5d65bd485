package canon

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

func (w *wireInvoice) UnmarshalJSON(raw []byte) error { return decodeExact(raw, w) }
func (w *wireLine) UnmarshalJSON(raw []byte) error    { return decodeExact(raw, w) }
func (w *wireContact) UnmarshalJSON(raw []byte) error { return decodeExact(raw, w) }
func (w *wireAddress) UnmarshalJSON(raw []byte) error { return decodeExact(raw, w) }

// decodeExact fills the fields of the struct behind into, each from the key
// that is its json tag to the letter. Package json alone would take Grand_Total
// for grand_total too, and let the last of both win: another document than the
// one that every other reader sees.
func decodeExact(raw []byte, into any) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return fmt.Errorf("%s where an object is expected", wrong.Value)
		}
		return err
	}
	fields := reflect.ValueOf(into).Elem()
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Tag.Get("json")
		value, found := keys[name]
		if !found {
			continue
		}
		if err := json.Unmarshal(value, fields.Field(i).Addr().Interface()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

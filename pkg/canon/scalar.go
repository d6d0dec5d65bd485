package canon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/shopspring/decimal"
)

const (
	maxAmountText = 48     // characters of a number; parsing longer ones costs time
	maxInteger    = 15     // integer digits of an amount
	maxDecimals   = 350    // of an amount as sent: the smallest float, 5e-324, and its digits
	moneyDecimals = 4      // of an amount as kept
	rateDecimals  = 16     // of a rate as kept: what a float holds
	maxEntries    = 10_000 // of a list
)

// Int is an integer of the wire: a JSON number or, as PHP may send it, a
// numeric string.
type Int int64

// UnmarshalJSON accepts 42 and "42"; anything else is an error. null leaves the
// value as it is.
func (i *Int) UnmarshalJSON(raw []byte) error {
	text, ok := unquoted(raw)
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%.40s is not an integer", raw)
	}
	*i = Int(n)
	return nil
}

// amount is money, a quantity or a rate: a number or a numeric string, of a
// size that decimal arithmetic can take. null and "" leave it unset. The shop
// computes in binary floats: of 12.46 + 2.49 - 14.95 it sends
// 1.7763568394002505e-15, which is nothing.
type amount struct {
	decimal.Decimal
	set bool
}

func (a *amount) UnmarshalJSON(raw []byte) error {
	text, ok := unquoted(raw)
	if !ok || text == "" {
		return nil
	}
	if len(text) > maxAmountText {
		return fmt.Errorf("amount %.40s… is too long", text)
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return fmt.Errorf("%.40s is not an amount", raw)
	}
	if !sane(d) {
		return fmt.Errorf("amount %.40s is out of range", raw)
	}
	a.Decimal, a.set = d.Round(rateDecimals), true
	return nil
}

// MarshalJSON writes a JSON number, as the shop does.
func (a amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

// money is the amount with the decimals that the shop's columns hold; what goes
// beyond is the noise of a binary float.
func (a amount) money() decimal.Decimal { return a.Round(moneyDecimals) }

func sane(d decimal.Decimal) bool {
	exp := int(d.Exponent())
	if exp < -maxDecimals || exp > maxInteger {
		return false
	}
	return d.NumDigits()+exp <= maxInteger
}

// text is a string; a shop whose JSON writer turns numeric strings into numbers
// sends 42 for the SKU "42", and PHP's false stands for no text. It is one line:
// control characters are spaces.
type text string

func (t *text) UnmarshalJSON(raw []byte) error {
	if bytes.Equal(raw, []byte("false")) {
		*t = ""
		return nil
	}
	if len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
		*t = text(raw)
		return nil
	}
	if err := json.Unmarshal(raw, (*string)(t)); err != nil {
		return err
	}
	*t = text(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, string(*t)))
	return nil
}

// timestamp is RFC 3339, or MySQL's form, which the shop keeps in UTC.
type timestamp struct{ time.Time }

func (t *timestamp) UnmarshalJSON(raw []byte) error {
	s, ok := unquoted(raw)
	if !ok || s == "" {
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, s); err == nil && at.Year() >= 1970 && at.Year() < 9999 {
			t.Time = at.UTC()
			return nil
		}
	}
	return fmt.Errorf("%.40s is not a time", raw)
}

// list is an array; PHP writes one with a gap in its keys as an object, whose
// values are then taken in the order written.
type list[T any] []T

func (l *list[T]) UnmarshalJSON(raw []byte) error {
	*l = nil
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil {
		return err
	}
	if open != json.Delim('[') && open != json.Delim('{') {
		return fmt.Errorf("%.40s is not a list", raw)
	}
	for dec.More() {
		if len(*l) == maxEntries {
			return fmt.Errorf("a list has more than %d entries", maxEntries)
		}
		if open == json.Delim('{') {
			if _, err := dec.Token(); err != nil {
				return err
			}
		}
		var entry T
		if err := dec.Decode(&entry); err != nil {
			return err
		}
		*l = append(*l, entry)
	}
	return nil
}

// street is the lines of a street: a list, or Magento's own form, one text with
// line breaks.
type street list[text]

func (s *street) UnmarshalJSON(raw []byte) error {
	if raw[0] != '"' {
		return (*list[text])(s).UnmarshalJSON(raw)
	}
	var whole string
	if err := json.Unmarshal(raw, &whole); err != nil {
		return err
	}
	*s = nil
	for line := range strings.Lines(whole) {
		*s = append(*s, text(strings.TrimSpace(line)))
	}
	return nil
}

// object is a JSON object; PHP writes an empty one as [].
type object[T any] struct{ value *T }

func (o *object[T]) UnmarshalJSON(raw []byte) error {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	if raw[0] == '[' {
		var none list[json.RawMessage]
		if err := none.UnmarshalJSON(raw); err != nil {
			return err
		}
		if len(none) > 0 {
			return errors.New("a list stands where an object is expected")
		}
		return nil
	}
	o.value = new(T)
	return json.Unmarshal(raw, o.value)
}

func (o object[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.value) }

// unquoted is the scalar's text without its quotes; false for null.
func unquoted(raw []byte) (string, bool) {
	if bytes.Equal(raw, []byte("null")) {
		return "", false
	}
	if len(raw) > 1 && raw[0] == '"' {
		raw = raw[1 : len(raw)-1]
	}
	return strings.TrimSpace(string(raw)), true
}

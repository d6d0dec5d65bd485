package secret

import (
	"fmt"
	"log/slog"
)

// Redacted is what every print, log and encoding of a String shows.
const Redacted = "[redacted]"

// String is a secret on its way through the program. However it is printed,
// logged or encoded it shows Redacted; only Reveal gives the value.
//
// The value sits behind a function, so that a struct printed with a String in
// an unexported field, whose methods fmt does not call, shows an address. The
// zero value is the empty secret.
type String struct{ value func() string }

// NewString wraps a secret.
func NewString(value string) String {
	return String{value: func() string { return value }}
}

// Reveal is the secret itself, for the one place that needs it.
func (s String) Reveal() string {
	if s.value == nil {
		return ""
	}
	return s.value()
}

// IsEmpty reports whether there is no secret.
func (s String) IsEmpty() bool { return s.Reveal() == "" }

// String shows Redacted.
func (s String) String() string { return Redacted }

// GoString shows Redacted.
func (s String) GoString() string { return Redacted }

// Format shows Redacted whatever the verb.
func (s String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// LogValue shows Redacted.
func (s String) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON shows Redacted.
func (s String) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// MarshalText shows Redacted.
func (s String) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// UnmarshalText takes a secret in, as command line and configuration do.
func (s *String) UnmarshalText(text []byte) error {
	*s = NewString(string(text))
	return nil
}

package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// How much of a body, and of all bodies of an attempt, is kept.
const (
	maxSent   = 64 << 10
	maxAnswer = 16 << 10
	maxBodies = 256 << 10
)

// Body is what was sent or answered. It is kept as JSON where it is JSON, so that
// readers of the table need not take it out of a string.
type Body string

// MarshalJSON writes JSON as it is and anything else as a string.
func (b Body) MarshalJSON() ([]byte, error) {
	if json.Valid([]byte(b)) {
		return []byte(b), nil
	}
	return json.Marshal(string(b))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (b *Body) UnmarshalJSON(raw []byte) error {
	var s string
	if len(raw) > 0 && raw[0] == '"' {
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		*b = Body(s)
		return nil
	}
	*b = Body(raw)
	return nil
}

// cut is at most so much of a body, and says what is missing.
func (b Body) cut(most int) Body {
	if len(b) <= most {
		return b
	}
	kept := string(b[:most])
	for len(kept) > 0 && !utf8.ValidString(kept[max(0, len(kept)-utf8.UTFMax):]) {
		kept = kept[:len(kept)-1]
	}
	return Body(fmt.Sprintf("%s\n… %d bytes in all, cut here", kept, len(b)))
}

// EncodeCalls writes the calls of an attempt as they are stored; nil for none. The bodies
// are bounded: each, and the oldest first in all.
func EncodeCalls(calls []Call) (json.RawMessage, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	kept, left := make([]Call, len(calls)), maxBodies
	for i, c := range calls {
		c.Sent = c.Sent.cut(min(maxSent, left))
		left -= min(len(c.Sent), left)
		c.Answer = c.Answer.cut(min(maxAnswer, left))
		left -= min(len(c.Answer), left)
		kept[i] = c
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // what was sent, not its like
	if err := enc.Encode(kept); err != nil {
		return nil, fmt.Errorf("encode %d calls: %w", len(calls), err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// DecodeCalls reads what EncodeCalls wrote.
func DecodeCalls(stored json.RawMessage) ([]Call, error) {
	var calls []Call
	if err := json.Unmarshal(stored, &calls); err != nil {
		return nil, fmt.Errorf("decode calls: %w", err)
	}
	return calls, nil
}

func withoutQuery(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}

package outbound

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ErrTooLarge is an answer longer than the caller was ready to read.
var ErrTooLarge = errors.New("answer is too large")

// ReadBody reads the whole answer, at most limit bytes after decompression, and
// closes it. With an error it returns what had been read: the answer was cut
// (io.ErrUnexpectedEOF, a reset, a timeout) or is longer (ErrTooLarge).
func ReadBody(resp *http.Response, limit int64) ([]byte, error) {
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return raw, fmt.Errorf("read answer: %w", Redact(err))
	}
	if int64(len(raw)) > limit {
		return raw[:limit], fmt.Errorf("read answer: %w: more than %d bytes", ErrTooLarge, limit)
	}
	return raw, nil
}

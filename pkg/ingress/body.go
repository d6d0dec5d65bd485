package ingress

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"towpath/pkg/foreign"
)

// limitBody bounds how much and for how long is read of a request, from before
// its token is looked at: the server reads on even after a refusal.
func limitBody(x *exchange, patience time.Duration) {
	if x.r.ContentLength == 0 {
		return
	}
	x.r.Body = http.MaxBytesReader(x.w, x.r.Body, maxBody)
	// A server without deadlines (a recorder in a test) reads from memory.
	_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(patience))
}

// checkLength refuses at once what says itself that it is too large.
func checkLength(x *exchange) error {
	if x.r.ContentLength <= maxBody {
		return nil
	}
	// The server is to know, as where the limit is met in reading: then it waits a moment
	// before it closes, and a caller who still sends gets the answer, not a reset.
	_, _ = http.MaxBytesReader(x.w, io.NopCloser(strings.NewReader("more")), 0).Read(make([]byte, 1))
	return tooLarge()
}

func tooLarge() *refusal {
	return refuse(codeBodyTooLarge, "the body is larger than %d KiB", maxBody>>10)
}

// checkType accepts JSON in any charset parameter (bytes that are not UTF-8 are
// refused later) and no encoding.
func checkType(r *http.Request) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if errors.Is(err, mime.ErrInvalidMediaParameter) {
		err = nil
	}
	if err != nil || mediaType != "application/json" {
		return refuse(codeUnsupportedMediaType, "the body must be sent as application/json")
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return refuse(codeUnsupportedMediaType, "the body must be sent without a content encoding")
	}
	return nil
}

// readBody receives the body, without a byte order mark. One that breaks off, stalls or is badly framed is
// the network's fault as far as can be told from here: 503, so that the shop
// sends it again.
func readBody(x *exchange) ([]byte, error) {
	buffer := bytes.NewBuffer(make([]byte, 0, max(512, min(x.r.ContentLength+bytes.MinRead, maxBody))))
	_, err := buffer.ReadFrom(x.r.Body)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, tooLarge()
	}
	if err != nil {
		return nil, refuse(codeBodyIncomplete, "the body did not arrive whole; send it again").because(err)
	}
	return foreign.TrimBOM(buffer.Bytes()), nil
}

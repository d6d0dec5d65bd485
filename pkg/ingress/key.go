package ingress

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// maxKey is the longest Idempotency-Key; the shop's outbox holds 128.
const maxKey = 255

// idempotencyKey is the request's key, if it has the form of one.
func idempotencyKey(r *http.Request) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	switch {
	case len(values) == 0 || values[0] == "":
		return "", refuse(codeMalformedRequest, "the header Idempotency-Key is missing")
	case len(values) > 1:
		return "", refuse(codeMalformedRequest, "the header Idempotency-Key comes twice")
	case len(values[0]) > maxKey:
		return "", refuse(codeMalformedRequest, "the Idempotency-Key is longer than %d characters", maxKey)
	case strings.ContainsFunc(values[0], func(c rune) bool { return c <= ' ' || c > '~' }):
		return "", refuse(codeMalformedRequest, "the Idempotency-Key has characters that are not printable ASCII")
	}
	return values[0], nil
}

// keyContradicts tells what is wrong with a key `{event}:{entity id}` or
// `{event}:{sha1}` for an event and an entity; empty where it fits. If a key that
// names another entity were taken, that entity's own event would be refused
// as a reuse later.
func keyContradicts(key, event string, entityID int64) string {
	rest, ok := strings.CutPrefix(key, event+":")
	if !ok || rest == "" {
		return fmt.Sprintf("the Idempotency-Key does not begin with %q", event+":")
	}
	if id, err := strconv.ParseInt(rest, 10, 64); err == nil && id != entityID {
		return "the Idempotency-Key names another entity than magento_entity_id"
	}
	return ""
}

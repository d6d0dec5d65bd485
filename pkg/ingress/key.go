package ingress

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// maxKey is the longest Idempotency-Key; the shop's outbox holds 128.
const maxKey = 255

// idempotencyKey is the request's key, if it has the form of one. Blanks are left
// to canonicalKey, which knows where they may stand.
func idempotencyKey(r *http.Request) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	switch {
	case len(values) == 0 || values[0] == "":
		return "", refuse(codeMalformedRequest, "the header Idempotency-Key is missing")
	case len(values) > 1:
		return "", refuse(codeMalformedRequest, "the header Idempotency-Key comes twice")
	case len(values[0]) > maxKey:
		return "", refuse(codeMalformedRequest, "the Idempotency-Key is longer than %d characters", maxKey)
	}
	return values[0], nil
}

// spelled finds the whole number in the ways in which software spells one: with a
// plus, with zeros before and behind.
var spelled = regexp.MustCompile(`^\+?0*([1-9][0-9]*)(\.0*)?$`)

// canonicalKey is a key `{event}:{entity id}` with the id as the contract spells
// it, or `{event}:{sha1}` as it is: one event, however a shop's number got its
// form, must not become two. Blanks around the id do not count.
func canonicalKey(key, event string) (string, error) {
	if rest, ok := strings.CutPrefix(key, event+":"); ok {
		rest = strings.Trim(rest, " \t")
		if number := spelled.FindStringSubmatch(rest); number != nil {
			rest = number[1]
		}
		key = event + ":" + rest
	}
	if strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", refuse(codeMalformedRequest, "the Idempotency-Key has characters that are not printable ASCII")
	}
	return key, nil
}

// keyContradicts tells what is wrong with a canonical key for an event and an
// entity; empty where it fits. If a key that names another entity were taken, that
// entity's own event would be refused as a reuse later.
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

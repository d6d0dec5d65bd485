package ingress

import (
	"net/http"
	"slices"
	"strings"

	"towpath/pkg/syncrun"
)

// FromShop reports whether a request that no route takes looks like one of the
// shop's modules. Its address has a wrong prefix or lacks one, because a proxy
// adds or strips it, or the shop was paired with another address: that is mended
// outside, and until then a 404 would dead-letter the event.
func FromShop(r *http.Request) bool {
	segments := strings.FieldsFunc(r.URL.Path, func(c rune) bool { return c == '/' })
	switch r.Method {
	case http.MethodPost:
		return slices.Contains(segments, "webhooks") || astrayEvent(segments) != "" || r.Header.Get("Idempotency-Key") != "" ||
			endsWith(segments, "v1", "tenant", "disconnect")
	case http.MethodGet:
		return endsWith(segments, "v1", "status") || endsWith(segments, "v1", "tile", "health")
	}
	return false
}

// astrayEvent is the event that a path ends with, or empty.
func astrayEvent(segments []string) string {
	if len(segments) > 0 && syncrun.KnownEvent(segments[len(segments)-1]) {
		return segments[len(segments)-1]
	}
	return ""
}

func endsWith(segments []string, last ...string) bool {
	return len(segments) >= len(last) && slices.Equal(segments[len(segments)-len(last):], last)
}

// astray answers what came under a wrong address. It asks nobody: whoever sends
// it has proven nothing.
func (in *Ingress) astray(x *exchange) (reply, error) {
	x.event = astrayEvent(strings.FieldsFunc(x.r.URL.Path, func(c rune) bool { return c == '/' }))
	return reply{}, refuse(codeWrongPath, "events are taken at /webhooks/magento/{tenant}/{event} under this Towpath's address, "+
		"and this is another path; the shop's setting or a proxy between is wrong. Once that is right it is accepted when it is sent again")
}

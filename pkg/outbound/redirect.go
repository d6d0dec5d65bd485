package outbound

import (
	"net/http"
	"net/url"
	"strings"
)

const maxRedirects = 3

// checkRedirect follows up to three redirects of a GET or HEAD within one
// scheme, host and port. Any other one is not followed and no error: the caller
// gets the 3xx answer itself. So no credential leaves for another place, and no
// write is sent twice.
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	readOnly := first.Method == http.MethodGet || first.Method == http.MethodHead
	if !readOnly || len(via) > maxRedirects || origin(next.URL) != origin(first.URL) {
		return http.ErrUseLastResponse
	}
	return nil
}

// origin is scheme, host and port, with the port always there.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

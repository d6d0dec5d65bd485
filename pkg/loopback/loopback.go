// Package loopback is how tests speak HTTP to servers on this machine.
//
// Not http.DefaultClient: httptest.Server.Close closes the idle connections of
// http.DefaultTransport, which all tests of a process share, and a request of another
// test that was about to use one fails with "CloseIdleConnections called".
package loopback

import "net/http"

// Transport keeps no connection for a later call: a port is soon another server's.
var Transport http.RoundTripper = &http.Transport{DisableKeepAlives: true}

// Client follows redirects and keeps no cookies.
var Client = &http.Client{Transport: Transport}

// Alone is a client that follows no redirect, with jar where it is not nil.
func Alone(jar http.CookieJar) *http.Client {
	return &http.Client{
		Transport: Transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Browser is a client with jar that follows redirects.
func Browser(jar http.CookieJar) *http.Client {
	return &http.Client{Transport: Transport, Jar: jar}
}

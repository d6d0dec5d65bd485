package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// TOWPATH_BASE_URL may have a path, where a proxy shares one host name among
// several services. Proxies differ in whether they strip it, so every route is
// served with it and without; what Towpath hands out (links, redirects, the
// address told to the shop and to providers) always has it.

// ownSegments are what the routes begin with: a base path that began so could
// not be told from them.
func ownSegments() []string {
	return []string{"webhooks", "v1", "dashboard", "embed", "oauth", "metrics", "livez", "readyz", "runbooks"}
}

var basePathForm = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)

// CheckBaseURL answers a base URL without a trailing slash, or what is wrong with it
// in the words of the settings.
func CheckBaseURL(set string) (string, error) {
	u, err := url.Parse(set)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("--base-url (TOWPATH_BASE_URL) is %q; use https://host or https://host/path", set)
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if !basePathForm.MatchString(path) {
		return "", fmt.Errorf("the path of --base-url (TOWPATH_BASE_URL) is %q; use letters, digits and -._~ between single slashes", path)
	}
	if first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); slices.Contains(ownSegments(), first) {
		return "", fmt.Errorf("the path of --base-url (TOWPATH_BASE_URL) begins with /%s, as paths of Towpath itself do; use another, such as /towpath", first)
	}
	return u.Scheme + "://" + u.Host + path, nil
}

// BasePath is the path of a base URL that was checked.
func BasePath(baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil {
		return ""
	}
	return strings.TrimRight(u.Path, "/")
}

// IsLoopback reports whether the host of a base URL is this machine.
func IsLoopback(baseURL string) bool {
	u, err := url.Parse(baseURL)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(u.Hostname(), "localhost")
}

// underBase takes the base path off a request. Doubled slashes, as an address
// that was entered with one at its end makes them, count as one.
func underBase(base string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		for strings.Contains(path, "//") {
			path = strings.ReplaceAll(path, "//", "/")
		}
		if rest, under := strings.CutPrefix(path, base); under && (rest == "" || rest[0] == '/') {
			path = "/" + strings.TrimPrefix(rest, "/")
		}
		if strings.HasPrefix(path, "/dashboard/") && strings.HasSuffix(path, "/") && r.Method == http.MethodGet {
			http.Redirect(w, r, base+strings.TrimRight(path, "/"), http.StatusFound)
			return
		}
		if path != r.URL.Path {
			inner, to := *r, *r.URL
			to.Path, to.RawPath = path, ""
			inner.URL = &to
			r = &inner
		}
		next.ServeHTTP(w, r)
	})
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"towpath/pkg/demo"
	"towpath/pkg/loopback"
	"towpath/pkg/server"

	"github.com/stretchr/testify/require"
)

func Test_Base_URL_has_a_path_that_can_be_served_or_is_refused(t *testing.T) {
	t.Parallel()
	for set, want := range map[string]string{
		"":                               "http://127.0.0.1:8080",
		"https://towpath.example":        "https://towpath.example",
		"https://towpath.example/":       "https://towpath.example",
		"https://host.example/towpath/":  "https://host.example/towpath",
		"https://host.example/a/b-c_d.e": "https://host.example/a/b-c_d.e",
		"http://localhost:8080/towpath":  "http://localhost:8080/towpath",
	} {
		got, err := baseURL(set, "127.0.0.1:8080")
		require.NoError(t, err, set)
		require.Equal(t, want, got)
	}
	for _, set := range []string{
		"towpath.example", "ftp://host/", "https://", "https://host/a?b=c", "https://host/#a", "https://u:p@host/", "https://host/a//b", "https://host/a/../b",
		"https://host/%2e%2e", "https://host/a b", "https://host/dashboard", "https://host/webhooks/a", "https://host/v1", "https://host/oauth/x", "https://host/.hidden",
	} {
		_, err := baseURL(set, "127.0.0.1:8080")
		require.ErrorAs(t, err, &usageError{}, set)
		require.ErrorContains(t, err, "TOWPATH_BASE_URL")
	}
}

func Test_Pairing_refuses_a_base_URL_that_serve_would_refuse(t *testing.T) {
	t.Parallel()
	s := newDesk(t).run(t, "tenant", "pair", "--magento-url", "http://127.0.0.1:1", "--code", "CODE", "--provider", "xero", "--base-url", "http://127.0.0.1:9/dashboard")
	require.Equal(t, exitUsage, s.code)
	require.Contains(t, s.err, "begins with /dashboard")
}

// A short password is refused everywhere; without one others may be users.
func Test_Serve_refuses_a_password_that_protects_nothing(t *testing.T) {
	t.Parallel()
	every := serveCommand{Workers: 1, Roles: []string{"ingress", "worker", "dashboard"}}
	for name, c := range map[string]struct {
		env     map[string]string
		refused string
	}{
		"short":                 {map[string]string{"TOWPATH_ADMIN_PASSWORD": "elevenchars"}, "at least 12"},
		"short in a file":       {map[string]string{"TOWPATH_ADMIN_PASSWORD_FILE": file(t, "p", "elevenchars\n")}, "at least 12"},
		"letters of two bytes":  {map[string]string{"TOWPATH_ADMIN_PASSWORD": "ÄÄÄÄÄÄÄÄÄÄÄ"}, "at least 12"},
		"blanks around a short": {map[string]string{"TOWPATH_ADMIN_PASSWORD_FILE": file(t, "p", "  elevenchars   \n")}, "at least 12"},
		"and twelve of those":   {map[string]string{"TOWPATH_ADMIN_PASSWORD": "ÄÄÄÄÄÄÄÄÄÄÄÄ"}, ""},
		"good":                  {map[string]string{"TOWPATH_BASE_URL": "https://towpath.example", "TOWPATH_ADMIN_PASSWORD": "twelve chars"}, ""},
		"none":                  {map[string]string{"TOWPATH_BASE_URL": "https://towpath.example"}, ""},
	} {
		_, err := serveWith(c.env, every)
		if c.refused == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorAs(t, err, &usageError{}, name)
		require.ErrorContains(t, err, c.refused, name)
		require.NotContains(t, err.Error(), "elevenchars")
	}
}

// Pages that others than this machine's browsers reach are not served while nobody could
// sign in to them as admin: by the setting, or as a user.
func Test_Serve_refuses_to_start_without_an_admin(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	start := func(env map[string]string, roles ...string) error {
		cfg, err := serveCommand{Workers: 1, Roles: roles}.config(consoleOf(d.with(env).env, io.Discard, io.Discard))
		require.NoError(t, err)
		cfg.Listeners = []net.Listener{listener(t)} // instead of cfg.Listen, which is judged all the same
		s, err := server.Start(t.Context(), cfg)
		if err == nil {
			s.Stop()
		}
		return err
	}
	reached := []map[string]string{
		{"TOWPATH_BASE_URL": "https://towpath.example"}, {"TOWPATH_LISTEN": "0.0.0.0:8080"}, {"TOWPATH_LISTEN": ":8080"}, {"TOWPATH_LISTEN": "[::]:8080"},
		{"TOWPATH_BASE_URL": "http://localhost.evil.example"}, {"TOWPATH_BASE_URL": "http://10.0.0.7"},
	}
	for _, env := range reached {
		env["TOWPATH_ADMIN_PASSWORD"] = ""
		require.ErrorContains(t, start(env, "dashboard"), "have no admin: set TOWPATH_ADMIN_PASSWORD", "%v", env)
	}
	require.NoError(t, start(reached[0], "ingress"), "without pages")
	for _, own := range []string{"", "http://localhost:8080/towpath", "http://[::1]:8080/towpath", "http://127.8.9.1"} {
		require.NoError(t, start(map[string]string{"TOWPATH_BASE_URL": own, "TOWPATH_ADMIN_PASSWORD": ""}, "dashboard"), "this machine's browsers only: %q", own)
	}
	d.must(t, "user", "add", "ada", "--role", "viewer")
	require.Error(t, start(reached[0], "dashboard"), "a viewer is no admin")
	d.must(t, "user", "role", "ada", "admin")
	require.NoError(t, start(reached[0], "dashboard"))
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// anonymously asks a server as a stranger who says what he likes of himself.
func anonymously(t *testing.T, method, address string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	require.NoError(t, err)
	req.Host = "localhost"
	req.Header.Set("X-Forwarded-For", "127.0.0.1")
	req.Header.Set("Origin", "http://localhost")
	resp, err := loopback.Transport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func Test_Serve_without_users_shows_nothing_and_starts_no_consent(t *testing.T) {
	t.Parallel()
	d := newAppDesk(t)
	d.create(t, consentApp, "--grant", "authorization_code")
	s := d.with(map[string]string{"TOWPATH_ADMIN_PASSWORD": "", "TOWPATH_BASE_URL": d.base}).serve(t)
	upstream, err := url.Parse("http://" + s.Addr())
	require.NoError(t, err)
	relay := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream); r.Out.Host = r.In.Host }})
	t.Cleanup(relay.Close)
	for _, base := range []string{"http://" + s.Addr(), relay.URL} {
		require.Equal(t, http.StatusUnauthorized, anonymously(t, http.MethodGet, base+"/dashboard/sync"))
		require.Equal(t, http.StatusUnauthorized, anonymously(t, http.MethodPost, base+"/dashboard/connections/"+d.binding+"/connect"))
		require.Equal(t, http.StatusOK, anonymously(t, http.MethodGet, base+"/livez"))
	}
	var consents int
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT count(*) FROM oauth_states").Scan(&consents))
	require.Zero(t, consents)
}

// proxied puts a reverse proxy with a prefix before a server: one that strips it,
// or one that passes it on.
func proxied(t *testing.T, to, prefix string, strips bool) string {
	t.Helper()
	upstream, err := url.Parse(to)
	require.NoError(t, err)
	var handler http.Handler = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) }}
	if strips {
		handler = http.StripPrefix(prefix, handler)
	}
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", handler)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + prefix
}

// Every page, link, redirect and button works under a prefix, behind either kind
// of proxy, and an event sent there comes to its chip.
func Test_A_base_path_is_served_on_every_page_and_link(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	s := d.with(map[string]string{"TOWPATH_BASE_URL": "http://127.0.0.1:9/tow/path/"}).serve(t)
	links := regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
	for _, strips := range []bool{true, false} {
		base := proxied(t, "http://"+s.Addr(), "/tow/path", strips)
		d.shop.Connect(d.tenant, d.key, base)
		invoice := d.shop.RaiseInvoice(demo.Cart())
		d.send(t)
		until(t, "the shop shows it synced", func() bool {
			inv, _ := d.shop.Invoice(invoice.ID)
			return inv.Chip.Status == "synced"
		})
		seen := map[string]bool{}
		queue := []string{"/tow/path/", "/tow/path/dashboard", "/tow/path/dashboard/", "/tow/path/dashboard/sync?status=succeeded", "/tow/path/dashboard/nothing/"}
		for len(queue) > 0 {
			path := queue[0]
			queue = queue[1:]
			if seen[path] {
				continue
			}
			seen[path] = true
			page := ask(t, http.MethodGet, strings.TrimSuffix(base, "/tow/path")+path)
			if strings.Contains(path, "nothing") {
				require.Equal(t, http.StatusNotFound, page.status)
				continue
			}
			require.Equal(t, http.StatusOK, page.status, path)
			if !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
				continue
			}
			for _, link := range links.FindAllStringSubmatch(page.body, -1) {
				to := strings.ReplaceAll(link[1], "&amp;", "&")
				switch {
				case strings.HasPrefix(to, "#"), strings.HasPrefix(to, "http"), isPost(to):
				default:
					require.True(t, strings.HasPrefix(to, "/tow/path/"), "%s links to %s", path, to)
					queue = append(queue, strings.Split(to, "#")[0])
				}
				require.NotRegexp(t, `^/(dashboard|oauth)`, to)
			}
		}
		require.GreaterOrEqual(t, len(seen), 12, fmt.Sprint(seen))
	}
	id := d.lastRun(t)
	require.Contains(t, fmt.Sprint(d.xero.Invoices()), "http://127.0.0.1:9/tow/path/dashboard/sync/", "documents link back under the path")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr()+"/tow/path/dashboard/sync/"+id+"/retry", nil)
	require.NoError(t, err)
	req.SetBasicAuth("admin", adminPassword)
	resp, err := loopback.Transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Contains(t, resp.Header.Get("Location"), "/tow/path/dashboard/sync/"+id)
}

// isPost reports whether an address of a form only takes POST.
func isPost(to string) bool {
	return slices.ContainsFunc([]string{"/retry", "/cancel", "/connect", "/refresh", "/release", "/sign-out", "/review", "/what-if", "/edit", "/save", "/role", "/password", "/disable", "/enable"}, func(end string) bool { return strings.HasSuffix(to, end) })
}

func (d *desk) lastRun(t *testing.T) string {
	t.Helper()
	var id string
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT id::text FROM sync_runs ORDER BY received_at DESC LIMIT 1").Scan(&id))
	return id
}

// Whatever address the shop was given, its events are taken or sent again.
func Test_An_event_under_a_wrong_prefix_is_not_buried(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	s := d.with(map[string]string{"TOWPATH_BASE_URL": "http://127.0.0.1:9/towpath"}).serve(t, "ingress")
	base := "http://" + s.Addr()
	event := "/magento/" + d.tenant + "/invoice.created"
	for path, want := range map[string]int{
		"/webhooks" + event: http.StatusUnauthorized, "/towpath/webhooks" + event: http.StatusUnauthorized, // taken: there is no token
		"/towpath//webhooks" + event: http.StatusUnauthorized, "//webhooks" + event: http.StatusUnauthorized,
		"/other/webhooks" + event: http.StatusServiceUnavailable, "/towpath/towpath/webhooks" + event: http.StatusServiceUnavailable,
		"/towpathwebhooks" + event: http.StatusServiceUnavailable, "/webhooks" + event + "/": http.StatusServiceUnavailable,
		"/towpath/wp-login.php": http.StatusNotFound,
	} {
		a := ask(t, http.MethodPost, base+path)
		require.Equal(t, want, a.status, path)
		if want == http.StatusServiceUnavailable {
			require.NotEmpty(t, a.header.Get("Retry-After"))
			require.Contains(t, a.body, "wrong_path")
		}
	}
	// The simulated shop keeps what it could not deliver.
	d.shop.Connect(d.tenant, d.key, base+"/elsewhere")
	invoice := d.shop.RaiseInvoice(demo.Cart())
	d.shop.Drain(t.Context())
	inv, _ := d.shop.Invoice(invoice.ID)
	require.EqualValues(t, "pending", inv.Outbox[0].Status)
}

func Test_Log_lines_of_a_server_stay_short(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log, err := consoleOf(map[string]string{"TOWPATH_LOG_FORMAT": format}, io.Discard, &out).logger()
		require.NoError(t, err)
		log.Error("request", "path", "/"+strings.Repeat("\x00", 60<<10), "status", 404)
		require.LessOrEqual(t, out.Len(), 4096)
		require.Contains(t, out.String(), "404")
	}
}

package dashboard_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dashboard"
)

func unescape(s string) string { return html.UnescapeString(s) }

func pageSize(n int) func(*dashboard.Config) {
	return func(c *dashboard.Config) { c.PageSize = n }
}

func retry(f func(context.Context, uuid.UUID) error) func(*dashboard.Config) {
	return func(c *dashboard.Config) { c.Retry = f }
}

func basic(user, pass string) map[string]string {
	return map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+pass))}
}

func stranger() map[string]string { return map[string]string{"Authorization": anonymous} }

// Scripts send a user's name and password with each request.
func Test_Scripts_come_in_by_HTTP_Basic(t *testing.T) {
	t.Parallel()
	const pass = thePassword
	var retried atomic.Int32
	b := setup(t, retry(func(context.Context, uuid.UUID) error { retried.Add(1); return nil }))
	id := b.add("failed", nil).String()
	for _, path := range []string{"/dashboard", "/dashboard/sync", "/dashboard/sync/" + id, "/dashboard/sync/x", "/dashboard/connections"} {
		for name, header := range map[string]map[string]string{
			"none": stranger(), "wrong": basic("ada", "wrong"), "empty": basic("ada", ""), "prefix": basic("ada", pass[:8]),
			"as the user": basic(pass, ""), "another user": basic("admin", pass), "bearer": {"Authorization": "Bearer " + pass},
		} {
			a := b.send(http.MethodGet, path, header)
			require.Equal(t, http.StatusUnauthorized, a.status, "%s %s", path, name)
			require.Equal(t, `Basic realm="Towpath", charset="UTF-8"`, a.header.Get("WWW-Authenticate"))
			require.NotContains(t, a.body, pass)
			b.exec("DELETE FROM sign_in_slowed")
		}
		require.NotEqual(t, http.StatusUnauthorized, b.send(http.MethodGet, path, basic("ada", pass)).status)
	}
	require.Equal(t, http.StatusUnauthorized, b.send(http.MethodPost, "/dashboard/sync/"+id+"/retry", stranger()).status)
	require.Zero(t, retried.Load())
	require.Equal(t, http.StatusSeeOther, b.send(http.MethodPost, "/dashboard/sync/"+id+"/retry", basic("ADA", pass)).status)
	require.EqualValues(t, 1, retried.Load())

	proxied := basic("ada", pass)
	proxied["X-Forwarded-For"], proxied["Host"] = "203.0.113.9", "towpath.example.com"
	require.Equal(t, http.StatusOK, b.send(http.MethodGet, "/dashboard/sync", proxied).status, "with the password any way in is fine")
	for range 10 {
		b.send(http.MethodGet, "/dashboard/sync", basic("ada", "guess"))
	}
	slowed := b.send(http.MethodGet, "/dashboard/sync", basic("ada", pass))
	require.Equal(t, http.StatusTooManyRequests, slowed.status)
	require.Equal(t, "60", slowed.header.Get("Retry-After"))
}

// tcpRelay passes connections on byte by byte, as an SSH tunnel or a TCP load
// balancer does: the server sees a peer on loopback and the client's own bytes.
func tcpRelay(t *testing.T, to string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				return
			}
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
	}()
	return "http://" + listener.Addr().String()
}

// httpRelay is a reverse proxy that speaks HTTP/1.1 to its upstream and adds no
// header, as nginx does by default since 1.29.7.
func httpRelay(t *testing.T, to string) string {
	t.Helper()
	target, err := url.Parse(to)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// Nothing that a request looks like admits anybody where there is no user:
// neither a peer on loopback, nor a name, nor what headers say.
func Test_Without_users_nobody_sees_anything(t *testing.T) {
	t.Parallel()
	var retried, consents atomic.Int32
	b := setup(t, retry(func(context.Context, uuid.UUID) error { retried.Add(1); return nil }),
		connect(func(context.Context, uuid.UUID) (string, error) {
			consents.Add(1)
			return "https://login.example/consent", nil
		}))
	id := b.add("failed", nil).String()
	b.exec("DELETE FROM users")
	ways := map[string]string{
		"directly": b.server.URL, "TCP relay": tcpRelay(t, b.server.Listener.Addr().String()), "HTTP/1.1 relay": httpRelay(t, b.server.URL),
	}
	for way, address := range ways {
		for name, header := range map[string]map[string]string{
			"plain": {}, "as localhost": {"Host": "localhost"}, "as this machine": {"Host": "127.0.0.1:8080"}, "as another": {"Host": "towpath.example"},
			"forwarded for loopback": {"Host": "localhost", "X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "Forwarded": "for=127.0.0.1;host=localhost"},
			"a button of its own":    {"Host": "localhost", "Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
			"an empty password":      basic("admin", ""), "a password": basic("admin", thePassword),
			"a cookie": {"Cookie": "towpath-known=AQAA; towpath-session=x; towpath-00000000=x"},
		} {
			b.exec("DELETE FROM sign_in_slowed")
			if header["Authorization"] == "" {
				header["Authorization"] = anonymous
			}
			for _, path := range []string{"/dashboard", "/dashboard/sync", "/dashboard/sync/" + id, "/dashboard/connections", "/dashboard/sync?token=x"} {
				a := b.sendTo(address, http.MethodGet, path, header)
				require.Equal(t, http.StatusUnauthorized, a.status, "%s, %s: %s", way, name, path)
				require.NotContains(t, a.body, "Acme")
			}
			for _, path := range []string{b.connectPath(), "/dashboard/sync/" + id + "/retry"} {
				require.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, b.sendTo(address, http.MethodPost, path, header).status, "%s, %s: %s", way, name, path)
			}
		}
	}
	require.Contains(t, b.send(http.MethodGet, "/dashboard/sign-in", stranger()).body, "towpath user add")
	require.Zero(t, consents.Load(), "an anonymous POST never starts a consent")
	require.Zero(t, retried.Load())
}

func Test_Every_answer_has_the_headers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.add("queued", nil).String()
	for _, path := range []string{"/dashboard", "/dashboard/sync", "/dashboard/sync/" + id, "/dashboard/sync/x", "/dashboard/sync?before=x", "/dashboard/static/nothing", "/dashboard/connections"} {
		a := b.get(path)
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "X-Frame-Options": "DENY"} {
			require.Equal(t, want, a.header.Get(name), path)
		}
		policy := a.header.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'")
		require.NotContains(t, policy, "unsafe")
		require.NotRegexp(t, `(?i)<style|\sstyle=|\son[a-z]+=|<script>`, a.body, "nothing inline: %s", path)
		require.NotRegexp(t, `(src|href)="(https?:)?//`, strings.ReplaceAll(a.body, "https://shop.example", ""), "nothing from elsewhere: %s", path)
	}
}

func Test_Retry(t *testing.T) {
	t.Parallel()
	var got []uuid.UUID
	outcome := error(nil)
	b := setup(t, retry(func(_ context.Context, id uuid.UUID) error { got = append(got, id); return outcome }))
	id := b.add("failed", columns{"error_code": "validation"})
	path := "/dashboard/sync/" + id.String() + "/retry"

	own := map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": b.server.URL}
	a := b.send(http.MethodPost, path, own)
	require.Equal(t, http.StatusSeeOther, a.status)
	require.Equal(t, []uuid.UUID{id}, got)
	require.Contains(t, b.get(a.header.Get("Location")).body, "The run was started again.")

	for name, header := range map[string]map[string]string{
		"another site": {"Sec-Fetch-Site": "cross-site"}, "another port": {"Sec-Fetch-Site": "same-site"},
		"old browser": {"Origin": "https://evil.example"}, "sandboxed": {"Origin": "null"},
	} {
		require.Equal(t, http.StatusForbidden, b.send(http.MethodPost, path, header).status, name)
	}
	require.Len(t, got, 1)

	outcome = dashboard.ErrNothingToDo
	require.Contains(t, b.get(b.send(http.MethodPost, path, own).header.Get("Location")).body, "nothing to retry")
	outcome = pgx.ErrNoRows
	require.Equal(t, http.StatusNotFound, b.send(http.MethodPost, path, own).status)
	require.Equal(t, http.StatusNotFound, b.send(http.MethodPost, "/dashboard/sync/nonsense/retry", own).status)
	require.Equal(t, http.StatusMethodNotAllowed, b.get(path).status, "a link must not retry")
	require.NotContains(t, b.get("/dashboard/sync/"+id.String()+"?told=%3Cb%3E").body, "<b>")
}

func Test_Retry_button_only_where_there_is_something_to_retry(t *testing.T) {
	t.Parallel()
	b := setup(t, retry(func(context.Context, uuid.UUID) error { return nil }))
	for status, want := range map[string]string{
		"queued": "", "held": ">Retry now<", "failed": ">Retry<", "cancelled": ">Retry<",
		"skipped_by_policy": ">Retry under today's settings<", "running": "", "succeeded": "",
	} {
		body := unescape(b.get("/dashboard/sync/" + b.add(status, nil).String()).body)
		require.Equal(t, want != "", strings.Contains(body, `method="post"`), status)
		require.Contains(t, body, want, status)
	}
	waiting := b.add("queued", columns{"next_attempt_at": now.Add(time.Hour)})
	require.Contains(t, b.get("/dashboard/sync/"+waiting.String()).body, ">Retry now<")
	none := setup(t)
	require.NotContains(t, none.get("/dashboard/sync/"+none.add("failed", nil).String()).body, `method="post"`)
}

func Test_Log_tells_refusals_and_no_password(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := setup(t, func(c *dashboard.Config) { c.Logger = slog.New(slog.NewTextHandler(&out, nil)) })
	for _, pass := range []string{"wrong-guess", thePassword} {
		b.send(http.MethodGet, "/dashboard", basic("ada", pass))
	}
	require.Contains(t, out.String(), `refused="wrong password"`)
	require.Equal(t, 1, strings.Count(out.String(), "\n"), "what goes well is debug")
	require.NotContains(t, out.String(), "wrong-guess")
	require.NotContains(t, out.String(), "battery")
}

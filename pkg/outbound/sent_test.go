package outbound

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// post makes one POST and reads its answer, as the clients do.
func post(t *testing.T, c *http.Client, url string) error {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(`{"x":1}`))
	require.NoError(t, err)
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	_, err = ReadBody(resp, 1000)
	return err
}

// rawServer answers each connection with serve, after it read a whole request.
func rawServer(t *testing.T, serve func(*net.TCPConn)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
			}
			serve(conn.(*net.TCPConn))
		}
	}()
	return "http://" + listener.Addr().String()
}

func local(cfg Config) *http.Client {
	cfg.AllowPrivate = true
	return New(cfg)
}

func TestSent_after_the_request_was_read(t *testing.T) {
	t.Parallel()
	write := func(text string) func(*net.TCPConn) {
		return func(c *net.TCPConn) { _, _ = c.Write([]byte(text)); c.Close() }
	}
	for name, serve := range map[string]func(*net.TCPConn){
		"Closed_without_answer": func(c *net.TCPConn) { c.Close() },
		"Reset":                 func(c *net.TCPConn) { _ = c.SetLinger(0); c.Close() },
		"Half_a_status_line":    write("HTTP/1.1 20"),
		"Half_the_headers":      write("HTTP/1.1 200 OK\r\nContent-Le"),
		"Half_the_body":         write("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"half\":"),
		"Half_a_chunk":          write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc"),
		"Not_HTTP":              write("hello\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := post(t, local(Config{}), rawServer(t, serve))
			require.Error(t, err)
			require.True(t, Sent(err), "%v", err)
			require.False(t, IsTimeout(err), "%v", err)
		})
	}
}

func TestSent_when_the_answer_is_slow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg     Config
		headers bool
	}{
		"Headers_late":         {Config{HeaderTimeout: 50 * time.Millisecond}, false},
		"Whole_call_late":      {Config{Timeout: 50 * time.Millisecond}, false},
		"Body_late_after_200":  {Config{Timeout: 50 * time.Millisecond}, true},
		"Body_late_no_timeout": {Config{Timeout: 60 * time.Millisecond, HeaderTimeout: time.Second}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.headers {
					w.WriteHeader(http.StatusOK)
					_ = http.NewResponseController(w).Flush()
				}
				<-release
			}))
			t.Cleanup(srv.Close)
			t.Cleanup(func() { close(release) })
			err := post(t, local(c.cfg), srv.URL)
			require.Error(t, err)
			require.True(t, Sent(err), "%v", err)
			require.True(t, IsTimeout(err), "%v", err)
		})
	}
}

func TestSent_is_false_when_nothing_left(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refused := "http://" + listener.Addr().String()
	listener.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(tls.Close)

	for name, url := range map[string]string{
		"Port_refused":          refused,
		"Name_unknown":          "http://no-such-host.invalid",
		"Certificate_untrusted": tls.URL,
		"TLS_to_a_plain_port":   strings.Replace(plain.URL, "http:", "https:", 1),
		"Address_refused":       "http://169.254.169.254",
	} {
		t.Run(name, func(t *testing.T) {
			err := post(t, local(Config{}), url)
			require.Error(t, err)
			require.False(t, Sent(err), "%v", err)
		})
	}
}

func TestSent_is_false_when_the_handshake_hangs(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, by the kernel, and says nothing
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	for _, cfg := range []Config{{TLSTimeout: 50 * time.Millisecond}, {Timeout: 50 * time.Millisecond}} {
		err = post(t, local(cfg), "https://"+listener.Addr().String())
		require.Error(t, err)
		require.False(t, Sent(err), "%v", err)
		require.True(t, IsTimeout(err), "%v", err)
	}
}

func TestSent_is_false_when_cancelled_before(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:1", nil)
	require.NoError(t, err)
	_, err = local(Config{}).Do(req)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, Sent(err))
	require.False(t, IsTimeout(err))
}

func TestSent_of_other_clients_errors_doubts(t *testing.T) {
	t.Parallel()
	require.True(t, Sent(io.EOF))
	require.False(t, Sent(&net.OpError{Op: "dial", Err: io.EOF}))
	require.True(t, Sent(&net.OpError{Op: "read", Err: io.EOF}))
	require.True(t, Sent(nil))
}

package server

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A request that is half sent when the stop begins is answered all the same, and one that
// nobody ever ends holds the stop up for a while only.
func Test_A_stop_answers_whoever_has_connected(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := newFront(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") }),
		slog.New(slog.DiscardHandler), func(err error) { t.Errorf("failed: %v", err) }, listener)
	half, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer half.Close()
	_, err = io.WriteString(half, "GET / HTTP/1.1\r\nHost: towpath\r\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !f.quiet() }, 30*time.Second, time.Millisecond, "it is accepted")

	stopped := make(chan error, 1)
	go func() { stopped <- f.stop(t.Context()) }()
	require.Eventually(t, f.ended, 30*time.Second, time.Millisecond, "the stop begins")
	_, err = io.WriteString(half, "\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(half), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "here", string(body))
	require.True(t, resp.Close, "it is the connection's last")
	require.NoError(t, <-stopped)
	require.NoError(t, f.stop(t.Context()), "it may be repeated")
	_, err = net.Dial("tcp", listener.Addr().String())
	require.Error(t, err)
}

package outbound_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/outbound"
)

// What a client's error says is for whoever reads it; what it is stays known.
func Test_Errors_of_connections_are_said_in_words(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := listener.Addr().String()
	require.NoError(t, listener.Close())
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(slow.Close)
	cuts := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(cuts.Close)
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(stranger.Close)
	client := outbound.New(outbound.Config{AllowPrivate: true, HeaderTimeout: 50 * time.Millisecond})
	for address, want := range map[string]string{
		"http://" + nobody: "nothing listens at " + nobody + " (connection refused)",
		slow.URL:           "no answer in time",
		cuts.URL:           "the connection was closed before the answer was there",
		stranger.URL:       "the TLS certificate is not valid: no authority that this machine trusts has signed it, or an intermediate certificate is missing",
	} {
		_, err := client.Post(address, "text/plain", nil)
		require.ErrorContains(t, err, want)
		require.EqualError(t, outbound.Plain(err), want, "without the method and the address of the call")
		require.Equal(t, address == slow.URL, outbound.IsTimeout(err), address)
		require.Equal(t, address == "http://"+nobody, errors.Is(err, syscall.ECONNREFUSED), address)
	}
	require.EqualError(t, outbound.Plain(&net.DNSError{Name: "shop.example.com", IsNotFound: true}), `there is no host "shop.example.com"`)
	odd := errors.New("no words for it")
	require.Equal(t, odd, outbound.Plain(odd))
	require.NoError(t, outbound.Plain(nil))
}

package server

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb/pgtest"
)

// knock sends a webhook without a token.
func knock(t *testing.T, s *Server) answered {
	t.Helper()
	return ask(t, http.MethodPost, "http://"+s.Addr()+"/webhooks/magento/3f2504e0-4f89-41d3-9a0c-0305e82c3301/invoice.created")
}

func Test_An_open_connection_is_told_to_come_again_while_stopping(t *testing.T) {
	t.Parallel()
	s := serve(t, pgtest.URL(t))
	require.Equal(t, http.StatusUnauthorized, knock(t, s).status)
	s.drain()
	answer := knock(t, s)
	require.Equal(t, http.StatusServiceUnavailable, answer.status)
	require.NotEmpty(t, answer.header.Get("Retry-After"))
}

// The front door turns requests away before it stops listening.
func Test_The_door_drains_before_the_listener_closes(t *testing.T) {
	t.Parallel()
	s := serve(t, pgtest.URL(t))
	drained := make(chan int, 1)
	s.drain = func() { drained <- knock(t, s).status }
	s.Stop()
	require.Equal(t, http.StatusUnauthorized, <-drained, "still listening")
}

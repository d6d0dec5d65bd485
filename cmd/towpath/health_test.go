package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func Test_Health_is_that_of_the_local_serve(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	s := d.serve(t, "ingress")
	_, port, _ := strings.Cut(s.Addr(), ":")
	require.Equal(t, said{out: "ready\n"}, d.run(t, "health", "--listen", s.Addr()))
	anywhere := d.with(map[string]string{"TOWPATH_LISTEN": ":" + port, "TOWPATH_BASE_URL": "https://shop.example/towpath", "HTTP_PROXY": "http://127.0.0.1:1"})
	require.Equal(t, said{out: "ready\n"}, anywhere.run(t, "health"), "all addresses of the machine, under whatever base URL, by no proxy")

	_, err := d.pool.Exec(t.Context(), "DELETE FROM schema_migrations")
	require.NoError(t, err)
	var sick said
	until(t, "it is not ready", func() bool { sick = anywhere.run(t, "health"); return sick.code == exitFailed })
	require.Contains(t, sick.err, "towpath: not ready: migrations: ")
	var view healthView
	decode(t, []byte(anywhere.run(t, "health", "--json").out), &view)
	require.False(t, view.Ready)
	require.Equal(t, said{out: "it answers\n"}, anywhere.run(t, "health", "--live"), "it lives all the same")

	s.Stop()
	for _, args := range [][]string{{"health"}, {"health", "--live"}} {
		gone := anywhere.run(t, args...)
		require.Equal(t, exitFailed, gone.code)
		require.Contains(t, gone.err, "towpath: no serve answers: nothing listens at 127.0.0.1:"+port)
	}
}

func Test_Health_takes_nobody_else_for_Towpath(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"welcome", `{"ready":true}`} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		t.Cleanup(other.Close)
		s := (&desk{}).run(t, "health", "--listen", strings.TrimPrefix(other.URL, "http://"))
		require.Equal(t, exitFailed, s.code)
		require.Contains(t, s.err, "is not Towpath")
	}
}

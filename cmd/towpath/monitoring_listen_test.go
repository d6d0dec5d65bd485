package main

import (
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func Test_Metrics_and_health_have_a_listener_of_their_own_and_SIGUSR1_changes_the_level(t *testing.T) {
	t.Parallel()
	d := newDesk(t).with(map[string]string{"TOWPATH_LOG_LEVEL": "info", "TOWPATH_LOG_FORMAT": "json", "TOWPATH_METRICS_LISTEN": "127.0.0.1:0"})
	p := d.start(t, "serve", "--listen", "127.0.0.1:0", "--roles", "ingress,worker")
	addresses := map[string]string{}
	until(t, "both listen", func() bool {
		require.False(t, p.ended(), p.output())
		for _, match := range regexp.MustCompile(`"msg":"(towpath serves[^"]*)","address":"([^"]+)"`).FindAllStringSubmatch(p.output(), -1) {
			addresses[match[1]] = match[2]
		}
		return len(addresses) == 2
	})
	public, machines := addresses["towpath serves"], addresses["towpath serves metrics and health"]
	until(t, "ready", func() bool { return ask(t, http.MethodGet, machines+"/readyz").status == http.StatusOK })
	for _, path := range []string{"/metrics", "/livez", "/readyz"} {
		require.Equal(t, http.StatusOK, ask(t, http.MethodHead, machines+path).status, path)
		require.Equal(t, http.StatusNotFound, ask(t, http.MethodGet, public+path).status, path)
	}
	require.Equal(t, http.StatusNotFound, ask(t, http.MethodGet, machines+"/v1/status").status, "the shop's are not there")
	require.Equal(t, http.StatusOK, ask(t, http.MethodGet, public+"/runbooks/TowpathDown").status)

	for _, level := range []string{"debug", "info"} {
		p.signal(t, syscall.SIGUSR1)
		until(t, "it says so", func() bool {
			return strings.Contains(p.output(), `"msg":"log level changed","level":"`+level+`","by":"SIGUSR1"`)
		})
	}
	require.False(t, p.ended())
}

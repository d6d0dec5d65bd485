package ingress

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/loopback"
)

// The shop dead-letters an event at any 4xx, so whatever it may send under a wrong
// address is sent again; strangers get their 404.
func Test_What_the_shop_sends_under_a_wrong_path_is_sent_again(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	id := uuid.NewString()
	ask := func(method, path string, header ...string) (*http.Response, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, d.url+path, strings.NewReader(goodBody))
		require.NoError(t, err)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := loopback.Client.Do(req)
		require.NoError(t, err)
		t.Cleanup(func() { _ = resp.Body.Close() })
		var raw [4096]byte
		n, _ := resp.Body.Read(raw[:])
		return resp, string(raw[:n])
	}
	for _, c := range [][]string{
		{"POST", "/towpath/webhooks/magento/" + id + "/invoice.created"},
		{"POST", "/a/b/webhooks/magento/" + id + "/invoice.created?provider=xero"},
		{"POST", "/webhooks/" + id + "/invoice.created"},
		{"POST", "/magento/" + id + "/invoice.created"},
		{"POST", "/" + id + "/creditmemo.created"},
		{"POST", "/invoice.created"},
		{"POST", "/webhooks"},
		{"POST", "/webhooks/magento/" + id},
		{"POST", "/webhooks/magento/" + id + "/invoice.created/more"},
		{"POST", "/somewhere", "Idempotency-Key", "invoice.created:42"},
		{"POST", "/towpath/v1/tenant/disconnect"},
		{"GET", "/towpath/v1/status?entity_type=invoice&entity_id=42"},
		{"GET", "/towpath/v1/tile/health"},
	} {
		resp, body := ask(c[0], c[1], c[2:]...)
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode, "%v", c)
		require.NotEmpty(t, resp.Header.Get("Retry-After"), "%v", c)
		require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
		require.Contains(t, body, `"code":"wrong_path"`, "%v", c)
		require.NotContains(t, body, id, "nothing of the request comes back")
	}
	for _, c := range [][]string{
		{"GET", "/"}, {"POST", "/"}, {"POST", "/wp-login.php"}, {"GET", "/.env"}, {"GET", "/webhooks"}, {"POST", "/xmlrpc.php"},
		{"GET", "/towpath/webhooks/magento/" + id + "/invoice.created"}, {"PUT", "/v1/status"}, {"POST", "/v1/statuses"}, {"GET", "/status"},
	} {
		resp, body := ask(c[0], c[1])
		require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, resp.StatusCode, "%v: %s", c, body)
	}
	require.Positive(t, d.metric(t, "webhooks_total", "event=invoice.created", "code=503"))
}
